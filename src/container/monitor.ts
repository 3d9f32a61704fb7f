import { Fault } from "#errors";
import { uncheckedHealth } from "./health-state.ts";
import { advance } from "./lifecycle.ts";
import type { Container } from "./record.ts";
import { nextDelay, shouldRestart } from "./restart-policy.ts";
import type { Containers } from "./store.ts";
import { parseTimestamp, timestamp } from "./time.ts";
import { type Wait, type WaitCondition, Waiters, type WaitResult } from "./waiters.ts";

/** How a process ended. Time in nanoseconds since the epoch. */
export interface Ending {
  readonly code: number;
  readonly outOfMemory: boolean;
  readonly time: bigint;
}

/** The little that must be known of a process to watch over its end. `exited` never rejects. */
export interface Watched {
  readonly pid: number;
  readonly exited: Promise<Ending>;
}

/** What other rooms do once a container has ended; handed in by the job that started it. */
export interface Afterlife {
  /** The end is on record: run-time files may go. */
  settled(id: string): Promise<void>;
  /** The restart policy's turn: its delay is over. */
  restart(id: string): Promise<void>;
  /** `--rm` */
  remove(id: string): Promise<void>;
}

export interface Adoption {
  /** What was acquired for this life of the container: given back when it ends. */
  readonly owned: AsyncDisposable;
  readonly after: Afterlife;
}

/** Delays in milliseconds. */
export interface Clock {
  after(delay: number, callback: () => void): Disposable;
}

export interface MonitorNeeds {
  readonly containers: Pick<Containers, "believe" | "change" | "get">;
  /** Says what happened to a container, after its record tells the same. */
  announce(container: Container, action: string, attributes?: Readonly<Record<string, string>>): void;
  /** Told of what went wrong while cleaning up: there is no caller to throw at. */
  complain(sentence: string, cause: unknown): void;
  readonly clock?: Clock;
}

interface Watch<Process extends Watched> extends Adoption {
  readonly process: Process;
  /** Settles when the end is committed. */
  readonly committed: Promise<void>;
}

