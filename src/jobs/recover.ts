import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import {
  advance,
  type Container,
  type Ending,
  ended,
  NEVER,
  nowNanoseconds,
  parseTimestamp,
  secondsOfLife,
  shouldStartWithDaemon,
  startingHealth,
  timestamp,
} from "#container";
import { Fault } from "#errors";
import type { RunningContainer } from "#exec";
import type { LayerId } from "#graph";
import type { NamespaceHolder } from "#network";
import { announceLeaving, announcer } from "./container/announce.ts";
import { wasLeftFrozen } from "./container/freeze-mark.ts";
import { prober } from "./container/health-probe.ts";
import { lives } from "./container/lives.ts";
import { remover } from "./container/removal.ts";
import { startOrder } from "./container/start-order.ts";
import { unmountVolumes } from "./container/volume-mounts.ts";
import type { Rooms } from "./rooms.ts";

const CONTAINER_ID = /^[0-9a-f]{64}$/;
/** What Docker reports of a container that went down with its host. */
const LOST_CODE = 255;
const CLAIMS_TO_RUN = ["running", "paused"];
/** Their start may have come so far that the program ran, and not to the record. */
const MAY_RUN = [...CLAIMS_TO_RUN, "created", "exited", "restarting"];

type Needs = Pick<
  Rooms,
  | "attachments"
  | "complain"
  | "containers"
  | "events"
  | "execs"
  | "exec"
  | "graph"
  | "health"
  | "monitor"
  | "networks"
  | "settings"
  | "volumes"
>;

/** Those of them that may have to be started. */
const MAY_REST = ["created", "exited", "restarting"];

/** What the daemon found, for the rooms that sweep. */
export interface Recovery {
  /** Containers that run, from before. */
  readonly running: ReadonlyMap<string, NamespaceHolder>;
  /** All that have a record, also one that cannot be read: what belongs to them is not to be swept. */
  readonly known: ReadonlySet<string>;
  /** Their writable layers. */
  readonly layers: ReadonlySet<LayerId>;
  /** Takes containers off what they had not wholly come to when the daemon ended. Once the networks are back. */
  rejoin(): Promise<void>;
  /** Starts what restart policies want to run, and removes what was only to live once. Not awaited by who listens first. */
  settle(): Promise<void>;
}

/**
 * Compares each record with what the kernel says: what runs is watched again, what has ended meanwhile gets its
 * exit code, what is lost counts as ended with 255. One container that cannot be settled does not stop the others.
 */
