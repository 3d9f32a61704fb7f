import type { Query } from "./query.ts";
import type { Upstream } from "./upstream.ts";
import { FLAG, HEADER_BYTES, OPCODE_MASK, put16, RCODE, RCODE_MASK, u16 } from "./wire.ts";

/** One question to one server. */
export interface Asking {
  readonly server: Upstream;
  readonly message: Uint8Array;
  readonly timeoutMilliseconds: number;
  /** What else arrives is not ours, or somebody's guess: waiting goes on. */
  readonly isAnswer: (message: Uint8Array) => boolean;
  /** Ends the wait. */
  readonly signal: AbortSignal;
}

/** Reaches servers. Undefined when no answer came in time, or none can come. */
export interface Exchange {
  udp(asking: Asking): Promise<Uint8Array | undefined>;
  tcp(asking: Asking): Promise<Uint8Array | undefined>;
}

export interface ForwardOptions {
  readonly exchange: Exchange;
  readonly servers: readonly Upstream[];
  readonly signal: AbortSignal;
  /** Milliseconds of a clock that only goes forward. */
  readonly now: () => number;
}

/** Clients give up after five seconds: the answer, or that there is none, must come before. */
const PATIENCE_MILLISECONDS = 4000;
/** One server is asked twice, since a datagram can be lost. */
const FEWEST_ATTEMPTS = 2;
/** Another server may know better. */
const FAILURES: readonly number[] = [
  RCODE.formatError,
  RCODE.serverFailure,
  RCODE.notImplemented,
  RCODE.refused,
];

/**
 * Asks the servers in order until one has an answer; over TCP what does not fit a datagram. When all fail: what the
 * first of them said, or undefined when none said anything. The answer carries an id of its own.
 */
export async function forward(query: Query, options: ForwardOptions): Promise<Uint8Array | undefined> {
  const { servers, signal, now } = options;
  const end = now() + PATIENCE_MILLISECONDS;
  const failed = new Set<Upstream>();
  let failure: Uint8Array | undefined;
  for (const { server, share } of attempts(servers)) {
    if (failed.has(server)) continue;
    const until = Math.min(end, now() + share);
    if (signal.aborted || until <= now()) break;
    const answer = await ask(query, { ...options, server, until });
    if (answer === undefined) continue;
    if (!FAILURES.includes(u16(answer, 2) & RCODE_MASK)) return answer;
    failure ??= answer;
    failed.add(server);
  }
  return failure;
}

/** Who is asked, and for how many milliseconds. */
function attempts(servers: readonly Upstream[]): { readonly server: Upstream; readonly share: number }[] {
  const rounds = servers.length === 0 ? 0 : Math.ceil(FEWEST_ATTEMPTS / servers.length);
  const all = Array.from({ length: rounds }, () => servers).flat();
  return all.map((server) => ({ server, share: PATIENCE_MILLISECONDS / all.length }));
}

async function ask(
  query: Query,
  options: ForwardOptions & { readonly server: Upstream; readonly until: number },
): Promise<Uint8Array | undefined> {
  const { exchange, server, signal, now, until } = options;
  const message = withRandomId(query.message);
  const asking = () => ({
    server,
    message,
    timeoutMilliseconds: Math.max(1, until - now()),
    isAnswer: (answer: Uint8Array) => isAnswerTo(message, query.questionEnd, answer),
    signal,
  });
  const answer = await exchange.udp(asking());
  if (answer === undefined || (u16(answer, 2) & FLAG.truncated) === 0) return answer;
  return (await exchange.tcp(asking())) ?? answer;
}

function withRandomId(message: Uint8Array): Uint8Array {
  // Not slice: of a Buffer that is the same memory.
  const copy = new Uint8Array(message);
  put16(copy, 0, crypto.getRandomValues(new Uint16Array(1))[0] ?? 0);
  return copy;
}

/** Whether it has the same id and question; servers may change the case of letters. */
export function isAnswerTo(message: Uint8Array, questionEnd: number, answer: Uint8Array): boolean {
  if (answer.length < HEADER_BYTES || u16(answer, 0) !== u16(message, 0)) return false;
  const flags = u16(answer, 2);
  if ((flags & FLAG.response) === 0 || (flags & OPCODE_MASK) !== 0) return false;
  // A server that could not read the question may not repeat it.
  if (u16(answer, 4) === 0) return FAILURES.includes(flags & RCODE_MASK) && u16(answer, 6) === 0;
  if (u16(answer, 4) !== 1 || answer.length < questionEnd) return false;
  for (let at = HEADER_BYTES; at < questionEnd; at += 1)
    if (lowered(message[at] ?? 0) !== lowered(answer[at] ?? 0)) return false;
  return true;
}

const lowered = (code: number): number => (code >= 0x41 && code <= 0x5a ? code + 32 : code);
