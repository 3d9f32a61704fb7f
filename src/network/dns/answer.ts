import type { Query } from "./query.ts";
import {
  CLASS,
  DNSSEC_OK,
  FLAG,
  HEADER_BYTES,
  MAX_MESSAGE_BYTES,
  OPT_BYTES,
  PLAIN_LIMIT,
  put16,
  RCODE_MASK,
  RECORD_FIXED_BYTES,
  recordAt,
  TYPE,
  u16,
} from "./wire.ts";

/** A record under the question's own name. */
export interface Answer {
  readonly type: number;
  readonly data: Uint8Array;
}

/** A pointer to the question's name. */
const QUESTION_NAME = 0xc000 | HEADER_BYTES;
/** Names come and go with containers: nobody shall remember an address that is another's by now. */
const TTL_SECONDS = 0;
/** What we take over UDP ourselves. Source: DNS flag day 2020. */
const OWN_SIZE = 1232;
const FLAGS_KEPT = FLAG.recursionDesired | FLAG.checkingDisabled;

/** How long an answer to it may be. */
export function limitOf(query: Query, transport: "udp" | "tcp"): number {
  if (transport === "tcp") return MAX_MESSAGE_BYTES;
  return query.edns?.size ?? PLAIN_LIMIT;
}

/** What was asked, answered; records that do not fit are left out, and the answer then says so. */
export function renderAnswer(
  query: Query,
  reply: { readonly rcode: number; readonly answers?: readonly Answer[]; readonly limit: number },
): Uint8Array {
  const answers = reply.answers ?? [];
  const room = reply.limit - query.questionEnd - optBytes(query);
  const kept = fitting(answers, room);
  const bytes = new Uint8Array(query.questionEnd + optBytes(query) + kept.bytes);
  bytes.set(query.message.subarray(0, query.questionEnd));
  const flags = FLAG.response | FLAG.recursionAvailable | (query.flags & FLAGS_KEPT);
  const truncated = kept.count < answers.length ? FLAG.truncated : 0;
  put16(bytes, 2, flags | truncated | (reply.rcode & RCODE_MASK));
  setCounts(bytes, { answers: kept.count, additional: query.edns === undefined ? 0 : 1 });
  let at = query.questionEnd;
  for (let index = 0; index < kept.count; index += 1) at = putAnswer(bytes, at, answers[index]);
  putOpt(bytes, at, query, reply.rcode);
  return bytes;
}

function fitting(answers: readonly Answer[], room: number): { count: number; bytes: number } {
  let bytes = 0;
  for (const [index, { data }] of answers.entries()) {
    const next = bytes + 2 + RECORD_FIXED_BYTES + data.length;
    if (next > room) return { count: index, bytes };
    bytes = next;
  }
  return { count: answers.length, bytes };
}

function putAnswer(bytes: Uint8Array, at: number, answer: Answer | undefined): number {
  if (answer === undefined) return at;
  put16(bytes, at, QUESTION_NAME);
  put16(bytes, at + 2, answer.type);
  put16(bytes, at + 4, CLASS.internet);
  put16(bytes, at + 8, TTL_SECONDS);
  put16(bytes, at + 10, answer.data.length);
  bytes.set(answer.data, at + 2 + RECORD_FIXED_BYTES);
  return at + 2 + RECORD_FIXED_BYTES + answer.data.length;
}

const optBytes = (query: Query): number => (query.edns === undefined ? 0 : OPT_BYTES);

/** Format: RFC 6891, section 6.1.3. */
function putOpt(bytes: Uint8Array, at: number, { edns }: Query, rcode: number): void {
  if (edns === undefined) return;
  put16(bytes, at + 1, TYPE.OPT);
  put16(bytes, at + 3, OWN_SIZE);
  bytes[at + 5] = rcode >> 4;
  put16(bytes, at + 7, edns.isDnssecOk ? DNSSEC_OK : 0);
}

function setCounts(
  bytes: Uint8Array,
  counts: { readonly answers: number; readonly additional: number },
): void {
  put16(bytes, 4, 1);
  put16(bytes, 6, counts.answers);
  put16(bytes, 8, 0);
  put16(bytes, 10, counts.additional);
}

/** To what is no query that could be understood: a bare header. */
export function renderRefusal(message: Uint8Array, rcode: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  bytes.set(message.subarray(0, 2));
  const flags = u16(message, 2);
  put16(bytes, 2, FLAG.response | (flags & (0x7800 | FLAG.recursionDesired)) | rcode);
  return bytes;
}

/** Another server's answer as it was, but for its id, cut to whole records when the client cannot take it all. */
export function passOn(answer: Uint8Array, query: Query, limit: number): Uint8Array {
  if (answer.length <= limit) {
    put16(answer, 0, query.id);
    return answer;
  }
  let end = query.questionEnd;
  let count = 0;
  for (const wanted = u16(answer, 6); count < wanted; count += 1) {
    const record = recordAt(answer, end);
    if (record === undefined || record.end + optBytes(query) > limit) break;
    end = record.end;
  }
  const bytes = new Uint8Array(end + optBytes(query));
  bytes.set(answer.subarray(0, end));
  put16(bytes, 0, query.id);
  put16(bytes, 2, u16(answer, 2) | FLAG.truncated);
  setCounts(bytes, { answers: count, additional: query.edns === undefined ? 0 : 1 });
  putOpt(bytes, end, query, 0);
  return bytes;
}
