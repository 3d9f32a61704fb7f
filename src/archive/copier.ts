import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  readdirSync,
  readlinkSync,
} from "node:fs";
import {
  AT_FDCWD,
  changeDirectoryTo,
  changeOwnerAt,
  changeTimesAt,
  failedWith,
  getAttribute,
  linkAt,
  linkOpenFile,
  listAttributes,
  makeDirectoryAt,
  makeNodeAt,
  makeSymlinkAt,
  must,
  O_TMPFILE,
  openAt,
  setAttribute,
} from "#host";
import { isBarred } from "./attributes.ts";
import { copyData, dress, timesOf } from "./copy-file.ts";
import type { ByteString } from "./entry.ts";
import { cString, textOf } from "./names.ts";

const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW, O_DIRECTORY, O_NONBLOCK } = constants;
const { S_IFMT, S_IFDIR, S_IFREG, S_IFLNK } = constants;

/** `new`: the target is empty. `merge`: what is there stays, and each file appears whole or not at all. */
export type CopyStyle = "new" | "merge";

/** Two directories that are held open, and where they are below the roots. */
interface Pair {
  readonly source: number;
  readonly target: number;
  readonly path: ByteString;
}

interface Named {
  readonly name: ByteString;
  readonly path: ByteString;
}

interface Opened extends Disposable {
  readonly descriptor: number;
}

/**
 * Copies the content of a directory into another, with owner, mode, times, attributes, hard links, holes and devices;
 * blocks are shared where the file system can. Every name is looked up in a directory that is held open, so that
 * no link leads away, also when somebody changes the tree meanwhile. The working directory wanders.
 */
export class Copier {
  readonly #style: CopyStyle;
  readonly #root: number;
  /** First name in the target of each inode that has several. */
  readonly #links = new Map<string, ByteString>();
  #entries = 0;

  /** `target`: the directory to fill, open. */
  constructor(target: number, style: CopyStyle) {
    this.#root = target;
    this.#style = style;
  }

  /** Returns how many entries there were. The directory itself gets the look of its origin. */
  copy(source: number): number {
    this.#copyContent({ source, target: this.#root, path: "" });
    dress({ source, target: this.#root, path: "." }, fstatSync(source, { bigint: true }));
    return this.#entries;
  }

  #copyContent(pair: Pair): void {
    enter(pair.source, pair.path);
    for (const raw of readdirSync(".", { encoding: "buffer" })) {
      const name = Buffer.from(raw).toString("latin1");
      enter(pair.source, pair.path);
      const stats = lstatSync(Buffer.from(name, "latin1"), { bigint: true, throwIfNoEntry: false });
      if (stats === undefined) continue; // It has gone meanwhile.
      this.#entries++;
      this.#copyEntry(pair, { name, path: pair.path === "" ? name : `${pair.path}/${name}` }, stats);
    }
  }

  #copyEntry(pair: Pair, named: Named, stats: BigIntStats): void {
    const type = Number(stats.mode) & S_IFMT;
    if (type === S_IFDIR) {
      this.#copyDirectory(pair, named);
      return;
    }
    const key = `${stats.dev}:${stats.ino}`;
    const first = stats.nlink > 1n ? this.#links.get(key) : undefined;
    if (first !== undefined) {
      const made = linkAt(this.#root, cString(first), pair.target, cString(named.name));
      this.#isNew(made, named.path);
      return;
    }
    if (stats.nlink > 1n) this.#links.set(key, named.path);
    if (type === S_IFREG) this.#copyFile(pair, named);
    else this.#copyNode(pair, named, stats);
  }

  #copyDirectory(pair: Pair, { name, path }: Named): void {
    using source = opened(openAt(AT_FDCWD, cString(name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW), path);
    this.#isNew(makeDirectoryAt(pair.target, cString(name), 0o700), path);
    using target = opened(openAt(pair.target, cString(name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW), path);
    const inner = { source: source.descriptor, target: target.descriptor, path };
    this.#copyContent(inner);
    // Last: what is made in it touches its times.
    dress(inner, fstatSync(inner.source, { bigint: true }));
  }

  #copyFile(pair: Pair, { name, path }: Named): void {
    using source = opened(openAt(AT_FDCWD, cString(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK), path);
    const stats = fstatSync(source.descriptor, { bigint: true });
    if ((Number(stats.mode) & S_IFMT) !== S_IFREG) return;
    const nameless =
      this.#style === "merge" ? openAt(pair.target, cString("."), O_RDWR | O_TMPFILE, 0o600) : -1;
    const flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW;
    const made = nameless >= 0 ? nameless : openAt(pair.target, cString(name), flags, 0o600);
    if (!this.#isNew(made, path)) return;
    using target = opened(made, path);
    const inner = { source: source.descriptor, target: target.descriptor, path };
    copyData(inner, Number(stats.size));
    dress(inner, stats);
    if (nameless >= 0) this.#isNew(linkOpenFile(nameless, pair.target, cString(name)), path);
  }

  /** Links, devices, pipes and sockets: what cannot be opened to be looked at. */
  #copyNode(pair: Pair, { name, path }: Named, stats: BigIntStats): void {
    const isLink = (Number(stats.mode) & S_IFMT) === S_IFLNK;
    const own = cString(name);
    const attributes = listAttributes(own)
      .filter((key) => !isBarred(key))
      .map((key) => [cString(key), getAttribute(own, cString(key))] as const);
    const made = isLink
      ? makeSymlinkAt(cString(readlinkSync(Buffer.from(name, "latin1"), "latin1")), pair.target, own)
      : makeNodeAt(pair.target, own, Number(stats.mode), Number(stats.rdev));
    if (!this.#isNew(made, path)) return;
    const owner = { uid: Number(stats.uid), gid: Number(stats.gid) };
    must(changeOwnerAt(pair.target, own, owner), () => `change the owner of ${textOf(path)}`);
    if (attributes.length > 0) {
      enter(pair.target, pair.path);
      for (const [key, value] of attributes) if (value !== undefined) setAttribute(own, key, value);
    }
    must(changeTimesAt(pair.target, own, timesOf(stats)), () => `change the times of ${textOf(path)}`);
  }

  /** False for what is there already, where that may be. */
  #isNew(result: number, path: ByteString): boolean {
    if (this.#style === "merge" && failedWith(result, "EEXIST")) return false;
    must(result, () => `make ${textOf(path)}`);
    return true;
  }
}

function enter(directory: number, path: ByteString): void {
  must(changeDirectoryTo(directory), () => `enter ${textOf(path)}`);
}

function opened(result: number, path: ByteString): Opened {
  const descriptor = must(result, () => `open ${textOf(path)}`);
  return { descriptor, [Symbol.dispose]: () => closeSync(descriptor) };
}
