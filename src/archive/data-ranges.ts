import { failedWith, must, SEEK_DATA, SEEK_HOLE, seek } from "#host";

/** Bytes of a file that are no hole, from one offset up to another. */
export interface DataRange {
  readonly start: number;
  readonly end: number;
}

/**
 * The next data at or behind an offset. Undefined when there is none, or none any more: whoever owns the file may cut it off
 * between the two questions that this takes.
 */
export function nextData(
  descriptor: number,
  at: number,
  { what, ask = seek }: { readonly what: () => string; readonly ask?: typeof seek },
): DataRange | undefined {
  const start = ask(descriptor, at, SEEK_DATA);
  if (failedWith(start, "ENXIO")) return undefined;
  const end = ask(descriptor, must(start, what), SEEK_HOLE);
  return failedWith(end, "ENXIO") ? undefined : { start, end: must(end, what) };
}
