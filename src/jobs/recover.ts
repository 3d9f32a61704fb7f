import {
  advance,
  type Container,
  type Ending,
  ended,
  NEVER,
  nowNanoseconds,
  secondsOfLife,
  shouldStartWithDaemon,
} from "#container";
import type { RunningContainer } from "#exec";
import type { LayerId } from "#graph";
import { announcer } from "./container/announce.ts";
import { lives } from "./container/lives.ts";
import { remover } from "./container/removal.ts";
import type { Rooms } from "./rooms.ts";

/** What Docker reports of a container that went down with its host. */
const LOST_CODE = 255;
const CLAIMS_TO_RUN = ["running", "paused"];

type Needs = Pick<
  Rooms,
  | "attachments"
  | "complain"
  | "containers"
  | "events"
  | "execs"
  | "exec"
  | "graph"
  | "monitor"
  | "networks"
  | "settings"
  | "volumes"
>;

/** What the daemon found, for the rooms that sweep. */
export interface Recovery {
  /** Containers that run, from before. */
  readonly running: ReadonlySet<string>;
  /** All that have a record, also one that cannot be read: what belongs to them is not to be swept. */
  readonly known: ReadonlySet<string>;
  /** Their writable layers. */
  readonly layers: ReadonlySet<LayerId>;
  /** Starts what restart policies want to run, and removes what was only to live once. Not awaited by who listens first. */
  settle(): Promise<void>;
}

/**
 * Compares each record with what the kernel says: what runs is watched again, what has ended meanwhile gets its
 * exit code, what is lost counts as ended with 255. One container that cannot be settled does not stop the others.
 */
export async function recoverContainers(needs: Needs): Promise<Recovery> {
  const running = new Set<string>();
  const { after } = lives(needs);
  for (const container of needs.containers.list()) {
    if (!CLAIMS_TO_RUN.includes(container.state.status)) continue;
    try {
      if (await findOut(needs, { container, after })) running.add(container.id);
    } catch (thrown) {
      needs.complain(`Cannot find out how container ${container.name} is`, thrown);
    }
  }
  const damaged = [...needs.containers.damaged.keys()];
  return {
    running,
    known: new Set([...needs.containers.list().map(({ id }) => id), ...damaged]),
    // A container's layer goes by its id.
    layers: new Set([...needs.containers.list().map(({ layer }) => layer), ...damaged] as LayerId[]),
    settle: () => settle(needs),
  };
}

type After = ReturnType<typeof lives>["after"];

/** Whether it runs. */
async function findOut(
  needs: Needs,
  { container, after }: { readonly container: Container; readonly after: After },
): Promise<boolean> {
  const found = await needs.exec.find(container.id);
  if (found.state === "running") {
    await readopt(needs, { container, process: found.container, after });
    return true;
  }
  const ending =
    found.state === "ended" ? found.exit : { code: LOST_CODE, outOfMemory: false, time: nowNanoseconds() };
  end(needs, container, ending);
  return false;
}

async function readopt(
  needs: Needs,
  {
    container,
    process,
    after,
  }: { readonly container: Container; readonly process: RunningContainer; readonly after: After },
): Promise<void> {
  const { id } = container;
  const status = (await process.isPaused()) ? "paused" : "running";
  needs.containers.change(
    id,
    (current) => ({
      ...current,
      state: { ...current.state, status, pid: process.pid, startTicks: process.startTicks },
    }),
    { durable: false },
  );
  const owned = { [Symbol.asyncDispose]: () => needs.networks.release(id) };
  needs.monitor.adopt(id, process, { owned, after });
}

function end(needs: Needs, container: Container, ending: Ending): void {
  const changed = needs.containers.change(container.id, (current) => ended(current, ending, "exit"));
  announcer(needs.events)(changed, "die", {
    exitCode: String(ending.code),
    execDuration: String(secondsOfLife(container, ending)),
  });
}

async function settle(needs: Needs): Promise<void> {
  const { after } = lives(needs);
  const remove = remover(needs);
  const attempt = async (sentence: string, work: () => Promise<void>) => {
    try {
      await work();
    } catch (thrown) {
      needs.complain(sentence, thrown);
    }
  };
  for (const { id, name, spec, state } of needs.containers.list()) {
    const hasGone = state.status === "removing" || state.status === "dead";
    const wasOnce = spec.host.autoRemove && state.status === "exited";
    if (hasGone || wasOnce) await attempt(`Cannot remove container ${name}`, () => remove(id));
    else if (state.status === "exited" || state.status === "restarting") {
      await attempt(`Cannot clear what container ${name} left`, () => clear(needs, id));
      await attempt(`Cannot start container ${name}`, () => revive(needs, id, after));
    }
  }
}

async function clear(needs: Needs, id: string): Promise<void> {
  await needs.networks.release(id);
  await needs.exec.forget(id);
}

async function revive(needs: Needs, id: string, after: After): Promise<void> {
  const container = needs.containers.get(id);
  if (container === undefined || container.state.startedAt === NEVER) return;
  const { isManuallyStopped, restartCount, state, spec } = container;
  const isWanted =
    state.status === "restarting" ||
    shouldStartWithDaemon(spec.host.restartPolicy, {
      isManuallyStopped,
      restartCount,
      exitCode: state.exitCode,
    });
  if (!isWanted) return;
  if (state.status === "exited")
    needs.containers.change(
      id,
      (current) => ({
        ...current,
        state: { ...current.state, status: advance(current.state.status, "await-restart") },
      }),
      { durable: false },
    );
  await after.restart(id);
}
