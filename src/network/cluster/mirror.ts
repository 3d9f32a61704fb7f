import { sentenceOf } from "#errors";
import type { Log } from "#host";
import type { Etcd } from "./etcd.ts";

/** Between attempts to reach the store again: doubled each time, up to the longest. */
const FIRST_PAUSE_MILLISECONDS = 100;
const LONGEST_PAUSE_MILLISECONDS = 3000;

/** What a mirror tells: each key without the prefix. */
export interface MirrorListener {
  put(key: string, value: string): void;
  remove(key: string, last: string): void;
  /** All that was there at the first listing has been told. */
  ready(): void;
}

interface Held {
  readonly value: string;
  readonly modRevision: number;
}

/**
 * All keys below a prefix, kept as the store has them: one listing, then a watch that is resumed from the last revision
 * seen. When the store no longer keeps what came since (compaction), a fresh listing tells the difference. While the
 * store does not answer, all stays as it was.
 */
export class Mirror implements AsyncDisposable {
  readonly #etcd: Pick<Etcd, "list" | "watch">;
  readonly #prefix: string;
  readonly #listener: MirrorListener;
  readonly #log: Log;
  readonly #held = new Map<string, Held>();
  readonly #closing = new AbortController();
  #attempt = new AbortController();
  #work: Promise<void> = Promise.resolve();
  /** The last one seen; 0: a listing is due. */
  #revision = 0;
  #isReady = false;
  #isCut = false;

  constructor(
    etcd: Pick<Etcd, "list" | "watch">,
    prefix: string,
    { listener, log }: { listener: MirrorListener; log: Log },
  ) {
    this.#etcd = etcd;
    this.#prefix = prefix;
    this.#listener = listener;
    this.#log = log;
  }

  start(): void {
    this.#work = this.#run();
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  get(key: string): string | undefined {
    return this.#held.get(key)?.value;
  }

  /** Key and value of those whose key starts so. */
  below(start: string): [string, string][] {
    return [...this.#held].flatMap(([key, { value }]) => (key.startsWith(start) ? [[key, value]] : []));
  }

  /** Begins the watch anew: for who learnt that the connection is dead. */
  renew(): void {
    this.#attempt.abort();
  }

  async #run(): Promise<void> {
    let pause = FIRST_PAUSE_MILLISECONDS;
    while (!this.#closing.signal.aborted) {
      this.#attempt = new AbortController();
      const before = this.#revision;
      try {
        if (this.#revision === 0) await this.#list();
        await this.#follow(AbortSignal.any([this.#attempt.signal, this.#closing.signal]));
      } catch (error) {
        if (!this.#isCut && !this.#closing.signal.aborted && !this.#attempt.signal.aborted)
          this.#log("warn", `What other hosts do is not known for now: ${sentenceOf(error)}`);
        this.#isCut = true;
      }
      if (this.#revision > before) pause = FIRST_PAUSE_MILLISECONDS;
      await sleep(pause, this.#closing.signal);
      pause = Math.min(pause * 2, LONGEST_PAUSE_MILLISECONDS);
    }
  }

  async #list(): Promise<void> {
    const { revision, entries } = await this.#etcd.list(this.#prefix);
    const there = new Set(entries.map(({ key }) => key.slice(this.#prefix.length)));
    for (const key of [...this.#held.keys()]) if (!there.has(key)) this.#drop(key);
    for (const { key, value, mod_revision } of entries) this.#set(key, value, mod_revision);
    this.#revision = revision;
    this.#seen();
  }

  #seen(): void {
    if (this.#isCut) this.#log("info", "What other hosts do is known again");
    this.#isCut = false;
    if (this.#isReady) return;
    this.#isReady = true;
    this.#listener.ready();
  }

  async #follow(signal: AbortSignal): Promise<void> {
    for await (const message of this.#etcd.watch(this.#prefix, this.#revision + 1, signal)) {
      if (message.compactRevision > 0) {
        this.#revision = 0;
        return;
      }
      this.#seen();
      for (const { type, kv } of message.events)
        if (type === "DELETE") this.#drop(kv.key.slice(this.#prefix.length));
        else this.#set(kv.key, kv.value, kv.mod_revision);
      // The message that says a watch was made tells the store's revision, which may be that of an event yet to come.
      const last = message.events.at(-1)?.kv.mod_revision ?? 0;
      this.#revision = Math.max(this.#revision, last);
    }
  }

  #set(fullKey: string, value: string, modRevision: number): void {
    const key = fullKey.slice(this.#prefix.length);
    if (this.#held.get(key)?.modRevision === modRevision) return;
    this.#held.set(key, { value, modRevision });
    this.#listener.put(key, value);
  }

  #drop(key: string): void {
    const held = this.#held.get(key);
    if (held === undefined) return;
    this.#held.delete(key);
    this.#listener.remove(key, held.value);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#work;
  }
}

export function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(done, milliseconds);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done);
  });
}
