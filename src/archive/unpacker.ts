import { constants } from "node:fs";
import {
  AT_FDCWD,
  changeModeAt,
  changeModeOf,
  changeOwnerAt,
  changeOwnerOf,
  changeTimesAt,
  changeTimesOf,
  close,
  failedWith,
  linkAt,
  makeDevice,
  makeDirectoryAt,
  makeNodeAt,
  makeSymlinkAt,
  must,
  openAt,
  seek,
  setUmask,
  type TimeSpec,
  truncate,
  write,
} from "#host";
import { applyAttributes } from "./attributes.ts";
import type { ByteString, Entry, EntrySink } from "./entry.ts";
import { cleanPath, cString, parentOf, refused, textOf } from "./names.ts";
import { demandBeneath, demandKind, type Placing, placed } from "./placing.ts";
import { SpaceGuard } from "./space.ts";
import { isWhiteout, lookAt, makeParents, removeTree } from "./tree.ts";
import { type WhiteoutStyle, type Whiteouts, whiteoutsFor } from "./whiteouts.ts";

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, S_IFCHR, S_IFBLK, S_IFIFO } = constants;
/** Larger files no file system of today keeps, with holes or without. */
const SIZE_LIMIT = 16 * 2 ** 40 - 1;
const SPECIAL_BITS = 0o7000;
const ROOT = cString(".");
const NODE_KINDS = { character: S_IFCHR, block: S_IFBLK, fifo: S_IFIFO } as const;

export interface UnpackTotals {
  /** Bytes of file data, holes excluded. */
  readonly bytes: number;
  readonly entries: number;
}

/**
 * Applies entries to the working directory, which must be in the root of a process of its own (chroot): no link
 * in the tree or the archive can lead out of that. Owners, modes, times and attributes become exactly as told.
 */
export class Unpacker implements EntrySink {
  readonly #whiteouts: Whiteouts;
  readonly #space = new SpaceGuard(".");
  /** What this archive brought: only needed where what was there before is to be told from it. */
  readonly #made: Set<ByteString> | undefined;
  /** Directories get their times when nothing is put into them any more. */
  readonly #directoryTimes = new Map<ByteString, TimeSpec>();
  /** Modes and groups as the kernel makes them are right, until directories pass on ACLs or groups. */
  #isInheriting: boolean;
  #entry: Entry | undefined;
  #path: Buffer = ROOT;
  #file = -1;
  #offset = 0;
  #bytes = 0;
  #entries = 0;

  readonly #placing: Placing;

  constructor(whiteouts: WhiteoutStyle, placing: Placing = {}) {
    this.#placing = placing;
    this.#made = whiteouts === "delete" ? new Set() : undefined;
    this.#isInheriting = whiteouts !== "overlay";
    this.#whiteouts = whiteoutsFor(whiteouts, (path) => this.#made?.has(path) ?? false);
    setUmask(0);
  }

