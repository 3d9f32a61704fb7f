import { existsSync, readlinkSync } from "node:fs";
import type { Container } from "#container";
import { Fault } from "#errors";
import type { LayerId } from "#graph";
import { isAlive as isRunning } from "#host";
import { type View, viewOf } from "#libcontainer";
import type { Rooms } from "../rooms.ts";
import { copyUp } from "./copy-up.ts";
import { imageTrees } from "./image-trees.ts";
import { userMount } from "./spec-mounts.ts";
import { namespaceOf } from "./user-namespace.ts";
import { mountVolumes, unmountVolumes, type VolumeMountNeeds } from "./volume-mounts.ts";

export interface ViewNeeds extends VolumeMountNeeds {
  readonly volumes: VolumeMountNeeds["volumes"] & Pick<Rooms["volumes"], "isEmpty" | "populate">;
  readonly containers: Pick<Rooms["containers"], "find" | "hold">;
  readonly graph: {
    readonly driver: Pick<Rooms["graph"]["driver"], "mount" | "view">;
    readonly images: Pick<Rooms["graph"]["images"], "get">;
  };
}

/** A container's file systems to be looked at. One at rest is held meanwhile: it does not start, and does not go. */
export interface Viewed extends AsyncDisposable {
  readonly container: Container;
  readonly view: View;
}

const ALIVE = ["running", "paused"];
/** A container's last output is drained before its end is recorded. Milliseconds. */
const LONGEST_END = 5000;
const LOOK_AGAIN = 10;

/** With `hasMounts` as the container sees them, else without its volumes, binds and other mounts. */
export async function viewContainer(
  needs: ViewNeeds,
  {
    ref,
    hasMounts,
    signal,
  }: { readonly ref: string; readonly hasMounts: boolean; readonly signal: AbortSignal },
): Promise<Viewed> {
  const found = needs.containers.find(ref);
  if (await isAlive(needs, found, signal)) return alive(needs.containers.find(found.id), hasMounts);
  await using undo = new AsyncDisposableStack();
  const held = undo.use(await needs.containers.hold(found.id, signal));
  const { container } = held;
  if (ALIVE.includes(container.state.status)) return alive(container, hasMounts);
  if (container.state.status === "removing")
    throw new Fault("conflict", `Container ${container.id} is marked for removal and cannot be read`);
  const root = await needs.graph.driver.view(container.layer as LayerId);
  const mounted = hasMounts ? await mountVolumes(needs, container) : container;
  if (hasMounts) undo.defer(() => unmountVolumes(needs, container));
  // What a first start would put into its volumes is already there to be seen.
  if (hasMounts && container.state.status === "created")
    await copyUp({ driver: needs.graph.driver, volumes: needs.volumes }, mounted);
  const view = viewOf({
    kind: "resting",
    root,
    isReadonly: container.spec.host.readonlyRootfs,
    binds: hasMounts ? await binds(needs, mounted) : [],
  });
  const owned = undo.move();
  return { container, view, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** One whose process has ended, and whose record does not say so yet, is waited for. */
async function isAlive(
  { containers }: Pick<ViewNeeds, "containers">,
  { id, state }: Container,
  signal: AbortSignal,
): Promise<boolean> {
  const deadline = Date.now() + LONGEST_END;
  for (let now = state; ALIVE.includes(now.status); now = containers.find(id).state) {
    if (now.pid !== state.pid || hasRoot(now) || Date.now() > deadline) return true;
    signal.throwIfAborted();
    await Bun.sleep(LOOK_AGAIN);
  }
  return false;
}

/** A process that nobody has waited for yet has a pid, and nothing else any more. */
function hasRoot({ pid, startTicks }: Container["state"]): boolean {
  try {
    readlinkSync(`/proc/${pid}/root`);
    return isRunning(pid, startTicks);
  } catch {
    return false;
  }
}

function alive(container: Container, hasMounts: boolean): Viewed {
  const { pid, startTicks, ids } = container.state;
  const view = viewOf({
    kind: "running",
    pid,
    startTicks,
    hasMounts,
    ...(ids && { ids: namespaceOf(ids) }),
  });
  return { container, view, async [Symbol.asyncDispose]() {} };
}

/** By depth, so that what lies deeper is not covered. Sources that are not there are made by a start, not by a look. */
async function binds(needs: ViewNeeds, { mounts }: Container) {
  const trees = await imageTrees(needs.graph, mounts);
  return mounts
    .filter(
      ({ type, source, image }) =>
        image !== undefined || (type !== "tmpfs" && source !== "" && existsSync(source)),
    )
    .map((mount) => userMount(mount, trees))
    .sort((a, b) => depth(a.destination) - depth(b.destination));
}

const depth = (path: string) => path.split("/").filter((part) => part !== "").length;

/** An iteration whose first item is there. */
export async function begun(items: AsyncIterable<Uint8Array>): Promise<AsyncIterable<Uint8Array>> {
  const inner = items[Symbol.asyncIterator]();
  let first: IteratorResult<Uint8Array> | undefined = await inner.next();
  return {
    [Symbol.asyncIterator]: () => ({
      async next() {
        const step = first ?? (await inner.next());
        first = undefined;
        return step;
      },
      async return() {
        await inner.return?.();
        return { done: true, value: undefined };
      },
    }),
  };
}

/** An iteration that lets go of what it stands on: when it is over, given up, or its client has gone. */
export function releasing(
  items: AsyncIterable<Uint8Array>,
  { owned, signal }: { readonly owned: AsyncDisposable; readonly signal: AbortSignal },
): AsyncIterable<Uint8Array> {
  const release = () => owned[Symbol.asyncDispose]();
  signal.addEventListener("abort", () => void release(), { once: true });
  if (signal.aborted) void release();
  return {
    [Symbol.asyncIterator]() {
      const inner = items[Symbol.asyncIterator]();
      return {
        async next() {
          try {
            const step = await inner.next();
            if (step.done) await release();
            return step;
          } catch (thrown) {
            await release();
            throw thrown;
          }
        },
        async return() {
          await release();
          await inner.return?.();
          return { done: true, value: undefined };
        },
      };
    },
  };
}