export async function recoverContainers(needs: Needs): Promise<Recovery> {
  const running = new Map<string, NamespaceHolder>();
  const { after } = lives(needs);
  for (const container of needs.containers.list()) {
    if (!MAY_RUN.includes(container.state.status)) continue;
    try {
      const holder = await findOut(needs, { container, after });
      if (holder !== undefined) running.set(container.id, holder);
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
    rejoin: () => rejoin(needs, running),
    settle: () => settle(needs),
  };
}

/** The record says what a container was asked to be on; what a killed daemon had only begun goes. */
async function rejoin(needs: Needs, running: Recovery["running"]): Promise<void> {
  for (const [id, holder] of running) {
    const known = needs.containers.get(id)?.spec.networks ?? {};
    for (const { interfaceName, networkId, networkName } of needs.networks.endpoints(id).endpoints) {
      if (interfaceName === "" || known[networkName] !== undefined) continue;
      try {
        await needs.networks.disconnect(id, networkId, holder);
      } catch (thrown) {
        needs.complain(`Cannot take container ${id.slice(0, 12)} off network ${networkName}`, thrown);
      }
    }
  }
}

/** Removes folders of containers whose creation was cut short: none but those named by an id. Returns the ids. */
export async function sweepFolders(root: string, known: ReadonlySet<string>): Promise<readonly string[]> {
  const names = await readdir(root).catch(() => []);
  const strangers = names.filter((name) => CONTAINER_ID.test(name) && !known.has(name));
  for (const id of strangers) await rm(join(root, id), { recursive: true, force: true });
  return strangers;
}

type After = ReturnType<typeof lives>["after"];

/** Its first process, if it runs. */
async function findOut(
  needs: Needs,
  { container, after }: { readonly container: Container; readonly after: After },
): Promise<NamespaceHolder | undefined> {
  const found = await needs.exec.find(container.id);
  if (found.state === "running") {
    await readopt(needs, { container, process: found.container, after });
    return { pid: found.container.pid, startTicks: found.container.startTicks };
  }
  if (CLAIMS_TO_RUN.includes(container.state.status))
    end(needs, container, found.state === "ended" ? found.exit : lost());
  else if (found.state === "ended" && isNews(container, found.exit)) {
    begin(needs, container, { startedAt: timestamp(found.exit.time) });
    end(needs, container, found.exit);
  }
  return undefined;
}

const lost = (): Ending => ({ code: LOST_CODE, outOfMemory: false, time: nowNanoseconds() });

/** Of a life that has no record: what is on record has ended before. */
function isNews({ state }: Container, { time }: Ending): boolean {
  return state.finishedAt === NEVER || time > (parseTimestamp(state.finishedAt) ?? 0n);
}

/** A life that the daemon's end kept from the record. */
function begin(needs: Needs, { id }: Container, { startedAt }: { readonly startedAt: string }): void {
  needs.containers.change(
    id,
    (current) => ({
      ...current,
      isManuallyStopped: false,
      state: {
        ...current.state,
        status: advance(current.state.status, "start"),
        exitCode: 0,
        error: "",
        outOfMemory: false,
        startedAt,
        finishedAt: NEVER,
        ...startingHealth(current),
      },
    }),
    { durable: false },
  );
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
  if (!CLAIMS_TO_RUN.includes(container.state.status))
    begin(needs, container, { startedAt: timestamp(nowNanoseconds()) });
  if (await wasLeftFrozen(container.directory)) await process.resume();
  const status = (await process.isPaused()) ? "paused" : "running";
  needs.containers.change(
    id,
    (current) => ({
      ...current,
      state: { ...current.state, status, pid: process.pid, startTicks: process.startTicks },
    }),
    { durable: false },
  );
  const owned = new AsyncDisposableStack();
  owned.defer(() => unmountVolumes(needs, container));
  owned.defer(() => needs.networks.release(id));
  owned.defer(async () => announceLeaving(needs, id));
  owned.use(needs.health.watch(id, prober(needs, process)));
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
  const resting: Container[] = [];
  for (const container of needs.containers.list()) {
    const { id, name, spec, state } = container;
    const hasGone = state.status === "removing" || state.status === "dead";
    const wasOnce = spec.host.autoRemove && state.status === "exited";
    // Whether the volumes of one that was being removed were to go too is not known: what is kept can still be removed.
    const volumes = spec.host.autoRemove;
    if (hasGone || wasOnce) await attempt(`Cannot remove container ${name}`, () => remove(id, { volumes }));
    else if (MAY_REST.includes(state.status)) {
      await attempt(`Cannot clear what container ${name} left`, () => clear(needs, id));
      resting.push(container);
    }
  }
  const { order, circles } = startOrder(needs, resting.filter(isToRun));
  for (const circle of circles)
    needs.complain(
      "Cannot start every container after those it needs",
      new Fault("conflict", `they need each other: ${circle.join(" → ")}`),
    );
  for (const { id, name } of order)
    await attempt(`Cannot start container ${name}`, () => revive(needs, id, after));
}

/** Unless somebody has started it meanwhile, or removed it: what it has is then its own. */
async function clear(needs: Needs, id: string): Promise<void> {
  if (needs.containers.get(id) === undefined) return;
  await using held = await needs.containers.hold(id);
  if (CLAIMS_TO_RUN.includes(held.container.state.status)) return;
  await needs.networks.release(id);
  await needs.exec.forget(id);
}

/** Whether it shall run again together with the daemon. */
function isToRun({ isManuallyStopped, restartCount, state, spec }: Container): boolean {
  if (state.startedAt === NEVER) return false;
  const life = { isManuallyStopped, restartCount, exitCode: state.exitCode };
  return state.status === "restarting" || shouldStartWithDaemon(spec.host.restartPolicy, life);
}

/** Unless somebody has started it meanwhile, or removed it, or told it to rest. */
async function revive(needs: Needs, id: string, after: After): Promise<void> {
  const container = needs.containers.get(id);
  if (container === undefined || !isToRun(container)) return;
  if (container.state.status === "exited")
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
