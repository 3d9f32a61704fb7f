/** How many past events are kept for `since`. Source: Docker Engine API, GET /events. */
const KEPT = 256;
/** How many events a slow subscriber may fall behind before the oldest of its backlog are dropped. */
const BACKLOG = 4096;

/** Something that happened to an object. `timeNano` is nanoseconds since the epoch. */
export interface EngineEvent {
  readonly type: "container" | "image" | "network" | "volume" | "daemon" | "builder";
  readonly action: string;
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly timeNano: bigint;
}

export type EventFilter = (event: EngineEvent) => boolean;

export interface EventSubscription {
  readonly filter?: EventFilter;
  /** Replay what is kept from this time on (nanoseconds since the epoch). */
  readonly since?: bigint;
  /** End once this time is past. */
  readonly until?: bigint;
  readonly signal?: AbortSignal;
  /** The engine's own, which nobody is told of. */
  readonly isInternal?: boolean;
}

/** Publishes what happens to whoever listens, in order, and keeps the last few for latecomers. */
export class EventBus {
  readonly #kept: EngineEvent[] = [];
  readonly #listeners = new Set<(event: EngineEvent) => void>();
  #internalCount = 0;
  #last = 0n;
  #count = 0;

  publish(event: Omit<EngineEvent, "timeNano">): void {
    this.#last = later(
      this.#last,
      BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n,
    );
    this.#count += 1;
    const stamped = { ...event, timeNano: this.#last };
    this.#kept.push(stamped);
    if (this.#kept.length > KEPT) this.#kept.shift();
    for (const listener of this.#listeners) listener(stamped);
  }

  /** How many there have been. */
  get count(): number {
    return this.#count;
  }

  get listenerCount(): number {
    return this.#listeners.size - this.#internalCount;
  }

  /** Listens from the moment of the call, not of the first `next`: nothing published in between is lost. */
  subscribe(wanted: EventSubscription = {}): AsyncIterable<EngineEvent> {
    const { filter = () => true, since, until, signal, isInternal = false } = wanted;
    const queue =
      since === undefined ? [] : this.#kept.filter((event) => event.timeNano >= since && filter(event));
    let wake: (() => void) | undefined;
    let isOver = false;
    const listener = (event: EngineEvent) => {
      if (!filter(event)) return;
      queue.push(event);
      if (queue.length > BACKLOG) queue.shift();
      wake?.();
    };
    const finish = () => {
      isOver = true;
      if (this.#listeners.delete(listener) && isInternal) this.#internalCount--;
      clearTimeout(timer);
      wake?.();
    };
    const left =
      until === undefined ? undefined : Number((until - BigInt(Date.now()) * 1_000_000n) / 1_000_000n);
    const timer = left === undefined || left > 2 ** 31 ? undefined : setTimeout(finish, Math.max(0, left));
    this.#listeners.add(listener);
    if (isInternal) this.#internalCount++;
    if (signal?.aborted) finish();
    signal?.addEventListener("abort", finish, { once: true });
    return (async function* () {
      try {
        for (;;) {
          for (let event = queue.shift(); event !== undefined; event = queue.shift()) {
            if (until !== undefined && event.timeNano > until) return;
            yield event;
          }
          if (isOver) return;
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      } finally {
        finish();
        signal?.removeEventListener("abort", finish);
      }
    })();
  }
}

function later(last: bigint, now: bigint): bigint {
  return now > last ? now : last + 1n;
}
