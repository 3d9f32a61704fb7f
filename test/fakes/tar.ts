import { type Entry, headerOf, paddingAfter, TRAILER } from "#archive";
import { byteString } from "../../src/archive/names.ts";

export interface TarMember extends Partial<Omit<Entry, "path" | "target" | "attributes" | "segments">> {
  /** UTF-8 text. */
  readonly path: string;
  readonly target?: string;
  readonly data?: string | Uint8Array;
  readonly attributes?: Readonly<Record<string, string | Uint8Array>>;
  readonly segments?: readonly { readonly offset: number; readonly data: string | Uint8Array }[];
}

/** A tar archive of these members, in this order. */
export function tarOf(members: readonly TarMember[]): Buffer {
  return Buffer.concat([...members.map(member), TRAILER]);
}

function member(given: TarMember): Buffer {
  const parts = given.segments?.map(({ data }) => Buffer.from(data as string)) ?? [
    Buffer.from(given.data ?? ""),
  ];
  const data = Buffer.concat(parts);
  const entry: Entry = {
    type: given.type ?? "file",
    path: byteString(given.path),
    target: byteString(given.target ?? ""),
    mode: given.mode ?? (given.type === "directory" ? 0o755 : 0o644),
    uid: given.uid ?? 0,
    gid: given.gid ?? 0,
    size: given.size ?? data.length,
    modified: given.modified ?? { seconds: 1_500_000_000, nanoseconds: 0 },
    major: given.major ?? 0,
    minor: given.minor ?? 0,
    attributes: new Map(
      Object.entries(given.attributes ?? {}).map(([name, value]) => [name, Buffer.from(value as string)]),
    ),
    ...(given.segments === undefined
      ? {}
      : { segments: given.segments.map(({ offset, data: text }) => ({ offset, length: text.length })) }),
  };
  return Buffer.concat([headerOf(entry), data, paddingAfter(data.length)]);
}

/** The archive in pieces of so many bytes, as a network would hand it over. */
export async function* inPieces(bytes: Uint8Array, length = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}
