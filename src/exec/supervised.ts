import { Fault } from "#errors";
import { isAlive } from "#host";
import { groupPathOfDirectories, type LaunchSettings, launch, ownGroups } from "#libcontainer";
import type { ExecDriver, Found, LaunchRequest, Prepared, RunningContainer } from "./driver.ts";
import { ended, endProcess, removeGroups } from "./leftovers.ts";
import type { Maker } from "./maker.ts";
import { SupervisedContainer } from "./running.ts";
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

/** Containers that have a supervisor each, whoever makes them. */
export class SupervisedDriver implements ExecDriver {
  readonly name: string;
  readonly #maker: Maker;
  readonly #states: StateDirectories;
  /** A container may be started again before its last life has been forgotten: by id. */
  readonly #forgetting = new Map<string, Promise<void>>();

  constructor(stateDirectory: string, maker: Maker) {
    this.name = maker.name;
    this.#maker = maker;
    this.#states = new StateDirectories(stateDirectory);
  }

  async prepare(request: LaunchRequest): Promise<Prepared> {
    const { id, stdio, signal } = request;
    await this.#forgetting.get(id);
    const directory = this.#states.make(id);
    await using undo = new AsyncDisposableStack();
    undo.defer(() => this.#states.remove(id));
    const settings: LaunchSettings = {
      stateDirectory: directory,
      socketName: SOCKET_NAME,
      pidFileName: PID_NAME,
      exitFileName: EXIT_NAME,
      ...stdio,
    };
    const launched = await launch(
      { plan: this.#maker.plan(request, directory), settings },
      { label: id, ...(signal === undefined ? {} : { signal }) },
    ).catch((thrown) => {
      throw this.#maker.explain(thrown, directory);
    });
    undo.use(launched);
    const address = { directory, name: SOCKET_NAME };
    const groupPath = this.#maker.groupPath(request.spec);
    const owned = undo.move();
    return {
      pid: launched.pid,
      attach: (streams) => openAttach(address, streams),
      start: async () => {
        const answer = await waitForExit(address);
        const record = readSupervisor(directory);
        if (!isReady(record))
          throw new Fault("internal", `Cannot start container ${id}: its supervisor left no word`);
        await launched.start().catch((thrown) => {
          throw this.#maker.explain(thrown, directory);
        });
        owned.move();
        return new SupervisedContainer(this.#maker, { id, address, record, groupPath, answer });
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
    await this.#clean(id);
    return { state: "lost" };
  }

  async #adopt(id: string, directory: string): Promise<RunningContainer | undefined> {
    const record = readSupervisor(directory);
    if (!isReady(record) || !isAlive(record.supervisor.pid, record.supervisor.startTicks)) return undefined;
    const address = { directory, name: SOCKET_NAME };
    const { cgroups } = this.#maker;
    try {
      const answer = await waitForExit(address);
      // On a host without groups there are none to be found.
      const groupPath = groupPathOfDirectories(cgroups, record.groups) ?? id;
      await removeGroups(ownGroups(cgroups, groupPath));
      return new SupervisedContainer(this.#maker, { id, address, record, groupPath, answer });
    } catch {
      // It has stopped listening because its container has ended: its record comes before its own end.
      await ended(record.supervisor);
      return undefined;
    }
  }

  async forget(id: string): Promise<void> {
    const forgetting = this.#clean(id).then(() => this.#states.remove(id));
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
  async #clean(id: string): Promise<void> {
    const directory = this.#states.of(id);
    const record = readSupervisor(directory);
    if (record === undefined) return;
    if (isReady(record)) await endProcess(record.first);
    // When its word about itself has gone all is settled, and only slow clients keep it.
    await ended(record.supervisor, { orWhen: () => readSupervisor(directory) === undefined });
    await endProcess(record.supervisor);
    await removeGroups(record.groups);
    await this.#maker.forsake(id);
  }
}
