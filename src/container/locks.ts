/** One holder per key at a time; the others queue in order of arrival and may give up. */
export class Locks {
  readonly #queues = new Map<string, (() => void)[]>();

  async acquire(key: string, signal?: AbortSignal): Promise<Disposable> {
    signal?.throwIfAborted();
    const queue = this.#queues.get(key);
    if (queue === undefined) this.#queues.set(key, []);
    else await this.#queued(queue, signal);
    let isHeld = true;
    return {
      [Symbol.dispose]: () => {
        if (isHeld) this.#pass(key);
        isHeld = false;
      },
    };
  }

  #queued(queue: (() => void)[], signal?: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const giveUp = () => {
      queue.splice(queue.indexOf(enter), 1);
      reject(signal?.reason);
    };
    const enter = () => {
      signal?.removeEventListener("abort", giveUp);
      resolve();
    };
    signal?.addEventListener("abort", giveUp, { once: true });
    queue.push(enter);
    return promise;
  }

  #pass(key: string): void {
    const next = this.#queues.get(key)?.shift();
    if (next === undefined) this.#queues.delete(key);
    else next();
  }
}
