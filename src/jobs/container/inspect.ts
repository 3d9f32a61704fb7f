import { z } from "zod";
import { defineJob } from "#engine";
import type { LayerId } from "#graph";
import { isAppArmorEnabled } from "#libcontainer";
import type { Rooms } from "../rooms.ts";
import { apparmorProfile } from "./spec-security.ts";
import { sizesOf, type ViewNeeds, viewOf } from "./view.ts";

type Needs = ViewNeeds & {
  readonly containers: Pick<Rooms["containers"], "find">;
  readonly graph: { readonly driver: Pick<Rooms["graph"]["driver"], "data" | "size"> };
};

/** All there is to know of one container. */
export const inspectContainer = (needs: Needs) =>
  defineJob({
    name: "container.inspect",
    input: z.object({ ref: z.string().min(1), size: z.boolean() }),

    async run({ ref, size }) {
      const container = needs.containers.find(ref);
      const { directory } = container;
      return {
        ...viewOf(needs, container),
        // Of a layer that is being removed there is nothing to say.
        graphData: await needs.graph.driver.data(container.layer as LayerId).catch(() => ({})),
        ...(size && (await sizesOf(needs, container))),
        files: {
          hosts: `${directory}/hosts`,
          hostname: `${directory}/hostname`,
          resolvConf: `${directory}/resolv.conf`,
        },
        appArmorProfile: isAppArmorEnabled() ? (apparmorProfile(container.spec.host) ?? "unconfined") : "",
      };
    },
  });
