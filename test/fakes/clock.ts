import type { HealthClock } from "#container";

/** A clock that never waits: `sleep` moves it on and remembers for how long. */
export class FakeClock {
  readonly slept: number[] = [];
  #now: number;

  constructor(now = Date.parse("2026-01-02T03:04:05Z")) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  advance(milliseconds: number): void {
    this.#now += milliseconds;
  }

  async sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.slept.push(milliseconds);
    this.#now += milliseconds;
  }
}

interface Due {
  readonly at: number;
  readonly callback: () => void;
}

/** A clock with timers that stands still until the test moves it on, and then does what is due, in order. */
export class FakeTimeline implements HealthClock {
  #now = Date.parse("2026-01-02T03:04:05Z");
  readonly #due = new Set<Due>();

  now(): bigint {
    return BigInt(Math.round(this.#now)) * 1_000_000n;
  }

  after(delay: number, callback: () => void): Disposable {
    const due = { at: this.#now + delay, callback };
    this.#due.add(due);
    return { [Symbol.dispose]: () => this.#due.delete(due) };
  }

  /** How long each timer still waits, in milliseconds, the shortest first. */
  get waiting(): readonly number[] {
    return [...this.#due].map(({ at }) => at - this.#now).sort((one, other) => one - other);
  }

  async advance(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    for (let due = this.#first(end); due !== undefined; due = this.#first(end)) {
      this.#due.delete(due);
      this.#now = due.at;
      due.callback();
      await settled();
    }
    this.#now = end;
    await settled();
  }

  #first(end: number): Due | undefined {
    return [...this.#due].filter(({ at }) => at <= end).sort((one, other) => one.at - other.at)[0];
  }
}

/** Whatever follows from promises that are settled has happened then. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
