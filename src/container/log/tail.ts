import type { FileHandle } from "node:fs/promises";
import { parseEntry } from "./entry.ts";

const BLOCK = 64 * 1024;
const NEWLINE = 0x0a;

/**
 * Where the last `count` messages of a log file begin, found in blocks from its end. An entry whose text does not
 * end in a newline is a part of the next message. `missing` is how many messages the file was short of.
 */
export async function tailOffset(
  file: FileHandle,
  count: number,
): Promise<{ readonly offset: number; readonly missing: number }> {
  const { size } = await file.stat();
  let missing = count;
  let start = size;
  let isLast = true;
  for await (const line of linesBackwards(file, size)) {
    // The newest entry is a message also when it has no end yet.
    if (isLast || endsMessage(line.bytes)) {
      if (missing === 0) return { offset: start, missing: 0 };
      missing -= 1;
    }
    isLast = false;
    start = line.offset;
  }
  return { offset: 0, missing };
}

function endsMessage(line: Uint8Array): boolean {
  return parseEntry(line)?.bytes.at(-1) === NEWLINE;
}

async function* linesBackwards(
  file: FileHandle,
  size: number,
): AsyncGenerator<{ offset: number; bytes: Uint8Array }> {
  let position = size;
  let rest = Buffer.alloc(0);
  while (position > 0) {
    const length = Math.min(BLOCK, position);
    position -= length;
    const block = Buffer.alloc(length);
    await file.read(block, 0, length, position);
    let text = Buffer.concat([block, rest]);
    for (let end = text.length; ; ) {
      const newline = text.lastIndexOf(NEWLINE, end - 2);
      if (newline < 0 || end < 2) {
        text = text.subarray(0, end);
        break;
      }
      yield { offset: position + newline + 1, bytes: text.subarray(newline + 1, end) };
      end = newline + 1;
    }
    rest = Buffer.from(text);
  }
  if (rest.length > 0) yield { offset: 0, bytes: rest };
}
