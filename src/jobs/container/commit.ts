import { z } from "zod";
import type { Container, Held } from "#container";
import { defineJob } from "#engine";
import { Fault } from "#errors";
import type { LayerId } from "#graph";
import { familiarReference, hostPlatform, type ImageConfig } from "#oci";
import { announceImage } from "../image/announce.ts";
import { applyChanges, type Settings } from "../image/changes.ts";
import { nameFor, registerImage } from "../image/compose.ts";
import type { Rooms } from "../rooms.ts";
import { announcer } from "./announce.ts";
import { within } from "./end.ts";
import { markFrozen } from "./freeze-mark.ts";
import { mergeConfig } from "./merge.ts";
import type { ImageSettings } from "./types.ts";

interface Needs {
  readonly containers: Pick<Rooms["containers"], "hold">;
  readonly monitor: Pick<Rooms["monitor"], "running">;
  readonly events: Pick<Rooms["events"], "publish">;
  readonly graph: {
    readonly driver: Pick<Rooms["graph"]["driver"], "diff">;
    readonly images: Pick<Rooms["graph"]["images"], "find" | "register">;
    readonly layers: Pick<Rooms["graph"]["layers"], "make" | "release">;
  };
}

/** How soon a process is known to have ended whose group has gone. Milliseconds. */
const END_PATIENCE = 1000;

/** Makes an image of what a container has changed, on top of its own image. */
export const commitContainer = (needs: Needs) =>
  defineJob({
    name: "container.commit",
    input: z.object({
      ref: z.string().min(1),
      repository: z.string(),
      tag: z.string(),
      comment: z.string(),
      author: z.string(),
      pause: z.boolean(),
      settings: z.custom<ImageSettings>((value) => typeof value === "object" && value !== null),
      changes: z.array(z.string()),
    }),

    async run({ ref, repository, tag, comment, author, pause, settings: asked, changes }, { signal, phase }) {
      const reference = nameFor(repository, tag);
      await using undo = new AsyncDisposableStack();
      const held = undo.use(await needs.containers.hold(ref, signal));
      const { container } = held;
      const parent = needs.graph.images.find(container.imageId);
      if (parent === undefined)
        throw new Fault("not_found", `Cannot commit container ${container.id}: its image is gone`);
      const own = settingsOf(container.effective, parent.config);
      const effective = mergeConfig(container.id, asked, { config: own });
      const settings = applyChanges(settingsOf(effective, parent.config), changes);
      phase("reading what was changed");
      const { layers, driver } = needs.graph;
      const made = await still(needs, { held, isWanted: pause }, () =>
        layers.make((descriptor) => driver.diff(container.layer as LayerId, { descriptor, signal }), {
          signal,
          ...(parent.top !== undefined && { parent: parent.top }),
        }),
      );
      undo.defer(() => layers.release(made.held));
      const { os, architecture, variant } = { ...hostPlatform(), ...parent.config };
      const image = await registerImage(needs.graph, {
        parent,
        made,
        platform: { os, architecture, ...(variant !== undefined && { variant }) },
        settings,
        createdBy: container.effective.command.join(" "),
        author,
        comment,
        ...(reference !== undefined && { tag: reference }),
      });
      await letGo(undo, held);
      const imageRef = reference === undefined ? "" : familiarReference(reference);
      announcer(needs.events)(container, "commit", { comment, imageID: image.id, imageRef });
      if (reference !== undefined)
        announceImage(needs.events, "tag", { id: image.id, name: imageRef, config: image.config });
      return { id: image.id };
    },
  });

/** The image holds its layers from here on. */
async function letGo(undo: AsyncDisposableStack, held: Held): Promise<void> {
  undo.move();
  await held[Symbol.asyncDispose]();
}

/** Freezes a running container meanwhile, if that is wanted; one that was paused stays so. */
async function still<T>(
  needs: Needs,
  { held, isWanted }: { readonly held: Held; readonly isWanted: boolean },
  work: () => Promise<T>,
): Promise<T> {
  const { container } = held;
  if (!isWanted || container.state.status !== "running") return work();
  const process = needs.monitor.running(container);
  const unlessEnded = async (thrown: unknown) => {
    // Its group goes with its last process.
    if (!(await within(process.exited, END_PATIENCE))) throw thrown;
  };
  // Should we be killed meanwhile, the next daemon lets it go on.
  await using _mark = await markFrozen(container.directory);
  await process.pause().catch(unlessEnded);
  try {
    return await work();
  } finally {
    await process.resume().catch(unlessEnded);
  }
}

/** What image and container together came to, as an image says it. */
function settingsOf(effective: Container["effective"], { config }: ImageConfig): Settings {
  const { healthcheck: health, shell = config?.Shell, ...own } = effective;
  const nothing = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, {}]));
  return {
    ...(own.user !== "" && { User: own.user }),
    ...(own.exposedPorts.length > 0 && { ExposedPorts: nothing(own.exposedPorts) }),
    Env: [...own.env],
    Cmd: own.command.length > 0 ? [...own.command] : null,
    Entrypoint: own.entrypoint.length > 0 ? [...own.entrypoint] : null,
    ...(own.volumes.length > 0 && { Volumes: nothing(own.volumes) }),
    WorkingDir: own.workingDirectory,
    Labels: { ...own.labels },
    ...(own.stopSignal !== "" && { StopSignal: own.stopSignal }),
    ...(shell && { Shell: [...shell] }),
    ...(health !== undefined && { Healthcheck: healthcheckOf(health) }),
  };
}

function healthcheckOf(health: NonNullable<Container["effective"]["healthcheck"]>) {
  const { test, interval, timeout, startPeriod, startInterval, retries } = health;
  return {
    Test: [...test],
    ...(interval !== undefined && { Interval: interval }),
    ...(timeout !== undefined && { Timeout: timeout }),
    ...(startPeriod !== undefined && { StartPeriod: startPeriod }),
    ...(startInterval !== undefined && { StartInterval: startInterval }),
    ...(retries !== undefined && { Retries: retries }),
  };
}
