import { blocksOf, type OpenLog } from "./files.ts";
import type { LogFormat, Part } from "./format.ts";

const BLOCK = 64 * 1024;
const EVERYTHING = { offset: 0, limit: Number.POSITIVE_INFINITY };

export interface Tail {
  readonly offset: number;
  /** How many messages the file was short of. */
  readonly missing: number;
}

/**
 * Where the last `count` messages of a log file begin, found in blocks from its end; of a packed one, by reading it
 * once. An entry that is not the last part of its message is a part of the next one's of its stream. A message of
 * the other stream that lies between the parts of one that is counted is told with them.
 */
export async function tailOffset(file: OpenLog, count: number, format: LogFormat): Promise<Tail> {
  return file.isPacked ? await packedTail(file, count, format) : await plainTail(file, count, format);
}

async function plainTail({ handle }: OpenLog, count: number, format: LogFormat): Promise<Tail> {
  let { size: position } = await handle.stat();
  const found = new Counted(position, count);
  let rest = Buffer.alloc(0);
  while (position > 0) {
    const length = Math.min(BLOCK, position);
    position -= length;
    const block = Buffer.alloc(length);
    await handle.read(block, 0, length, position);
    const text = Buffer.concat([block, rest]);
    let end = text.length;
    for (let from = entryBefore(text, end, position, format); from !== undefined; ) {
      if (found.isWhole(position + from)) return { offset: found.start, missing: 0 };
      found.add(position + from, format.partOf(text, from, end));
      end = from;
      from = entryBefore(text, end, position, format);
    }
    if (end > format.longest) return { offset: found.start, missing: found.missing };
    rest = text.subarray(0, end);
  }
  // What stands before the first entry is none, and is told when all of the file is.
  return { offset: found.missing > 0 ? 0 : found.start, missing: found.missing };
}

/** The newest messages, entry by entry from the end. */
class Counted {
  /** Where the oldest entry that belongs to them begins. */
  start: number;
  missing: number;
  /** Of each stream that has been seen, whether its oldest message that is counted may have parts before. */
  readonly #isOpen = new Map<number, boolean>();

  constructor(end: number, count: number) {
    this.start = end;
    this.missing = count;
  }

  add(at: number, { stream, isLast, isFirst }: Part): void {
    // The newest entry of a stream is a message also when it has no end yet.
    const isMessage = isLast || !this.#isOpen.has(stream);
    const isCounted = isMessage ? this.missing > 0 : this.#isOpen.get(stream) === true;
    if (isCounted) this.start = at;
    if (isCounted && isMessage) this.missing -= 1;
    this.#isOpen.set(stream, isCounted && !isFirst);
  }

  /** Nothing at `at` or before is one of them. For the parts of a stream that says little only so much is searched. */
  isWhole(at: number): boolean {
    if (this.missing > 0) return false;
    return this.start - at > BLOCK || ![...this.#isOpen.values()].includes(true);
  }
}

function entryBefore(text: Buffer, end: number, position: number, format: LogFormat): number | undefined {
  if (end === 0) return undefined;
  return format.previous(text, end) ?? (position === 0 && format.isLine ? 0 : undefined);
}

/** A message, by where its first part begins and its newest one does. */
interface Span {
  readonly start: number;
  readonly newest: number;
}

async function packedTail(file: OpenLog, count: number, format: LogFormat): Promise<Tail> {
  const whole: Span[] = [];
  /** The message of each stream whose last part has not come. */
  const begun = new Map<number, Span>();
  let rest: Buffer = Buffer.alloc(0);
  let offset = 0;
  for await (const block of blocksOf(file, EVERYTHING)) {
    const text = rest.length === 0 ? block : Buffer.concat([rest, block]);
    let at = 0;
    for (let end = format.next(text, at, text.length); end !== undefined; ) {
      const { stream, isLast } = format.partOf(text, at, end);
      const newest = offset + at;
      const span = { start: begun.get(stream)?.start ?? newest, newest };
      if (isLast) whole.push(span);
      if (isLast) begun.delete(stream);
      else begun.set(stream, span);
      at = end;
      end = format.next(text, at, text.length);
    }
    if (whole.length > 2 * count + BLOCK) whole.splice(0, whole.length - count);
    offset += at;
    rest = text.subarray(at);
    if (rest.length > format.longest) break;
  }
  const all = [...whole, ...begun.values()].sort((one, other) => one.newest - other.newest);
  const missing = Math.max(count - all.length, 0);
  if (missing > 0) return { offset: 0, missing };
  const first = all.slice(all.length - count).reduce((least, { start }) => Math.min(least, start), offset);
  return { offset: first, missing };
}
