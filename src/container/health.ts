import { sentenceOf } from "#errors";
import {
  delayOfCheck,
  goDuration,
  type HealthPlan,
  type HealthResult,
  healthPlan,
  judgedHealth,
  startingHealth,
  uncheckedHealth,
} from "./health-state.ts";
import { CLOCK, type Clock } from "./monitor.ts";
import type { Container } from "./record.ts";
import type { Containers } from "./store.ts";
import { nowNanoseconds, timestamp } from "./time.ts";

/** The longest that a timer can be told to wait. Milliseconds. */
const LONGEST_DELAY = 2 ** 31 - 1;

/** A check that runs in a container. */
export interface Check {
  /** Its exit code, once nothing of it is left. Rejects when it could not be run. */
  readonly ended: Promise<number>;
  /** What it has written so far, cut to what is kept. */
  said(): string;
  /** Ends it with all its processes; `ended` settles then. */
  kill(): void;
}

export type RunCheck = (container: Container, args: readonly string[]) => Check;

/** Tells the time in nanoseconds since the epoch. */
export interface HealthClock extends Clock {
  now(): bigint;
}

export interface HealthNeeds {
  readonly containers: Pick<Containers, "believe" | "change" | "get">;
  announce(container: Container, action: string): void;
  /** Told of what could not be written down: there is no caller to throw at. */
  complain(sentence: string, cause: unknown): void;
  readonly clock?: HealthClock;
}

interface Watch {
  readonly run: RunCheck;
  /** Counts what has interrupted the checks: what a check of an earlier turn found is not wanted any more. */
  turn: number;
  /** The next check, or the end of patience with the one that runs: never both. */
  timer?: Disposable;
  check?: Check;
  /** Settles when no check runs. */
  idle: Promise<void>;
}

const WALL: HealthClock = { ...CLOCK, now: nowNanoseconds };

/** Runs the checks of containers that have one, and keeps what they find. One timer for each of them, and none else. */
export class HealthChecks {
  readonly #needs: HealthNeeds;
  readonly #clock: HealthClock;
  readonly #watches = new Map<string, Watch>();

  constructor(needs: HealthNeeds) {
    this.#needs = needs;
    this.#clock = needs.clock ?? WALL;
  }

  /** Checks a container that runs, if it has a check, until the result is disposed. A check that hangs is not waited for. */
  watch(id: string, run: RunCheck): Disposable {
    const container = this.#needs.containers.get(id);
    if (container === undefined || healthPlan(container) === undefined) return { [Symbol.dispose]: () => {} };
    if (container.state.health === undefined) this.#believe(id, startingHealth);
    const watch: Watch = { run, turn: 0, idle: Promise.resolve() };
    this.#watches.set(id, watch);
    if (container.state.status !== "paused") this.#schedule(id, watch);
    return {
      [Symbol.dispose]: () => {
        interrupt(watch);
        if (this.#watches.get(id) === watch) this.#watches.delete(id);
      },
    };
  }

  /** Nothing is checked until it goes on: what stands still cannot answer. */
  pause(id: string): void {
    const watch = this.#watches.get(id);
    if (watch === undefined) return;
    interrupt(watch);
    this.#believe(id, uncheckedHealth);
  }

  resume(id: string): void {
    const watch = this.#watches.get(id);
    if (watch === undefined) return;
    const turn = interrupt(watch);
    void watch.idle.then(() => {
      if (watch.turn === turn) this.#schedule(id, watch);
    });
  }

  /** The daemon goes; what was found stays. */
  close(): void {
    for (const watch of this.#watches.values()) interrupt(watch);
    this.#watches.clear();
  }

  #schedule(id: string, watch: Watch): void {
    const container = this.#needs.containers.get(id);
    const plan = container && healthPlan(container);
    if (container === undefined || plan === undefined) return;
    const begin = () => {
      watch.idle = this.#check(id, watch, plan);
    };
    watch.timer = this.#after(delayOfCheck(container, plan, this.#clock.now()), begin);
  }

  #after(delay: number, callback: () => void): Disposable {
    return this.#clock.after(Math.min(delay, LONGEST_DELAY), callback);
  }

  /** One check and what follows from it; settles when it is gone. Never rejects. */
  async #check(id: string, watch: Watch, plan: HealthPlan): Promise<void> {
    const { turn } = watch;
    const container = this.#needs.containers.get(id);
    if (container === undefined) return;
    const start = timestamp(this.#clock.now());
    const check = watch.run(container, plan.args);
    watch.check = check;
    const late = Promise.withResolvers<undefined>();
    watch.timer = this.#after(plan.timeout, () => late.resolve(undefined));
    const gone = check.ended.then(
      (exitCode) => ({ exitCode, output: check.said() }),
      (thrown) => ({ exitCode: -1, output: sentenceOf(thrown) }),
    );
    const found = (await Promise.race([gone, late.promise])) ?? tooLate(check, plan);
    if (watch.turn === turn) {
      watch.timer[Symbol.dispose]();
      this.#settle(id, plan, { start, end: timestamp(this.#clock.now()), ...found });
    }
    // No more than one at a time, however long the kernel takes to bury it.
    await gone;
    if (watch.turn !== turn) return;
    delete watch.check;
    this.#schedule(id, watch);
  }

  /** Puts it on record. Durable copies are of changes alone: the rest would be written for nothing, for ever. */
  #settle(id: string, plan: HealthPlan, result: HealthResult): void {
    const before = this.#needs.containers.get(id)?.state.health;
    const next = (container: Container): Container => ({
      ...container,
      state: { ...container.state, health: judgedHealth(container, plan, result) },
    });
    const after = this.#needs.containers.believe(id, next);
    const health = after?.state.health;
    if (after === undefined || health === undefined) return;
    if (before?.status === health.status && before.failingStreak === health.failingStreak) return;
    try {
      this.#needs.containers.change(id, (container) => container, { durable: false });
    } catch (thrown) {
      this.#needs.complain(`Cannot write down the health of container ${after.name}`, thrown);
    }
    if (before?.status !== health.status) this.#needs.announce(after, `health_status: ${health.status}`);
  }

  #believe(id: string, next: typeof startingHealth): void {
    this.#needs.containers.believe(id, (container) => ({
      ...container,
      state: { ...container.state, ...next(container) },
    }));
  }
}

/** Ends what runs and what is to come. Returns the turn from now on. */
function interrupt(watch: Watch): number {
  watch.timer?.[Symbol.dispose]();
  delete watch.timer;
  watch.check?.kill();
  delete watch.check;
  watch.turn += 1;
  return watch.turn;
}

/** Source: the words that Docker's clients show of it. */
function tooLate(check: Check, { timeout }: HealthPlan): Pick<HealthResult, "exitCode" | "output"> {
  check.kill();
  const words = `Health check exceeded timeout (${goDuration(timeout)})`;
  const said = check.said();
  return { exitCode: -1, output: said === "" ? words : `${words}: ${said}` };
}
