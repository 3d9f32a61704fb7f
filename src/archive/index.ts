/**
 * Owns tar in both directions: dialects, whiteouts, ownership, attributes, sparse files, safe paths.
 * Refuses to know layers or images, and to touch a tree from a process that could leave it.
 * Called by `graph`, `builder` and `jobs`; `main` starts its other half.
 */
export type { CopyStyle } from "./copier.ts";
export { type CopyRequest, copyTree, measureTree } from "./copy.ts";
export { type Compression, compressionOf, decompress, foreignCompressionOf } from "./decompress.ts";
export type { ByteString, Entry, EntrySink, EntryType, Segment } from "./entry.ts";
export { EROFS_IMAGE, writeEmptyErofs } from "./erofs/unpacker.ts";
export { expand } from "./expand.ts";
export { type LayerRequest, type PackRequest, pack, packLayer } from "./pack.ts";
export type { PackStyle, Resource } from "./packer.ts";
export { insidePath, keepEnd, namesContent, namesDirectory, splitPath } from "./paths.ts";
export type { Placing } from "./placing.ts";
export { TarReader } from "./reader.ts";
export { sync } from "./sync.ts";
export { through } from "./through.ts";
export { type UnpackRequest, type UnpackStyle, unpack } from "./unpack.ts";
export type { Unpacked } from "./unpacked.ts";
export { type FileUnpackRequest, type GrowingFile, Unpackers } from "./unpackers.ts";
export { type Verified, verify } from "./verify.ts";
export {
  type Entrance,
  type Looked,
  lookInside,
  type Packed,
  type PutOptions,
  packInside,
  packLocal,
  packWhole,
  unpackInside,
  unpackLocal,
} from "./view.ts";
export { OPAQUE_MARKS, type WhiteoutStyle } from "./whiteouts.ts";
export { headerOf, paddingAfter, TRAILER } from "./writer.ts";
