import { z } from "zod";
import { defineJob } from "#engine";
import { Fault } from "#errors";
import type { Rooms } from "../rooms.ts";
import { announcer } from "./announce.ts";

interface Needs {
  readonly containers: Pick<Rooms["containers"], "hold" | "rename">;
  readonly networks: Pick<Rooms["networks"], "rename">;
  readonly events: Pick<Rooms["events"], "publish">;
}

/** Gives a container another name. */
export const renameContainer = (needs: Needs) =>
  defineJob({
    name: "container.rename",
    input: z.object({ ref: z.string().min(1), name: z.string() }),

    async run({ ref, name }, { signal }) {
      if (name === "" || name === "/") throw new Fault("invalid", "Neither old nor new names may be empty");
      await using held = await needs.containers.hold(ref, signal);
      const before = held.container.name;
      if (before === name.replace(/^\//, ""))
        throw new Fault("invalid", "Renaming a container with the same name as its current name");
      const renamed = needs.containers.rename(held.id, name);
      needs.networks.rename(held.id, renamed.name);
      announcer(needs.events)(renamed, "rename", { oldName: `/${before}` });
      return {};
    },
  });
