import { z } from "zod";
import type { Container, ResourceSpec, RestartPolicy } from "#container";
import { defineJob } from "#engine";
import { Fault } from "#errors";
import type { Rooms } from "../rooms.ts";
import { announcer } from "./announce.ts";
import { resourcesOf, validateHostSpec } from "./runtime-spec.ts";

interface Needs {
  readonly containers: Pick<Rooms["containers"], "change" | "hold">;
  readonly monitor: Pick<Rooms["monitor"], "live">;
  readonly events: Pick<Rooms["events"], "publish">;
}

/** Changes limits and restart policy, of a running container at once. What is not mentioned stays. */
export const updateContainer = (needs: Needs) =>
  defineJob({
    name: "container.update",
    input: z.object({
      ref: z.string().min(1),
      resources: z.custom<ResourceSpec>((value) => typeof value === "object" && value !== null),
      restartPolicy: z
        .object({
          name: z.enum(["no", "always", "on-failure", "unless-stopped"]),
          maximumRetryCount: z.number().int().min(0),
        })
        .optional(),
    }),

    async run({ ref, resources, restartPolicy }, { signal }) {
      await using held = await needs.containers.hold(ref, signal);
      const before = held.container;
      if (before.state.status === "removing" || before.state.status === "dead")
        throw new Fault(
          "conflict",
          `Cannot update container ${held.id}: container is marked for removal and cannot be "update"`,
        );
      const host = merged(before, resources, restartPolicy);
      const warnings = validateHostSpec({ ...before.spec, host });
      await using undo = new AsyncDisposableStack();
      const process = Object.keys(resources).length > 0 ? needs.monitor.live(held.id) : undefined;
      if (process !== undefined) {
        await process.update(resourcesOf(host));
        undo.defer(() => process.update(resourcesOf(before.spec.host)));
      }
      const updated = needs.containers.change(held.id, (container) => ({
        ...container,
        spec: { ...container.spec, host },
      }));
      undo.move();
      announcer(needs.events)(updated, "update");
      return { warnings };
    },
  });

function merged(
  { id, spec }: Container,
  resources: ResourceSpec,
  restartPolicy: RestartPolicy | undefined,
): Container["spec"]["host"] {
  const { host } = spec;
  if (host.autoRemove && restartPolicy !== undefined && restartPolicy.name !== "no")
    throw new Fault(
      "conflict",
      `Restart policy cannot be updated because AutoRemove is enabled for the container ${id}`,
    );
  const given = Object.fromEntries(Object.entries(resources).filter(([, value]) => value !== undefined));
  checkMemory(id, host.resources, given);
  return {
    ...host,
    resources: { ...host.resources, ...given },
    restartPolicy: restartPolicy ?? host.restartPolicy,
  };
}

/** The kernel would refuse it with no word of why. */
function checkMemory(id: string, before: ResourceSpec, given: ResourceSpec): void {
  const swap = before.memorySwap ?? 0;
  if (given.memorySwap !== undefined || given.memory === undefined || swap <= 0) return;
  if (given.memory > swap)
    throw new Fault(
      "invalid",
      `Cannot update container ${id}: Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time`,
    );
}
