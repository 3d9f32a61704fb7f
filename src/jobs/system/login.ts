import { z } from "zod";
import { defineJob } from "#engine";
import { Fault } from "#errors";
import { logIn, parseCredentials } from "#registry";
import type { EngineSettings } from "../rooms.ts";

interface Needs {
  readonly settings: Pick<EngineSettings, "insecureRegistries">;
}

/** Asks a registry whether it takes the credentials, which come in the environment and are kept nowhere. */
export const checkLogin = ({ settings }: Needs) =>
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
      return logIn({ server, credentials, settings: { insecure: settings.insecureRegistries }, signal });
    },
  });
