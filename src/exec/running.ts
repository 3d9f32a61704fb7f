import type { Socket } from "node:net";
import { Fault } from "#errors";
import { signalProcess } from "#host";
import { type Group, launch, openGroup, ownGroups, type Resources } from "#libcontainer";
import type {
  AttachStreams,
  ExecRequest,
  ExitRecord,
  PreparedExec,
  RunningContainer,
  RunningExec,
  Statistics,
} from "./driver.ts";
import { ended, removeGroups } from "./leftovers.ts";
import type { Maker, Verbs } from "./maker.ts";
import { type ReadyRecord, readExit } from "./state.ts";
import { openAttach, resize, type SupervisorAddress, waitForExit } from "./supervisor-socket.ts";

const SIGKILL = 9;

export interface RunningParts {
  readonly id: string;
  readonly address: SupervisorAddress;
  readonly record: ReadyRecord;
  readonly groupPath: string;
  /** From a connection made before the container could end. */
  readonly answer: () => Promise<ExitRecord | undefined>;
}

/** A container whose supervisor is alive, launched by this daemon or an earlier one. */
export class SupervisedContainer implements RunningContainer {
  readonly id: string;
  readonly pid: number;
  readonly startTicks: string;
  readonly exited: Promise<ExitRecord>;
  readonly #maker: Maker;
  readonly #verbs: Verbs;
  readonly #address: SupervisorAddress;
  readonly #group: Group;
  readonly #groupPath: string;

  constructor(maker: Maker, parts: RunningParts) {
    this.#maker = maker;
    this.#address = parts.address;
    this.#group = openGroup(maker.cgroups, parts.groupPath);
    this.#groupPath = parts.groupPath;
    this.id = parts.id;
    this.pid = parts.record.first.pid;
    this.startTicks = parts.record.first.startTicks;
    this.#verbs = maker.verbs({ id: this.id, ...parts.record.first }, this.#group);
    this.exited = settle(maker, parts);
  }

  async signal(number: number): Promise<void> {
    if (await this.#verbs.signal(number)) return;
    throw new Fault("conflict", `Cannot send signal ${number} to container ${this.id}: it is not running`);
  }

  async signalAll(number: number): Promise<void> {
    if (number === SIGKILL) return this.#group.kill();
    for (const pid of this.#group.processes()) trySignal(pid, number);
  }

  pause(): Promise<void> {
    return this.#verbs.pause();
  }

  resume(): Promise<void> {
    return this.#verbs.resume();
  }

  isPaused(): Promise<boolean> {
    return this.#verbs.isPaused();
  }

  resize(size: { readonly rows: number; readonly columns: number }): Promise<void> {
    return resize(this.#address, size);
  }

  attach(streams: AttachStreams): Promise<Socket> {
    return openAttach(this.#address, streams);
  }

  async statistics(): Promise<Statistics> {
    return this.#group.statistics(this.pid);
  }

  async processes(): Promise<readonly number[]> {
    return this.#group.processes();
  }

  async update(resources: Resources): Promise<void> {
    this.#group.update(resources);
  }

  async exec(request: ExecRequest): Promise<PreparedExec> {
    const { process, stdin, consoleSize, execId, signal } = request;
    const { directory } = this.#address;
    const address = { directory, name: `exec-${execId}.sock` };
    const fail = (thrown: unknown): never => {
      const explained = this.#maker.explain(thrown, directory, execId);
      this.#maker.tidy(directory, execId);
      throw explained;
    };
    const launched = await launch(
      {
        plan: this.#verbs.execPlan(request),
        settings: {
          stateDirectory: address.directory,
          socketName: address.name,
          terminal: process.terminal,
          openStdin: stdin,
          stdinOnce: true,
          ...(consoleSize === undefined ? {} : { consoleSize }),
          target: { pid: this.pid, startTicks: this.startTicks },
        },
      },
      { label: `${this.id}/${execId}`, ...(signal !== undefined && { signal }) },
    ).catch(fail);
    return {
      get pid() {
        return launched.pid;
      },
      attach: (streams) => openAttach(address, streams),
      start: async () => {
        const running = await startExec(address, launched, () => this.#endOwnGroup(execId)).catch(fail);
        this.#maker.tidy(directory, execId);
        return running;
      },
      [Symbol.asyncDispose]: () => launched[Symbol.asyncDispose](),
    };
  }

  /** Of a command whose supervisor was killed before it could. Never rejects. */
  #endOwnGroup(execId: string): Promise<void> {
    const groups = ownGroups(this.#maker.cgroups, this.#groupPath);
    return removeGroups(groups.filter((directory) => directory.endsWith(execId)));
  }
}

async function startExec(
  address: SupervisorAddress,
  launched: { readonly pid: number; readonly startTicks: string; start(): Promise<void> },
  clean: () => Promise<void>,
): Promise<RunningExec> {
  const answer = await waitForExit(address);
  await launched.start();
  const { pid, startTicks } = launched;
  return {
    pid,
    exited: answer().then(async (record) => {
      if (record !== undefined) return record;
      await clean();
      return killedRecord();
    }),
    resize: (size) => resize(address, size),
    signal: async (number) => {
      if (!signalProcess(pid, startTicks, number))
        throw new Fault("conflict", `Cannot send signal ${number} to the process: it has ended`);
    },
  };
}

/** The supervisor's word, or else its record; or else it was killed, and what it left behind is removed. */
async function settle(maker: Maker, { id, address, record, answer }: RunningParts): Promise<ExitRecord> {
  const told = (await answer()) ?? readExit(address.directory);
  if (told !== undefined) return told;
  await ended(record.supervisor);
  await removeGroups(record.groups);
  await maker.forsake(id);
  return readExit(address.directory) ?? killedRecord();
}

/** A container dies with its supervisor, by SIGKILL. */
function killedRecord(): ExitRecord {
  return { code: 128 + SIGKILL, signal: SIGKILL, outOfMemory: false, time: BigInt(Date.now()) * 1_000_000n };
}

function trySignal(pid: number, number: number): void {
  try {
    process.kill(pid, number);
  } catch {
    // It has ended by itself.
  }
}
