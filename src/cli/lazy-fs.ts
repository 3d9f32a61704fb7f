/** Loaded when first needed: a command that reads and writes no file starts sooner by a tenth without it. */
export const fs = () => process.getBuiltinModule("node:fs");

/**
 * What a small file says, without loading node:fs. Undefined when there is no such file.
 * @throws what opening it says, with its code; a RangeError when it is larger than so many bytes
 */
export function readSmallFile(path: string, limit: number): string | undefined {
  let bytes: Uint8Array;
  try {
    bytes = Bun.mmap(path);
  } catch (thrown) {
    const code = thrown instanceof Error && "code" in thrown ? thrown.code : "";
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    // There is nothing to map in an empty file, and in some that are made up as they are read.
    if (code === "EINVAL" || code === "ENODEV") return fs().readFileSync(path, "utf8");
    throw thrown;
  }
  if (bytes.length > limit) throw new RangeError(`it is larger than ${limit} bytes`);
  return new TextDecoder().decode(bytes);
}
