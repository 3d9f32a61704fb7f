import { z } from "zod";
import { defineJob } from "#engine";
import { Fault } from "#errors";
import { logIn, parseCredentials } from "#registry";
import { type RegistryNeeds, registrySettings } from "../image/registry.ts";

/** Asks a registry whether it takes the credentials, which come in the environment and are kept nowhere. */
export const checkLogin = ({ settings }: Pick<RegistryNeeds, "settings">) =>
  defineJob({
    name: "system.login",
    input: z.object({ server: z.string() }),

    async run({ server }, { signal, environment }) {
      const credentials = parseCredentials(environment.REGISTRY_AUTH);
      if (credentials === undefined)
        throw new Fault(
          "invalid",
          "Cannot log in: neither a name with a password nor an identity token is given",
        );
      return logIn({ server, credentials, settings: registrySettings(settings), signal });
    },
  });
