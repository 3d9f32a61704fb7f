import { hostname } from "node:os";
import {
  type Afterlife,
  advance,
  type Container,
  NEVER,
  nowNanoseconds,
  SIGKILL,
  startingHealth,
  timestamp,
  type WaitResult,
} from "#container";
import { Fault } from "#errors";
import type { Prepared, RunningContainer, StdioSpec } from "#exec";
import type { LayerId } from "#graph";
import { processStartTicks } from "#host";
import type { Sandbox, SandboxRequest } from "#network";
import type { Rooms } from "../rooms.ts";
import { announceLeaving, announceNetworks, announcer } from "./announce.ts";
import { copyUp } from "./copy-up.ts";
import { resolverOf } from "./defaults.ts";
import { endpointRequests } from "./endpoints.ts";
import { prober } from "./health-probe.ts";
import { imageTrees } from "./image-trees.ts";
import { linkedParts, tellLinked, withEnvironment } from "./links.ts";
import { logSinks } from "./log/sinks.ts";
import { donorsOf, isContainerMode, networkMode, requireAlive, runningOther, sharingOther } from "./modes.ts";
import { original } from "./original.ts";
import { makeOverlays } from "./overlays.ts";
import { portRequests } from "./ports.ts";
import { settlePropagation } from "./propagation.ts";
import { withRequestedDevices } from "./requested-devices.ts";
import { runtimeSpec } from "./runtime-spec.ts";
import { makeSources } from "./sources.ts";
import {
  checkUserNamespace,
  idsOf,
  mountsInside,
  sharedUserNamespace,
  type UserNamespace,
  userNamespaceOf,
} from "./user-namespace.ts";
import { mountVolumes, unmountVolumes } from "./volume-mounts.ts";

export type LaunchNeeds = Pick<Rooms, "attachments" | "complain" | "events"> & {
  readonly settings: Pick<Rooms["settings"], "cdiDirectories" | "defaults" | "userNamespace">;
  readonly containers: Pick<Rooms["containers"], "believe" | "change" | "find" | "get" | "links">;
  readonly health: Pick<Rooms["health"], "watch">;
  readonly monitor: Pick<Rooms["monitor"], "adopt" | "failed">;
  readonly networks: Pick<
    Rooms["networks"],
    "endpoints" | "find" | "portConflict" | "prepare" | "release" | "relink"
  >;
  readonly graph: {
    readonly driver: Pick<Rooms["graph"]["driver"], "makeRoom" | "mount" | "view">;
    readonly images: Pick<Rooms["graph"]["images"], "get">;
  };
  readonly volumes: Pick<Rooms["volumes"], "find" | "isEmpty" | "mount" | "populate" | "unmount">;
  readonly exec: Pick<Rooms["exec"], "prepare">;
};

/** Status 128 stands for what is neither a missing nor an unusable program. Source: docker run reference, "Exit status". */
const EXIT = { failed: 128, notFound: 127, notExecutable: 126 };

/**
 * Starts a container that its caller holds, and hands it to the monitor. What was acquired is given back when the
 * start fails; the record then keeps the error, and those who wait for an end learn of it.
 */
export function launcher(needs: LaunchNeeds, after: Afterlife) {
  return async (container: Container, signal?: AbortSignal): Promise<void> => {
    const status = advance(container.state.status, "start");
    try {
      await using undo = new AsyncDisposableStack();
      const fate = { isRunning: false, isAdopted: false };
      const { process, sandbox, mounts, userNamespace } = await acquire(needs, {
        container,
        undo,
        fate,
        ...(signal && { signal }),
      });
      const running = needs.containers.change(
        container.id,
        (current) => ({
          ...current,
          mounts,
          restartCount: container.restartCount,
          isManuallyStopped: false,
          state: {
            ...runningState(status, process),
            ...startingHealth(current),
            ...(userNamespace && { ids: idsOf(userNamespace) }),
          },
        }),
        { durable: false },
      );
      announceNetworks(needs.events, "connect", {
        containerId: container.id,
        endpoints: sandbox.endpoints,
        networks: needs.networks,
      });
      await tellLinked(needs, running);
      announcer(needs.events)(running, "start");
      fate.isAdopted = true;
      undo.use(needs.health.watch(container.id, prober(needs, process)));
      needs.monitor.adopt(container.id, process, { owned: undo.move(), after });
      // Those that came too late to be connected before the first byte.
      void needs.attachments.connect(container.id, process);
    } catch (thrown) {
      throw fail(needs, container, original(thrown));
    }
  };
}

