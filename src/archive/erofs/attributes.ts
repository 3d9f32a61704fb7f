import { VALUE_LIMIT } from "../attributes.ts";
import type { ByteString } from "../entry.ts";
import { refused } from "../names.ts";

/** Source: Linux, fs/erofs/erofs_fs.h, "Name indexes"; those without a rest are whole names. */
const PREFIXES: readonly (readonly [prefix: string, index: number])[] = [
  ["user.", 1],
  ["trusted.", 4],
  ["security.", 6],
];
const WHOLE_NAMES: Readonly<Record<string, number>> = {
  "system.posix_acl_access": 2,
  "system.posix_acl_default": 3,
};
const HEADER_BYTES = 12;
const NAME_LIMIT = 255;
/** The inode counts the words of the body in 16 bits. */
const BODY_LIMIT = HEADER_BYTES + 4 * (0xffff - 1);
const NONE = Buffer.alloc(0);

/** The body that follows an inode. Names of other kinds than the kernel's are left out, as other file systems do. */
export function encodeAttributes(
  attributes: ReadonlyMap<ByteString, Uint8Array>,
  path: ByteString,
): Buffer<ArrayBuffer> {
  if (attributes.size === 0) return NONE;
  const parts: Buffer[] = [];
  for (const [name, value] of attributes) {
    const part = encodeOne(name, value, path);
    if (part !== undefined) parts.push(part);
  }
  if (parts.length === 0) return NONE;
  const body = Buffer.concat([Buffer.alloc(HEADER_BYTES), ...parts]);
  if (body.length > BODY_LIMIT)
    throw refused(path, `its extended attributes take more than ${BODY_LIMIT} bytes`);
  return body;
}

function encodeOne(name: ByteString, value: Uint8Array, path: ByteString): Buffer | undefined {
  const prefix = PREFIXES.find(([start]) => name.startsWith(start));
  const index = WHOLE_NAMES[name] ?? prefix?.[1];
  if (index === undefined) return undefined;
  const rest = name in WHOLE_NAMES ? "" : name.slice(prefix?.[0].length);
  if (name.length > NAME_LIMIT || name.includes("\0") || value.length > VALUE_LIMIT)
    throw refused(path, "an extended attribute is malformed");
  const part = Buffer.alloc(Math.ceil((4 + rest.length + value.length) / 4) * 4);
  part.writeUInt8(rest.length, 0);
  part.writeUInt8(index, 1);
  part.writeUInt16LE(value.length, 2);
  part.write(rest, 4, "latin1");
  part.set(value, 4 + rest.length);
  return part;
}