  begin(told: Entry): void {
    const entry = placed(told, this.#placing);
    const path = cleanPath(entry.path);
    this.#entries++;
    this.#space.madeFile();
    if (this.#whiteouts.apply(path) || (path === "" && this.#placing.keepsRoot === true)) return;
    this.#check(path, entry);
    this.#remember(path);
    this.#entry = entry;
    this.#path = path === "" ? ROOT : cString(path);
    if (entry.type === "directory" || path === "") this.#makeDirectory(path, entry);
    else this.#makeOther(path, entry);
    this.#isInheriting ||= (entry.mode & 0o2000) !== 0 || entry.attributes.size > 0;
  }

  data(bytes: Uint8Array, offset: number): void {
    if (this.#file < 0) return;
    if (offset !== this.#offset) must(seek(this.#file, offset, 0), () => this.#doing("write"));
    for (let done = 0; done < bytes.length; )
      done += must(write(this.#file, done === 0 ? bytes : bytes.subarray(done)), () => this.#doing("write"));
    this.#offset = offset + bytes.length;
    this.#bytes += bytes.length;
    this.#space.wrote(bytes.length);
  }

  finish(): void {
    if (this.#file >= 0 && this.#entry !== undefined) this.#finishFile(this.#entry);
    this.#entry = undefined;
  }

  /** Sets what can only be set at the end. */
  end(): UnpackTotals {
    for (const [path, modified] of this.#directoryTimes)
      changeTimesAt(AT_FDCWD, path === "" ? ROOT : cString(path), { accessed: modified, modified });
    return { bytes: this.#bytes, entries: this.#entries };
  }

  /** What the caller wants not to be done, before anything is. */
  #check(path: ByteString, entry: Entry): void {
    const { isBound, keepsKinds } = this.#placing;
    if (isBound === true) demandBeneath(path);
    if (isBound === true && entry.type === "hardlink") demandBeneath(cleanPath(entry.target));
    const present = keepsKinds === true && path !== "" ? lookAt(path) : undefined;
    if (present !== undefined) demandKind(path, { present, entry });
  }

  #changeOwner(entry: Entry): void {
    if (this.#placing.owner === "nobody") return;
    must(changeOwnerAt(AT_FDCWD, this.#path, entry), () => this.#doing("change the owner of"));
  }

  #remember(path: ByteString): void {
    if (this.#made === undefined) return;
    for (let at = path; at !== "" && !this.#made.has(at); at = parentOf(at)) this.#made.add(at);
  }

  #doing(verb: string): string {
    return `${verb} ${textOf(this.#entry?.path ?? "")}`;
  }

  #mustBePlaced(result: number, entry: Entry): void {
    if (failedWith(result, "ENOENT") || failedWith(result, "ENOTDIR") || failedWith(result, "ELOOP"))
      throw refused(entry.path, "what leads to it is no directory of this archive");
    must(result, () => this.#doing(`make the ${entry.type}`));
  }

  #makeDirectory(path: ByteString, entry: Entry): void {
    if (entry.type !== "directory") throw refused(entry.path, "the root can only be a directory");
    const result = path === "" ? 0 : this.#tryDirectory(path, entry);
    this.#mustBePlaced(result, entry);
    this.#changeOwner(entry);
    must(changeModeAt(AT_FDCWD, this.#path, entry.mode), () => this.#doing("change the mode of"));
    applyAttributes(this.#path, entry);
    this.#directoryTimes.set(path, entry.modified);
  }

  #tryDirectory(path: ByteString, entry: Entry): number {
    const result = makeDirectoryAt(AT_FDCWD, this.#path, entry.mode);
    if (failedWith(result, "ENOENT")) {
      makeParents(path);
      return makeDirectoryAt(AT_FDCWD, this.#path, entry.mode);
    }
    if (!failedWith(result, "EEXIST")) return result;
    const present = lookAt(path);
    if (present?.isDirectory()) return 0;
    removeTree(path);
    const made = makeDirectoryAt(AT_FDCWD, this.#path, entry.mode);
    if (made >= 0 && present !== undefined && isWhiteout(present)) this.#whiteouts.replacedByDirectory(path);
    return made;
  }

  #makeOther(path: ByteString, entry: Entry): void {
    const make = this.#maker(entry);
    let result = make();
    if (failedWith(result, "ENOENT")) {
      makeParents(path);
      result = make();
    } else if (failedWith(result, "EEXIST")) {
      removeTree(path);
      result = make();
    }
    this.#directoryTimes.delete(path);
    this.#mustBePlaced(result, entry);
    if (entry.type === "file") this.#file = result;
    else if (entry.type !== "hardlink") this.#finishOther(entry);
  }

  #maker(entry: Entry): () => number {
    if (entry.type === "file") return this.#fileMaker(entry);
    if (entry.type === "symlink") return this.#symlinkMaker(entry);
    if (entry.type === "hardlink") return this.#linkMaker(entry);
    if (entry.type === "character" && entry.major === 0 && entry.minor === 0)
      throw refused(entry.path, "a character device 0:0 would hide files of other layers");
    const kind = NODE_KINDS[entry.type as keyof typeof NODE_KINDS];
    const device = entry.type === "fifo" ? 0 : makeDevice(entry.major, entry.minor);
    return () => makeNodeAt(AT_FDCWD, this.#path, kind | entry.mode, device);
  }

  #fileMaker(entry: Entry): () => number {
    if (entry.size > SIZE_LIMIT)
      throw refused(entry.path, `its size of ${entry.size} bytes exceeds every disk`);
    const mode = entry.mode & ~SPECIAL_BITS;
    return () => openAt(AT_FDCWD, this.#path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
  }

  #symlinkMaker(entry: Entry): () => number {
    if (entry.target === "" || entry.target.includes("\0"))
      throw refused(entry.path, "it links to no valid name");
    const target = cString(entry.target);
    return () => makeSymlinkAt(target, AT_FDCWD, this.#path);
  }

  #linkMaker(entry: Entry): () => number {
    const target = cleanPath(entry.target);
    const present = target === "" ? undefined : lookAt(target);
    if (present === undefined || present.isDirectory() || isWhiteout(present))
      throw refused(
        entry.path,
        `it is a hard link to ${JSON.stringify(textOf(target))}, which is no file of this archive`,
      );
    const from = cString(target);
    if (target === cleanPath(entry.path)) return () => 0;
    return () => linkAt(AT_FDCWD, from, AT_FDCWD, this.#path);
  }

  /** Order matters: a change of owner clears set-uid and capabilities, every change touches the times. */
  #finishOther(entry: Entry): void {
    this.#changeOwner(entry);
    if (entry.type !== "symlink")
      must(changeModeAt(AT_FDCWD, this.#path, entry.mode), () => this.#doing("change the mode of"));
    applyAttributes(this.#path, entry);
    const times = { accessed: entry.modified, modified: entry.modified };
    must(changeTimesAt(AT_FDCWD, this.#path, times), () => this.#doing("change the times of"));
  }

  #finishFile(entry: Entry): void {
    const file = this.#file;
    this.#file = -1;
    if (this.#offset !== entry.size) must(truncate(file, entry.size), () => this.#doing("set the size of"));
    this.#offset = 0;
    const isOwners = this.#placing.owner !== "nobody";
    if (isOwners && (entry.uid !== 0 || entry.gid !== 0 || this.#isInheriting))
      must(changeOwnerOf(file, entry.uid, entry.gid), () => this.#doing("change the owner of"));
    if ((entry.mode & SPECIAL_BITS) !== 0 || this.#isInheriting)
      must(changeModeOf(file, entry.mode), () => this.#doing("change the mode of"));
    if (entry.attributes.size > 0) applyAttributes(this.#path, entry);
    must(changeTimesOf(file, entry.modified, entry.modified), () => this.#doing("change the times of"));
    close(file);
  }
}
