import { Fault } from "#errors";
import { isAlive } from "#host";
import {
  compilePlan,
  detectCgroups,
  groupPath,
  groupPathOfDirectories,
  launch,
  launcherPath,
  ownGroups,
} from "#libcontainer";
import type {
  ExecDriver,
  ExecDriverKind,
  ExecDriverOptions,
  Found,
  LaunchRequest,
  Prepared,
  RunningContainer,
  Verdict,
} from "./driver.ts";
import { ended, endProcess, removeGroups } from "./leftovers.ts";
import { type Means, NativeContainer } from "./running.ts";
import {
  EXIT_NAME,
  isReady,
  PID_NAME,
  readExit,
  readSupervisor,
  SOCKET_NAME,
  StateDirectories,
} from "./state.ts";
import { openAttach, waitForExit } from "./supervisor-socket.ts";

/** The first kernel with openat2, open_tree, mount_setattr on whole trees, close_range and lasting pidfds. */
const OLDEST_KERNEL = [5, 12] as const;

/** Containers made by this program's own launcher, one supervisor each. */
export const nativeKind: ExecDriverKind = {
  name: "native",
  probe: async () => probeHost(),
  open: async (options) => {
    launcherPath(options.stateDirectory);
    return new NativeDriver(options, { cgroups: detectCgroups() });
  },
};

async function probeHost(): Promise<Verdict> {
  if (process.platform !== "linux") return { usable: false, reason: "it needs Linux" };
  if (process.geteuid?.() !== 0) return { usable: false, reason: "it needs root" };
  const release = (await Bun.file("/proc/sys/kernel/osrelease").text()).trim();
  const [major = 0, minor = 0] = release.split(".").map(Number);
  const isOld = major < OLDEST_KERNEL[0] || (major === OLDEST_KERNEL[0] && minor < OLDEST_KERNEL[1]);
  return isOld
    ? { usable: false, reason: `it needs Linux ${OLDEST_KERNEL.join(".")} or newer, and this is ${release}` }
    : { usable: true };
}

class NativeDriver implements ExecDriver {
  readonly name = "native";
  readonly #options: ExecDriverOptions;
  readonly #means: Means;
  readonly #states: StateDirectories;
  /** A container may be started again before its last life has been forgotten: by id. */
  readonly #forgetting = new Map<string, Promise<void>>();

  constructor(options: ExecDriverOptions, means: Means) {
    this.#options = options;
    this.#means = means;
    this.#states = new StateDirectories(options.stateDirectory);
  }

  async prepare(request: LaunchRequest): Promise<Prepared> {
    const { id, spec, host, stdio, signal } = request;
    const { cgroups } = this.#means;
    const { cgroupParent } = this.#options;
    await this.#forgetting.get(id);
    const directory = this.#states.make(id);
    await using undo = new AsyncDisposableStack();
    undo.defer(() => this.#states.remove(id));
    const launched = await launch(
      {
        plan: compilePlan(spec, host, { cgroups, cgroupParent }),
        settings: {
          stateDirectory: directory,
          socketName: SOCKET_NAME,
          pidFileName: PID_NAME,
          exitFileName: EXIT_NAME,
          ...stdio,
        },
      },
      { label: id, ...(signal === undefined ? {} : { signal }) },
    );
    undo.use(launched);
    const address = { directory, name: SOCKET_NAME };
    const owned = undo.move();
    return {
      pid: launched.pid,
      attach: (streams) => openAttach(address, streams),
      start: async () => {
        const answer = await waitForExit(address);
        const record = readSupervisor(directory);
        if (!isReady(record))
          throw new Fault("internal", `Cannot start container ${id}: its supervisor left no word`);
        await launched.start();
        owned.move();
        return new NativeContainer(this.#means, {
          id,
          address,
          record,
          groupPath: groupPath(spec.linux.cgroupsPath, cgroupParent),
          answer,
        });
      },
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    };
  }

  async find(id: string): Promise<Found> {
    const directory = this.#states.of(id);
    const container = await this.#adopt(id, directory);
    if (container !== undefined) return { state: "running", container };
    const exit = readExit(directory);
    if (exit !== undefined) return { state: "ended", exit };
    await this.#clean(directory);
    return { state: "lost" };
  }

  async #adopt(id: string, directory: string): Promise<RunningContainer | undefined> {
    const record = readSupervisor(directory);
    if (!isReady(record) || !isAlive(record.supervisor.pid, record.supervisor.startTicks)) return undefined;
    const address = { directory, name: SOCKET_NAME };
    try {
      const answer = await waitForExit(address);
      const groupPath =
        groupPathOfDirectories(this.#means.cgroups, record.groups) ?? `${this.#options.cgroupParent}/${id}`;
      await removeGroups(ownGroups(this.#means.cgroups, groupPath));
      return new NativeContainer(this.#means, { id, address, record, groupPath, answer });
    } catch {
      // It has stopped listening because its container has ended: its record comes before its own end.
      await ended(record.supervisor);
      return undefined;
    }
  }

  async forget(id: string): Promise<void> {
    const forgetting = this.#clean(this.#states.of(id)).then(() => this.#states.remove(id));
    this.#forgetting.set(id, forgetting);
    try {
      await forgetting;
    } finally {
      if (this.#forgetting.get(id) === forgetting) this.#forgetting.delete(id);
    }
  }

  async sweep(known: ReadonlySet<string>): Promise<readonly string[]> {
    const strangers = this.#states.list().filter((id) => !known.has(id));
    for (const id of strangers) await this.forget(id);
    return strangers;
  }

  /** Ends whatever still runs of a container, the first process first so that its supervisor can tidy up. */
  async #clean(directory: string): Promise<void> {
    const record = readSupervisor(directory);
    if (record === undefined) return;
    if (isReady(record)) await endProcess(record.first);
    // When its word about itself has gone all is settled, and only slow clients keep it.
    await ended(record.supervisor, { orWhen: () => readSupervisor(directory) === undefined });
    await endProcess(record.supervisor);
    await removeGroups(record.groups);
  }
}
