import type { z } from "zod";
import { Fault, sentenceOf } from "#errors";
import {
  type Condition,
  conditionBody,
  ErrorReply,
  encode,
  endOf,
  GrantReply,
  KeepAliveReply,
  type KeyValue,
  type Operation,
  operationBody,
  RangeReply,
  TxnReply,
  WatchReply,
} from "./etcd-wire.ts";

/** How long a request may take at one member of the store. */
const REQUEST_MILLISECONDS = 5000;
/** How long a watch may take to begin. */
const WATCH_MILLISECONDS = 10_000;
/** One message of a watch: a thousand events of a few kilobytes. */
const MAX_LINE_CHARACTERS = 16 * 1024 * 1024;
/** How much of a refusal is repeated. */
const MAX_REASON_CHARACTERS = 300;
/** gRPC's NOT_FOUND: of a lease that has ended. */
const NOT_FOUND = 5;

export interface EtcdOptions {
  /** `http://10.0.0.1:2379`, tried in turn, beginning with the one that answered last. */
  readonly endpoints: readonly string[];
  /** PEM. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
}

export interface Range {
  readonly revision: number;
  readonly entries: readonly KeyValue[];
}

export interface TxnResult {
  readonly succeeded: boolean;
  readonly revision: number;
  /** What each `get` among the operations found. */
  readonly found: readonly (KeyValue | undefined)[];
}

export interface WatchMessage {
  readonly revision: number;
  /** Above 0: what was asked for is no longer kept; the watch has ended. */
  readonly compactRevision: number;
  readonly events: readonly { readonly type: "PUT" | "DELETE"; readonly kv: KeyValue }[];
}

/**
 * A client of etcd's version 3 API through its JSON gateway. Throws `unavailable` when no member answers, `not_found`
 * for a lease that has ended, `internal` for what else is refused. Source: etcd's API reference, "gRPC gateway".
 */
export class Etcd {
  readonly #endpoints: readonly string[];
  readonly #tls: EtcdOptions["tls"];
  #current = 0;

  constructor({ endpoints, tls }: EtcdOptions) {
    this.#endpoints = endpoints;
    this.#tls = tls;
  }

  async get(key: string): Promise<KeyValue | undefined> {
    const reply = await this.#ask("/v3/kv/range", { key: encode(key) }, RangeReply);
    return reply.kvs[0];
  }

  async list(prefix: string, { keysOnly = false } = {}): Promise<Range> {
    const body = { key: encode(prefix), range_end: encode(endOf(prefix)), keys_only: keysOnly };
    const reply = await this.#ask("/v3/kv/range", body, RangeReply);
    return { revision: reply.header.revision, entries: reply.kvs };
  }

  async txn(
    conditions: readonly Condition[],
    success: readonly Operation[],
    failure: readonly Operation[] = [],
  ): Promise<TxnResult> {
    const body = {
      compare: conditions.map(conditionBody),
      success: success.map(operationBody),
      failure: failure.map(operationBody),
    };
    const reply = await this.#ask("/v3/kv/txn", body, TxnReply);
    return {
      succeeded: reply.succeeded,
      revision: reply.header.revision,
      found: reply.responses.map(({ response_range }) => response_range?.kvs[0]),
    };
  }

  /** Returns the lease's id. */
  async grant(ttlSeconds: number): Promise<string> {
    return (await this.#ask("/v3/lease/grant", { TTL: String(ttlSeconds) }, GrantReply)).ID;
  }

  /** Whether the lease still was. */
  async keepAlive(lease: string): Promise<boolean> {
    return (await this.#ask("/v3/lease/keepalive", { ID: lease }, KeepAliveReply)).result.TTL > 0;
  }

  async revoke(lease: string): Promise<void> {
    await this.#ask("/v3/lease/revoke", { ID: lease }, ErrorReply);
  }

  /** What happens below a prefix, from a revision on; ends when the store or the signal ends it. */
  async *watch(prefix: string, startRevision: number, signal: AbortSignal): AsyncGenerator<WatchMessage> {
    const range = { key: encode(prefix), range_end: encode(endOf(prefix)) };
    const body = {
      create_request: { ...range, start_revision: String(startRevision), progress_notify: true },
    };
    const giveUp = new AbortController();
    const timer = setTimeout(() => giveUp.abort(), WATCH_MILLISECONDS);
    try {
      const reply = await this.#send("/v3/watch", body, AbortSignal.any([signal, giveUp.signal]));
      for await (const line of linesOf(reply)) {
        clearTimeout(timer);
        const { result, error } = WatchReply.parse(JSON.parse(line));
        if (error !== undefined)
          throw new Fault("unavailable", `The cluster store ended a watch: ${error.message}`);
        if (result === undefined) continue;
        yield {
          revision: result.header.revision,
          compactRevision: result.compact_revision,
          events: result.events,
        };
        if (result.canceled) return;
      }
    } finally {
      clearTimeout(timer);
      giveUp.abort();
    }
  }

  async #ask<T extends z.ZodType>(path: string, body: object, schema: T): Promise<z.infer<T>> {
    const reply = await this.#send(path, body, AbortSignal.timeout(REQUEST_MILLISECONDS));
    try {
      return schema.parse(await reply.json());
    } catch (cause) {
      throw new Fault("unavailable", `Cannot understand the cluster store: ${sentenceOf(cause)}`, { cause });
    }
  }

  /** Every member is tried once: what is asked can be asked twice. */
  async #send(path: string, body: object, signal: AbortSignal): Promise<Response> {
    let last: unknown;
    for (let tried = 0; tried < this.#endpoints.length; tried += 1) {
      const index = (this.#current + tried) % this.#endpoints.length;
      try {
        const reply = await fetch(`${this.#endpoints[index]}${path}`, {
          method: "POST",
          body: JSON.stringify(body),
          headers: { "Content-Type": "application/json" },
          signal,
          keepalive: false,
          timeout: false,
          ...(this.#tls !== undefined && { tls: this.#tls }),
        } as RequestInit);
        this.#current = index;
        if (reply.ok) return reply;
        last = await refusalOf(reply);
        if (last instanceof Fault && last.kind !== "unavailable") throw last;
      } catch (error) {
        if (error instanceof Fault && error.kind !== "unavailable") throw error;
        last = error;
      }
    }
    throw new Fault(
      "unavailable",
      `Cannot reach the cluster store at ${this.#endpoints.join(", ")}: ${sentenceOf(last)}; networks of several hosts cannot be changed until it answers`,
      { cause: last },
    );
  }
}

async function refusalOf(reply: Response): Promise<Fault> {
  const text = (await reply.text()).slice(0, MAX_REASON_CHARACTERS);
  const parsed = ErrorReply.safeParse(tryJson(text));
  const reason = parsed.success ? parsed.data.message || parsed.data.error || text : text;
  const kind =
    parsed.data?.code === NOT_FOUND ? "not_found" : reply.status >= 500 ? "unavailable" : "internal";
  return new Fault(kind, `The cluster store answered ${reply.status}: ${reason}`);
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function* linesOf(reply: Response): AsyncGenerator<string> {
  if (reply.body === null) return;
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of reply.body) {
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > MAX_LINE_CHARACTERS)
      throw new Fault("unavailable", "The cluster store sent a message that is too long");
    for (const line of lines) if (line.trim() !== "") yield line;
  }
}
