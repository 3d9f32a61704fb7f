import { closeSync, openSync, readSync } from "node:fs";

const PAGE_BYTES = 4096;
/** Of an entry of /proc/PID/pagemap. Source: Documentation/admin-guide/mm/pagemap.rst. */
const PRESENT = 1n << 63n;
const OF_FILE = 1n << 61n;
/** ELF-64. Source: elf(5), Elf64_Ehdr and Elf64_Shdr. */
const ELF = { sectionOffset: 40, sectionCount: 60, namesIndex: 62, headerBytes: 64 };
const SECTION = { bytes: 64, address: 16, offset: 24, size: 32 };
/** Where a compiled program keeps what it was compiled from. */
const PAYLOAD = ".bun";

export interface Part {
  readonly start: number;
  readonly length: number;
}

/**
 * The pages of the program's own scripts that are in memory and still are what the file holds. They lie in memory
 * that could be written to, and that nobody writes to: the kernel says of each page whether it is the file's.
 */
export function cleanPayload(program = "/proc/self/exe"): readonly Part[] {
  const payload = sectionOf(program, PAYLOAD);
  if (payload === undefined) return [];
  const first = Math.ceil(payload.start / PAGE_BYTES);
  const count = Math.max(0, Math.floor((payload.start + payload.length) / PAGE_BYTES) - first);
  return runsOfFile(readAt("/proc/self/pagemap", first * 8, count * 8), first);
}

/** Runs of pages, of entries that begin with that of page `first`. */
export function runsOfFile(entries: Uint8Array, first: number): readonly Part[] {
  const view = new DataView(entries.buffer, entries.byteOffset, entries.byteLength);
  const runs: { start: number; length: number }[] = [];
  let last: { start: number; length: number } | undefined;
  for (let page = 0; page * 8 + 8 <= entries.length; page += 1) {
    const entry = view.getBigUint64(page * 8, true);
    if ((entry & (PRESENT | OF_FILE)) !== (PRESENT | OF_FILE)) last = undefined;
    else if (last !== undefined) last.length += PAGE_BYTES;
    else {
      last = { start: (first + page) * PAGE_BYTES, length: PAGE_BYTES };
      runs.push(last);
    }
  }
  return runs;
}

/** Where a section lies in memory; undefined where the program has none of that name. */
export function sectionOf(program: string, name: string): Part | undefined {
  const header = viewOf(readAt(program, 0, ELF.headerBytes));
  if (header.byteLength < ELF.headerBytes || header.getUint32(0, false) !== 0x7f454c46) return undefined;
  const count = header.getUint16(ELF.sectionCount, true);
  const offset = Number(header.getBigUint64(ELF.sectionOffset, true));
  const table = viewOf(readAt(program, offset, count * SECTION.bytes));
  const field = (index: number, at: number) => Number(table.getBigUint64(index * SECTION.bytes + at, true));
  if (table.byteLength < count * SECTION.bytes) return undefined;
  const namesIndex = header.getUint16(ELF.namesIndex, true);
  const names = readAt(program, field(namesIndex, SECTION.offset), field(namesIndex, SECTION.size));
  for (let index = 0; index < count; index += 1) {
    const at = table.getUint32(index * SECTION.bytes, true);
    if (Buffer.from(names).toString("latin1", at, names.indexOf(0, at)) === name)
      return { start: field(index, SECTION.address), length: field(index, SECTION.size) };
  }
  return undefined;
}

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** What can be had of so many bytes; none where nothing can be read. */
function readAt(path: string, position: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, "r");
    return bytes.subarray(0, readSync(descriptor, bytes, 0, length, position));
  } catch {
    return bytes.subarray(0, 0);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
