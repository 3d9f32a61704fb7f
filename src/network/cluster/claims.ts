import { Fault, sentenceOf } from "#errors";
import type { Log } from "#host";
import type { Etcd } from "./etcd.ts";
import type { Operation } from "./etcd-wire.ts";
import { sleep } from "./mirror.ts";

/** etcd takes 128 operations a transaction. */
const BATCH = 64;
/** Keep-alives a lease's time. */
const BEATS = 3;
const LONGEST_PAUSE_MILLISECONDS = 3000;

/**
 * The keys that this host holds under its lease: when the host dies the lease ends, and they go. When the store forgot
 * the lease (it was long out of reach) a new one is made, and all keys are put again.
 */
export class Claims implements AsyncDisposable {
  readonly #etcd: Pick<Etcd, "grant" | "keepAlive" | "revoke" | "txn">;
  readonly #ttlSeconds: number;
  readonly #log: Log;
  readonly #held = new Map<string, string>();
  /** Given back, or perhaps taken, while the store did not answer: to be removed once it does. */
  readonly #owed = new Map<string, string>();
  /** On their way: of two that want the same at the same moment one gets it. */
  readonly #taking = new Set<string>();
  readonly #closing = new AbortController();
  readonly #onSilence: () => void;
  #work: Promise<void> = Promise.resolve();
  #lease: Promise<string> | undefined;

  /** `onSilence` is called when the store did not answer: other connections to it may be dead, too. */
  constructor(
    etcd: Pick<Etcd, "grant" | "keepAlive" | "revoke" | "txn">,
    { ttlSeconds, log, onSilence }: { ttlSeconds: number; log: Log; onSilence: () => void },
  ) {
    this.#etcd = etcd;
    this.#ttlSeconds = ttlSeconds;
    this.#log = log;
    this.#onSilence = onSilence;
  }

  start(): void {
    this.#work = this.#beat();
  }

  get size(): number {
    return this.#held.size;
  }

  /** Puts a key that is this host's alone. */
  async put(key: string, value: string): Promise<void> {
    await this.#withLease(async (lease) => {
      await this.#etcd.txn([], [{ kind: "put", key, value, lease }]);
    });
    this.#held.set(key, value);
  }

  /** As put, once the store answers: what is so already, whoever knows of it. */
  putLater(key: string, value: string): void {
    this.#held.set(key, value);
    if (this.#lease === undefined) return;
    void this.put(key, value).catch((error: unknown) => {
      this.#lease = undefined;
      this.#log("warn", `The cluster store does not know yet of ${key}: ${sentenceOf(error)}`);
    });
  }

  /** Puts a key unless somebody else has it. Returns whether it is this host's now: the same value says so. */
  async take(key: string, value: string): Promise<boolean> {
    if (this.#held.has(key) || this.#taking.has(key)) return false;
    this.#taking.add(key);
    this.#owed.delete(key);
    try {
      const isTaken = await this.#withLease((lease) => this.#claim({ kind: "put", key, value, lease }));
      if (isTaken) this.#held.set(key, value);
      return isTaken;
    } catch (error) {
      this.#owed.set(key, value);
      throw error;
    } finally {
      this.#taking.delete(key);
    }
  }

  async #claim(put: Extract<Operation, { kind: "put" }>): Promise<boolean> {
    const { key, value } = put;
    const first = await this.#etcd.txn([{ kind: "absent", key }], [put], [{ kind: "get", key }]);
    if (first.succeeded) return true;
    // Of an earlier life of this host; or an answer was lost, and what had been done was asked for again.
    if (first.found[0]?.value !== value) return false;
    return (await this.#etcd.txn([{ kind: "value", key, value }], [put])).succeeded;
  }

  /** Gives a key back: at once, or when the store answers again. */
  async give(key: string): Promise<void> {
    const value = this.#held.get(key);
    if (value === undefined) return;
    this.#held.delete(key);
    this.#owed.set(key, value);
    try {
      await this.#remove(key, value);
    } catch (error) {
      this.#log("warn", `The cluster store is told later that ${key} is free: ${sentenceOf(error)}`);
    }
  }

  async #remove(key: string, value: string): Promise<void> {
    await this.#etcd.txn([{ kind: "value", key, value }], [{ kind: "delete", key }]);
    this.#owed.delete(key);
  }

  async #withLease<T>(work: (lease: string) => Promise<T>): Promise<T> {
    const lease = await this.#current();
    try {
      return await work(lease);
    } catch (error) {
      if (!(error instanceof Fault) || error.kind !== "not_found") throw error;
      this.#lease = undefined;
      return work(await this.#current());
    }
  }

  #current(): Promise<string> {
    const lease = this.#lease ?? this.#renew();
    this.#lease = lease;
    lease.catch(() => {
      if (this.#lease === lease) this.#lease = undefined;
    });
    return lease;
  }

  async #renew(): Promise<string> {
    const lease = await this.#etcd.grant(this.#ttlSeconds);
    const puts = [...this.#held].map(([key, value]): Operation => ({ kind: "put", key, value, lease }));
    for (let at = 0; at < puts.length; at += BATCH) await this.#etcd.txn([], puts.slice(at, at + BATCH));
    for (const operation of puts)
      if (operation.kind === "put" && !this.#held.has(operation.key))
        this.#owed.set(operation.key, operation.value);
    return lease;
  }

  async #beat(): Promise<void> {
    const { signal } = this.#closing;
    const interval = (this.#ttlSeconds * 1000) / BEATS;
    let isSilent = false;
    while (!signal.aborted) {
      try {
        const lease = await this.#current();
        if (!(await this.#etcd.keepAlive(lease))) this.#lease = undefined;
        for (const [key, value] of this.#owed) await this.#remove(key, value);
        isSilent = false;
      } catch (error) {
        if (!isSilent) this.#log("warn", `Other hosts may lose sight of this one: ${sentenceOf(error)}`);
        if (error instanceof Fault && error.kind === "not_found") this.#lease = undefined;
        isSilent = true;
        this.#onSilence();
      }
      if (this.#lease === undefined && !isSilent) continue;
      await sleep(isSilent ? Math.min(interval, LONGEST_PAUSE_MILLISECONDS) : interval, signal);
    }
  }

  /** Containers may go on: only a host without any takes its leave at once. `isInUse`: some key must outlive this. */
  async leave(isInUse: boolean): Promise<void> {
    this.#closing.abort();
    await this.#work;
    const lease = await this.#lease?.catch(() => undefined);
    if (isInUse || lease === undefined) return;
    await this.#etcd.revoke(lease).catch(() => undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.leave(true);
  }
}