export const CLOCK: Clock = {
  after(delay, callback) {
    const timer = setTimeout(callback, delay);
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};

/**
 * Watches over running containers. The order of an end is: output drained and exit known, what it owned given
 * back, record committed, waiters released, `die`, and then the restart policy or the removal.
 */
export class Monitor<Process extends Watched = Watched> {
  readonly #needs: MonitorNeeds;
  readonly #clock: Clock;
  readonly #waiters = new Waiters();
  readonly #watches = new Map<string, Watch<Process>>();
  /** Containers between two lives. */
  readonly #restarts = new Map<string, Disposable>();
  readonly #delays = new Map<string, number>();
  readonly #kept = new Set<string>();
  #isClosed = false;
  #isResting = false;

  constructor(needs: MonitorNeeds) {
    this.#needs = needs;
    this.#clock = needs.clock ?? CLOCK;
  }

  /** Takes over a process whose record says that it runs. */
  adopt(id: string, process: Process, adoption: Adoption): void {
    const committed = Promise.withResolvers<void>();
    const watch: Watch<Process> = { ...adoption, process, committed: committed.promise };
    this.#watches.set(id, watch);
    void this.#follow(id, watch, committed.resolve);
  }

  /** The process of a container that runs. Throws `conflict` in Docker's words when it does not. */
  running(container: Container): Process {
    const watch = this.#watches.get(container.id);
    if (watch === undefined) throw new Fault("conflict", `Container ${container.id} is not running`);
    return watch.process;
  }

  live(id: string): Process | undefined {
    return this.#watches.get(id)?.process;
  }

  /** Settles when the end of its present life is on record; at once when there is none. */
  async committed(id: string): Promise<void> {
    await this.#watches.get(id)?.committed;
  }

  wait(container: Container, condition: WaitCondition): Wait {
    return this.#waiters.wait(container, condition);
  }

  /** A start that failed: whoever waits for the next exit learns of it. */
  failed(id: string, result: WaitResult): void {
    this.#waiters.ended(id, result);
  }

  /** Nothing of it is left: the last waiters may go. */
  removed(id: string, result: WaitResult): void {
    this.cancelRestart(id);
    this.#delays.delete(id);
    this.#waiters.removed(id, result);
  }

  /** True when it was between two lives; it stays exited then. */
  cancelRestart(id: string): boolean {
    this.#restarts.get(id)?.[Symbol.dispose]();
    this.#restarts.delete(id);
    const current = this.#needs.containers.get(id);
    if (current?.state.status !== "restarting") return false;
    this.#needs.containers.change(id, (container) => ({
      ...container,
      state: { ...container.state, status: advance(container.state.status, "exit") },
    }));
    this.#waiters.ended(id, { code: current.state.exitCode });
    return true;
  }

  /** A start by a person begins the count of delays anew. */
  forgetDelays(id: string): void {
    this.#delays.delete(id);
  }

  /** While it is held, the end of the container's process is not the end of the container (`--rm`). */
  keep(id: string): Disposable {
    this.#kept.add(id);
    return { [Symbol.dispose]: () => this.#kept.delete(id) };
  }

  /** Containers are to stop with the daemon: no policy starts them again, until a later daemon does. */
  rest(): void {
    this.#isResting = true;
    for (const restart of this.#restarts.values()) restart[Symbol.dispose]();
    this.#restarts.clear();
  }

  /** The daemon goes; containers stay. */
  close(): void {
    this.#isClosed = true;
    for (const restart of this.#restarts.values()) restart[Symbol.dispose]();
    this.#restarts.clear();
  }

  async #follow(id: string, watch: Watch<Process>, commit: () => void): Promise<void> {
    const { process, owned, after } = watch;
    const ending = await process.exited;
    if (this.#isClosed) return;
    const name = this.#needs.containers.get(id)?.name ?? id;
    await this.#attempt(`Cannot give back what container ${name} held`, () => owned[Symbol.asyncDispose]());
    if (this.#isClosed) return;
    const { container, isWritten } = this.#commit(id, ending);
    this.#watches.delete(id);
    commit();
    if (container === undefined) return;
    this.#tell(container, ending);
    // Without a row that says so, the exit record is all that a later daemon would know the end by.
    if (isWritten)
      await this.#attempt(`Cannot clear the run-time files of container ${name}`, () => after.settled(id));
    if (container.state.status === "restarting") this.#schedule(container, ending, after);
    else if (container.spec.host.autoRemove && !this.#kept.has(id))
      await this.#attempt(`Cannot remove container ${name}`, () => after.remove(id));
  }

  #commit(
    id: string,
    ending: Ending,
  ): { readonly container: Container | undefined; readonly isWritten: boolean } {
    const next = (container: Container): Container => {
      const policy = container.spec.host.restartPolicy;
      const isToRestart =
        !this.#isResting && shouldRestart(policy, { ...lifeOf(container, ending), exitCode: ending.code });
      return ended(container, ending, isToRestart ? "await-restart" : "exit");
    };
    if (this.#needs.containers.get(id) === undefined) return { container: undefined, isWritten: false };
    try {
      return { container: this.#needs.containers.change(id, next, { durable: false }), isWritten: true };
    } catch (thrown) {
      this.#needs.complain(`Cannot write down the end of container ${id}`, thrown);
      return { container: this.#needs.containers.believe(id, next), isWritten: false };
    }
  }

  #tell(container: Container, ending: Ending): void {
    this.#waiters.ended(container.id, { code: ending.code });
    if (ending.outOfMemory) this.#needs.announce(container, "oom");
    this.#needs.announce(container, "die", {
      exitCode: String(ending.code),
      execDuration: String(secondsOfLife(container, ending)),
    });
  }

  #schedule(container: Container, ending: Ending, after: Afterlife): void {
    const { id, name } = container;
    // A stop may have come while the run-time files were cleared.
    if (this.#needs.containers.get(id)?.state.status !== "restarting" || this.#isClosed || this.#isResting)
      return;
    const delay = nextDelay(this.#delays.get(id) ?? 0, lifeOf(container, ending).duration);
    this.#delays.set(id, delay);
    const begin = () => {
      this.#restarts.delete(id);
      void this.#attempt(`Cannot restart container ${name}`, () => after.restart(id));
    };
    this.#restarts.set(id, this.#clock.after(delay, begin));
  }

  async #attempt(sentence: string, work: () => PromiseLike<void>): Promise<void> {
    try {
      await work();
    } catch (thrown) {
      this.#needs.complain(sentence, thrown);
    }
  }
}

/** The record of a container whose process has ended. */
export function ended(container: Container, ending: Ending, step: "exit" | "await-restart"): Container {
  return {
    ...container,
    restartCount: container.restartCount + (step === "await-restart" ? 1 : 0),
    state: {
      ...container.state,
      status: advance(container.state.status, step),
      pid: 0,
      startTicks: "",
      exitCode: ending.code,
      outOfMemory: ending.outOfMemory,
      finishedAt: timestamp(ending.time),
      ...uncheckedHealth(container),
    },
  };
}

/** Whole seconds, for the event that tells of its end. */
export function secondsOfLife(container: Container, ending: Ending): number {
  return Math.max(0, Math.floor(lifeOf(container, ending).duration / 1000));
}

function lifeOf(container: Container, ending: Ending) {
  const startedAt = parseTimestamp(container.state.startedAt) ?? ending.time;
  return {
    duration: Number((ending.time - startedAt) / 1_000_000n),
    restartCount: container.restartCount,
    isManuallyStopped: container.isManuallyStopped,
  };
}