async function acquire(
  needs: LaunchNeeds,
  job: {
    readonly container: Container;
    readonly undo: AsyncDisposableStack;
    /** Settled by the caller as the start goes on: what is undone at the end of a life differs from a failed start. */
    readonly fate: { isRunning: boolean; readonly isAdopted: boolean };
    readonly signal?: AbortSignal;
  },
): Promise<{
  readonly process: RunningContainer;
  readonly sandbox: Sandbox;
  readonly mounts: Container["mounts"];
  readonly userNamespace: UserNamespace | undefined;
}> {
  const { undo, fate, signal } = job;
  const { userNamespace: engines } = needs.settings;
  const { host } = job.container.spec;
  checkUserNamespace(host, engines);
  const own = userNamespaceOf(host, engines);
  const container = await mountVolumes(needs, job.container);
  undo.defer(() => unmountVolumes(needs, container));
  const others = namespaces(needs, container);
  const donors = donorsOf(needs, container);
  const shared = own && sharedUserNamespace(donors);
  const userNamespace = shared ?? own;
  const sources = await makeSources(container.mounts);
  undo.defer(async () => {
    // Once it runs, the folders made for its binds are the user's.
    if (!fate.isRunning) await sources[Symbol.asyncDispose]();
  });
  await copyUp({ driver: needs.graph.driver, volumes: needs.volumes }, container);
  undo.use(await makeOverlays(container));
  const inside = mountsInside(container.mounts, { volumes: needs.volumes, userNamespace });
  const mounts = await settlePropagation(inside);
  const trees = await imageTrees(needs.graph, mounts);
  const linked = linkedParts(needs, container);
  const sandbox = await needs.networks.prepare({
    ...sandboxRequest(needs, container),
    linkedHosts: linked.hosts,
  });
  // Of a failed start nothing shall be seen; whoever waits for the end of a life need not wait for the kernel's tidying.
  undo.defer(() => (fate.isAdopted ? needs.networks.release(container.id) : sandbox[Symbol.asyncDispose]()));
  undo.defer(async () => announceLeaving(needs, container.id));
  // Until it has been mounted.
  using _room = await needs.graph.driver.makeRoom(container.layer as LayerId);
  const root = await needs.graph.driver.view(container.layer as LayerId);
  const context = {
    root,
    sandbox,
    trees,
    ...others,
    defaults: needs.settings.defaults,
    ...(userNamespace && { userNamespace }),
    ...(shared && { userPath: shared.ownedPath }),
  };
  const spec = withRequestedDevices(
    runtimeSpec({ ...withEnvironment(container, linked.environment), mounts }, context),
    container.spec.host,
    needs.settings.cdiDirectories,
  );
  const preparing = needs.exec.prepare({
    id: container.id,
    runtime: container.spec.host.runtime,
    spec,
    host: { links: sandbox.links, ports: sandbox.reservations },
    stdio: await stdioOf(container),
    ...(signal !== undefined && { signal }),
  });
  // Once it runs this is let go: a plan is big, and a container lives long.
  const held: { prepared?: Prepared } = {};
  undo.defer(async () => held.prepared?.[Symbol.asyncDispose]());
  const prepared = await together(preparing, { opening: sandbox.open(), held }).catch((thrown) => {
    throw portTaken(needs, thrown) ?? thrown;
  });
  signal?.throwIfAborted();
  requireAlive(donors);
  const startTicks = processStartTicks(prepared.pid) ?? "";
  await sandbox.enter({ pid: prepared.pid, startTicks });
  await needs.attachments.connect(container.id, prepared);
  const process = await prepared.start();
  fate.isRunning = true;
  delete held.prepared;
  undo.defer(async () => {
    if (!fate.isAdopted) await end(process);
  });
  return { process, sandbox, mounts: container.mounts, userNamespace };
}

/**
 * The sentence that names who has a port: the launcher, which found it taken since it was chosen, knows its number
 * only. Undefined for other errors.
 */
