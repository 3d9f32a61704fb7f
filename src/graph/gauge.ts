/** A number that rises until it is done: followers are told the newest value, never a backlog. */
export class Gauge implements AsyncIterable<number> {
  #value = 0;
  #isDone = false;
  #failure: unknown;
  #changed = Promise.withResolvers<void>();

  rise(value: number): void {
    this.#value = value;
    this.#wake();
  }

  end(): void {
    this.#isDone = true;
    this.#wake();
  }

  /** Followers throw this once they have seen the last value. */
  fail(thrown: unknown): void {
    this.#failure ??= thrown;
    this.end();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<number> {
    for (let seen = 0; ; ) {
      if (this.#value > seen) {
        seen = this.#value;
        yield seen;
      } else if (this.#failure !== undefined) throw this.#failure;
      else if (this.#isDone) return;
      else await this.#changed.promise;
    }
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}
