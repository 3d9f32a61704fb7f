import { closeSync, constants, openSync, readlinkSync, readSync, type Stats } from "node:fs";
import { getAttribute } from "#host";
import { isBarred } from "./attributes.ts";
import type { ByteString, Entry, EntrySink } from "./entry.ts";
import { baseOf, cleanPath, cString, parentOf, textOf } from "./names.ts";
import { lookAt } from "./tree.ts";

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, S_IFMT, S_IFREG, S_IFDIR, S_IFLNK, S_IFCHR, S_IFBLK, S_IFIFO } =
  constants;
const READ_BYTES = 1024 * 1024;
/** Of a tree that is damaged all through, the first differences are enough. */
const MOST_DIFFERENCES = 20;
/** Times that every file system can keep. Seconds. */
const LATEST = 2 ** 32;
const TIME = "has another time of its last change";
const PERMISSIONS = 0o7777;
const TYPES: Readonly<Record<Entry["type"], number>> = {
  file: S_IFREG,
  hardlink: S_IFREG,
  directory: S_IFDIR,
  symlink: S_IFLNK,
  character: S_IFCHR,
  block: S_IFBLK,
  fifo: S_IFIFO,
};

/** What an archive says of a path: the entry and the digest of its bytes, or that there is nothing. */
type Expected = { readonly entry: Entry; readonly digest?: string } | "nothing";

/**
 * Compares a layer's archive with the tree in the working directory, which must be in the root of a process of its own. The
 * tree may hold more: what the layers below brought.
 */
export class Verifier implements EntrySink {
  readonly #expected = new Map<ByteString, Expected>();
  readonly #differences: string[] = [];
  readonly #buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  #current:
    | { readonly path: ByteString; readonly entry: Entry; readonly hash: Bun.CryptoHasher | undefined }
    | undefined;

  begin(entry: Entry): void {
    const path = cleanPath(entry.path);
    const base = baseOf(path);
    if (base.startsWith(".wh.")) {
      const hidden = base.slice(".wh.".length);
      const parent = parentOf(path);
      const at = parent === "" ? hidden : `${parent}/${hidden}`;
      // Marks speak of the layers below: what the archive itself brought stays.
      if (!hidden.startsWith(".wh.") && !this.#expected.has(at)) this.#expected.set(at, "nothing");
      return;
    }
    if (entry.type !== "directory") this.#forgetBelow(path);
    const isPlain = entry.type === "file" && entry.segments === undefined;
    this.#current = { path, entry, hash: isPlain ? new Bun.CryptoHasher("sha256") : undefined };
  }

  data(bytes: Uint8Array): void {
    this.#current?.hash?.update(bytes);
  }

  finish(): void {
    if (this.#current === undefined) return;
    const { path, entry, hash } = this.#current;
    this.#current = undefined;
    if (entry.type === "hardlink") {
      const target = this.#expected.get(cleanPath(entry.target));
      if (target !== undefined) this.#expected.set(path, target);
    } else this.#expected.set(path, { entry, ...(hash !== undefined && { digest: hash.digest("hex") }) });
  }

  /** Sentences on what is not as the archive says, the first of them; and how many entries were looked at. */
  end(): { readonly differences: readonly string[]; readonly entries: number } {
    for (const [path, expected] of this.#expected) {
      if (this.#differences.length >= MOST_DIFFERENCES) break;
      const difference = this.#compare(path, expected);
      if (difference !== undefined) this.#differences.push(`/${textOf(path)} ${difference}`);
    }
    // What happened in a directory says more than that something happened.
    const [most, times] = [false, true].map((isTime) =>
      this.#differences.filter((one) => one.endsWith(TIME) === isTime),
    );
    return { differences: [...(most ?? []), ...(times ?? [])], entries: this.#expected.size };
  }

  #forgetBelow(path: ByteString): void {
    const before = this.#expected.get(path);
    if (before === undefined || before === "nothing" || before.entry.type !== "directory") return;
    for (const other of this.#expected.keys()) if (other.startsWith(`${path}/`)) this.#expected.delete(other);
  }

  #compare(path: ByteString, expected: Expected): string | undefined {
    const stats = lookAt(path);
    if (expected === "nothing") return stats === undefined ? undefined : "is there and was removed";
    if (stats === undefined) return "is missing";
    const { entry } = expected;
    return (
      compareLooks(entry, stats) ??
      compareMeaning(path, entry, stats) ??
      this.#compareData(path, expected) ??
      compareTime(entry, stats)
    );
  }

  #compareData(path: ByteString, { digest }: Exclude<Expected, "nothing">): string | undefined {
    if (digest === undefined) return undefined;
    const hash = new Bun.CryptoHasher("sha256");
    try {
      const file = openSync(Buffer.from(path, "latin1"), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
      try {
        for (;;) {
          const length = readSync(file, this.#buffer, 0, READ_BYTES, null);
          if (length === 0) break;
          hash.update(this.#buffer.subarray(0, length));
        }
      } finally {
        closeSync(file);
      }
    } catch (thrown) {
      return `cannot be read (${thrown instanceof Error && "code" in thrown ? thrown.code : thrown})`;
    }
    return hash.digest("hex") === digest ? undefined : "has other content";
  }
}

function compareLooks(entry: Entry, stats: Stats): string | undefined {
  if ((stats.mode & S_IFMT) !== TYPES[entry.type]) return `is no ${entry.type}`;
  if (entry.type !== "symlink" && (stats.mode & PERMISSIONS) !== entry.mode)
    return `has the mode ${(stats.mode & PERMISSIONS).toString(8)} instead of ${entry.mode.toString(8)}`;
  if (stats.uid !== entry.uid || stats.gid !== entry.gid)
    return `belongs to ${stats.uid}:${stats.gid} instead of ${entry.uid}:${entry.gid}`;
  return undefined;
}

function compareTime(entry: Entry, stats: Stats): string | undefined {
  const { seconds, nanoseconds } = entry.modified;
  const isKeepable = seconds >= 0 && seconds < LATEST;
  // Some file systems know whole seconds only.
  if (isKeepable && Math.abs(stats.mtimeMs / 1000 - seconds - nanoseconds / 1e9) >= 1) return TIME;
  return undefined;
}

function compareMeaning(path: ByteString, entry: Entry, stats: Stats): string | undefined {
  if (entry.type === "file" && stats.size !== entry.size)
    return `has ${stats.size} bytes instead of ${entry.size}`;
  if (entry.type === "symlink" && readlinkSync(Buffer.from(path, "latin1"), "latin1") !== entry.target)
    return "leads elsewhere";
  for (const [name, value] of entry.attributes)
    if (!isBarred(name) && !isSame(getAttribute(cString(path === "" ? "." : path), cString(name)), value))
      return `has another extended attribute ${textOf(name)}`;
  return undefined;
}

/** One that the file system does not keep is no damage. */
function isSame(found: Uint8Array | undefined, wanted: Uint8Array): boolean {
  return found === undefined || Buffer.compare(found, wanted) === 0;
}