function portTaken(needs: LaunchNeeds, thrown: unknown): Fault | undefined {
  if (!(thrown instanceof Fault && thrown.kind === "conflict")) return undefined;
  const match = /^Bind for (.+):(\d+) failed: port is already allocated \((tcp|udp|sctp)\)$/.exec(
    thrown.message,
  );
  if (match === null) return undefined;
  const [, address = "", port, protocol] = match;
  return needs.networks.portConflict({
    hostAddress: address.replace(/^\[(.*)\]$/, "$1"),
    hostPort: Number(port),
    protocol: protocol as "tcp" | "udp" | "sctp",
  });
}

/** Of a start that fails after the program has begun. */
async function end(process: RunningContainer): Promise<void> {
  await process.signalAll(SIGKILL);
  await process.exited;
}

/** Waits for both, so that what the slower one acquires is undone when the other fails. */
async function together(
  preparing: Promise<Prepared>,
  { opening, held }: { readonly opening: Promise<void>; readonly held: { prepared?: Prepared } },
): Promise<Prepared> {
  const [prepared, opened] = await Promise.allSettled([preparing, opening]);
  if (prepared.status === "fulfilled") held.prepared = prepared.value;
  if (opened.status === "rejected") throw opened.reason;
  if (prepared.status === "rejected") throw prepared.reason;
  return prepared.value;
}

/** Host paths of the namespaces that are shared with another container. */
function namespaces(
  needs: LaunchNeeds,
  { spec }: Container,
): { pidPath?: string; ipcPath?: string; ipcPid?: number } {
  const { pidMode, ipcMode } = spec.host;
  const pid = isContainerMode(pidMode) ? runningOther(needs, pidMode, "PID").pid : undefined;
  const ipc = isContainerMode(ipcMode) ? sharingOther(needs, ipcMode).pid : undefined;
  return {
    ...(pid !== undefined && { pidPath: `/proc/${pid}/ns/pid` }),
    ...(ipc !== undefined && { ipcPath: `/proc/${ipc}/ns/ipc`, ipcPid: ipc }),
  };
}

function sandboxRequest(needs: LaunchNeeds, container: Container): SandboxRequest {
  const { spec, effective } = container;
  const mode = networkMode(needs, container);
  return {
    containerId: container.id,
    name: container.name,
    hostname: mode.kind === "host" && spec.hostname === "" ? hostname() : effective.hostname,
    domainname: spec.domainname,
    mode,
    endpoints: mode.kind === "networks" ? endpointRequests(container) : [],
    ports: mode.kind === "networks" ? portRequests(container) : [],
    ...resolverOf(spec, needs.settings.defaults),
    extraHosts: spec.host.extraHosts,
    directory: container.directory,
  };
}

async function stdioOf(container: Container): Promise<StdioSpec> {
  const { spec } = container;
  const log = await logSinks(container);
  return {
    terminal: spec.tty,
    openStdin: spec.openStdin,
    stdinOnce: spec.stdinOnce,
    ...(spec.host.consoleSize !== undefined && { consoleSize: spec.host.consoleSize }),
    ...(log.length > 0 && { log }),
  };
}

function runningState(status: Container["state"]["status"], process: RunningContainer): Container["state"] {
  return {
    status,
    pid: process.pid,
    startTicks: process.startTicks,
    exitCode: 0,
    error: "",
    outOfMemory: false,
    startedAt: timestamp(nowNanoseconds()),
    finishedAt: NEVER,
  };
}

/** Puts a failed start on record and tells those who wait. */
function fail(needs: LaunchNeeds, container: Container, thrown: unknown): unknown {
  const isCancelled = thrown instanceof Fault && thrown.kind === "cancelled";
  const error = thrown instanceof Error ? thrown.message : String(thrown);
  const result: WaitResult = { code: exitCodeOf(error) };
  needs.attachments.refuse(container.id, thrown);
  const next = (current: Container): Container => ({
    ...current,
    state: { ...current.state, error, exitCode: result.code },
  });
  try {
    if (!isCancelled) needs.containers.change(container.id, next, { durable: false });
  } catch {
    // The caller is to read why the start failed, not that this could not be written down as well.
    needs.containers.believe(container.id, next);
  }
  needs.monitor.failed(container.id, result);
  return thrown;
}

/** By Docker's phrases, as its own clients do. Source: docker run reference, "Exit status". */
export function exitCodeOf(message: string): number {
  if (/executable file not found|no such file or directory/i.test(message)) return EXIT.notFound;
  if (/permission denied|is a directory|exec format error/i.test(message)) return EXIT.notExecutable;
  return EXIT.failed;
}
