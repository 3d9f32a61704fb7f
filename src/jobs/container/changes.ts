import { z } from "zod";
import { defineJob } from "#engine";
import type { LayerId } from "#graph";
import type { Rooms } from "../rooms.ts";

interface Needs {
  readonly containers: Pick<Rooms["containers"], "find">;
  readonly graph: { readonly driver: Pick<Rooms["graph"]["driver"], "changes"> };
}

/** What differs in a container from its image. */
export const containerChanges = (needs: Needs) =>
  defineJob({
    name: "container.changes",
    input: z.object({ ref: z.string().min(1) }),

    run: ({ ref }) => needs.graph.driver.changes(needs.containers.find(ref).layer as LayerId),
  });
