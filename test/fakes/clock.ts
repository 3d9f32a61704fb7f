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
