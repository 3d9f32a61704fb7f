/** So many may work at a time; the others wait in the order in which they came. */
export class Slots {
  #count: number;
  #held = 0;
  readonly #queue: (() => void)[] = [];

  constructor(count: number) {
    this.#count = count;
  }

  /** Those who hold a slot keep it; from now on so many may. */
  resize(count: number): void {
    this.#count = count;
    this.#admit();
  }

  /** Disposing gives the slot back, once. Throws the signal's reason when that comes first. */
  async acquire(signal: AbortSignal): Promise<Disposable> {
    signal.throwIfAborted();
    if (this.#held < this.#count) this.#held++;
    else await this.#wait(signal);
    let isHeld = true;
    return {
      [Symbol.dispose]: () => {
        if (isHeld) this.#release();
        isHeld = false;
      },
    };
  }

  async #wait(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const giveUp = () => {
      const at = this.#queue.indexOf(resolve);
      if (at < 0) return;
      this.#queue.splice(at, 1);
      reject(signal.reason);
    };
    this.#queue.push(resolve);
    signal.addEventListener("abort", giveUp, { once: true });
    await promise.finally(() => signal.removeEventListener("abort", giveUp));
  }

  #release(): void {
    this.#held--;
    this.#admit();
  }

  #admit(): void {
    while (this.#held < this.#count) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      this.#held++;
      next();
    }
  }
}
