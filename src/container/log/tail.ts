import { blocksOf, type OpenLog } from "./files.ts";
import type { LogFormat } from "./format.ts";

const BLOCK = 64 * 1024;
const EVERYTHING = { offset: 0, limit: Number.POSITIVE_INFINITY };

export interface Tail {
  readonly offset: number;
  /** How many messages the file was short of. */
  readonly missing: number;
}

/**
 * Where the last `count` messages of a log file begin, found in blocks from its end; of a packed one, by reading it
 * once. An entry that is not the last part of its message is a part of the next one's.
 */
export async function tailOffset(file: OpenLog, count: number, format: LogFormat): Promise<Tail> {
  return file.isPacked ? await packedTail(file, count, format) : await plainTail(file, count, format);
}

async function plainTail({ handle }: OpenLog, count: number, format: LogFormat): Promise<Tail> {
  let { size: position } = await handle.stat();
  let missing = count;
  let start = position;
  let isLast = true;
  let rest = Buffer.alloc(0);
  while (position > 0) {
    const length = Math.min(BLOCK, position);
    position -= length;
    const block = Buffer.alloc(length);
    await handle.read(block, 0, length, position);
    const text = Buffer.concat([block, rest]);
    let end = text.length;
    for (let from = entryBefore(text, end, position, format); from !== undefined; ) {
      // The newest entry is a message also when it has no end yet.
      if (isLast || format.endsMessage(text, from, end)) {
        if (missing === 0) return { offset: start, missing };
        missing -= 1;
      }
      isLast = false;
      start = position + from;
      end = from;
      from = entryBefore(text, end, position, format);
    }
    if (end > format.longest) return { offset: start, missing };
    rest = text.subarray(0, end);
  }
  return { offset: 0, missing };
}

function entryBefore(text: Buffer, end: number, position: number, format: LogFormat): number | undefined {
  if (end === 0) return undefined;
  return format.previous(text, end) ?? (position === 0 && format.isLine ? 0 : undefined);
}

async function packedTail(file: OpenLog, count: number, format: LogFormat): Promise<Tail> {
  const starts: number[] = [];
  let rest: Buffer = Buffer.alloc(0);
  let offset = 0;
  let isNew = true;
  for await (const block of blocksOf(file, EVERYTHING)) {
    const text = rest.length === 0 ? block : Buffer.concat([rest, block]);
    let at = 0;
    for (let end = format.next(text, at, text.length); end !== undefined; ) {
      if (isNew) starts.push(offset + at);
      isNew = format.endsMessage(text, at, end);
      at = end;
      end = format.next(text, at, text.length);
    }
    if (starts.length > 2 * count + BLOCK) starts.splice(0, starts.length - count);
    offset += at;
    rest = text.subarray(at);
    if (rest.length > format.longest) break;
  }
  const missing = Math.max(count - starts.length, 0);
  return { offset: count === 0 ? offset : (starts.at(-count) ?? 0), missing };
}
