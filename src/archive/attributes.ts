import { Fault } from "#errors";
import { failedWith, must, setAttribute } from "#host";
import type { ByteString, Entry } from "./entry.ts";
import { textOf } from "./names.ts";

/** What would steer overlayfs or the host's policy from inside an image. */
const BARRED = ["trusted.overlay.", "user.overlay.", "user.fuseoverlayfs.", "security.selinux"];
/** Source: Linux, include/uapi/linux/limits.h, XATTR_SIZE_MAX; EROFS keeps one less. */
export const VALUE_LIMIT = 0xffff;

export function isBarred(name: ByteString): boolean {
  return BARRED.some((barred) => name.startsWith(barred));
}

/**
 * Sets what the entry carries, but for what is barred; a file system that keeps no attributes loses `user.` ones, and
 * who may not set one goes without.
 */
export function applyAttributes(path: Buffer, entry: Entry): void {
  for (const [name, value] of entry.attributes) {
    if (isBarred(name)) continue;
    if (value.length > VALUE_LIMIT || name.includes("\0"))
      throw new Fault("invalid", `Cannot unpack ${textOf(entry.path)}: an extended attribute is malformed`);
    const result = setAttribute(path, Buffer.from(`${name}\0`, "latin1"), value);
    if (failedWith(result, "ENOTSUP") && name !== "security.capability") continue;
    if (failedWith(result, "EPERM") && (name.startsWith("trusted.") || process.geteuid?.() !== 0)) continue;
    must(result, () => `set the attribute ${textOf(name)} of ${textOf(entry.path)}`);
  }
}
