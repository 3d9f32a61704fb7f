import {
  type BigIntStats,
  closeSync,
  constants,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
} from "node:fs";
import {
  AT_FDCWD,
  changeModeAt,
  changeOwnerAt,
  changeTimesAt,
  cloneFile,
  copyFileRange,
  failedWith,
  getAttribute,
  linkAt,
  listAttributes,
  makeDirectoryAt,
  makeNodeAt,
  makeSymlinkAt,
  must,
  SEEK_DATA,
  SEEK_HOLE,
  seek,
  setAttribute,
  type TimeSpec,
  truncate,
} from "#host";

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, S_IFMT, S_IFDIR, S_IFREG, S_IFLNK } = constants;
/** So many entries are copied before other work of this process gets its turn. */
const ENTRIES_PER_TURN = 64;

/** Names are bytes: paths are kept as such. */
type Path = Buffer;

/**
 * Copies a tree exactly: owners, modes, times, attributes, hard links, holes, devices. Blocks are shared
 * where the file system can. `to` must not exist.
 */
export async function copyTree(from: string, to: string): Promise<void> {
  const links = new Map<bigint, Path>();
  const directories: { readonly path: Path; readonly stats: BigIntStats }[] = [];
  const pending: [Path, Path][] = [[Buffer.from(from), Buffer.from(to)]];
  for (let count = 1; ; count++) {
    const [source, target] = pending.pop() ?? [];
    if (source === undefined || target === undefined) break;
    const stats = lstatSync(source, { bigint: true });
    copyEntry({ source, target, stats }, links);
    if (typeOf(stats) === S_IFDIR) {
      directories.push({ path: target, stats });
      for (const name of readdirSync(source, { encoding: "buffer" }))
        pending.push([join(source, name), join(target, name)]);
    }
    if (count % ENTRIES_PER_TURN === 0) await new Promise(setImmediate);
  }
  for (const { path, stats } of directories) applyTimes(path, stats);
}

interface Copying {
  readonly source: Path;
  readonly target: Path;
  readonly stats: BigIntStats;
}

function copyEntry({ source, target, stats }: Copying, links: Map<bigint, Path>): void {
  const type = typeOf(stats);
  const known = stats.nlink > 1n && type !== S_IFDIR ? links.get(stats.ino) : undefined;
  if (known !== undefined) {
    must(linkAt(AT_FDCWD, cString(known), AT_FDCWD, cString(target)), () => `link ${target}`);
    return;
  }
  if (stats.nlink > 1n) links.set(stats.ino, target);
  const path = cString(target);
  if (type === S_IFDIR) must(makeDirectoryAt(AT_FDCWD, path, 0o700), () => `make ${target}`);
  else if (type === S_IFREG) copyFile({ source, target, stats });
  else if (type === S_IFLNK)
    must(
      makeSymlinkAt(cString(readlinkSync(source, { encoding: "buffer" })), AT_FDCWD, path),
      () => `make ${target}`,
    );
  else must(makeNodeAt(AT_FDCWD, path, Number(stats.mode), Number(stats.rdev)), () => `make ${target}`);
  applyLook({ source, target, stats });
}

/** Order matters: a change of owner clears set-uid and capabilities, every change touches the times. */
function applyLook({ source, target, stats }: Copying): void {
  const path = cString(target);
  const owner = { uid: Number(stats.uid), gid: Number(stats.gid) };
  must(changeOwnerAt(AT_FDCWD, path, owner), () => `change the owner of ${target}`);
  if (typeOf(stats) !== S_IFLNK)
    must(changeModeAt(AT_FDCWD, path, Number(stats.mode) & 0o7777), () => `change the mode of ${target}`);
  for (const name of listAttributes(cString(source))) {
    const key = Buffer.from(`${name}\0`, "latin1");
    const value = getAttribute(cString(source), key);
    if (value !== undefined) must(setAttribute(path, key, value), () => `set an attribute of ${target}`);
  }
  applyTimes(target, stats);
}

function applyTimes(target: Path, stats: BigIntStats): void {
  const times = { accessed: timeOf(stats.atimeNs), modified: timeOf(stats.mtimeNs) };
  must(changeTimesAt(AT_FDCWD, cString(target), times), () => `change the times of ${target}`);
}

function copyFile({ source, target, stats }: Copying): void {
  using from = opened(openSync(source, O_RDONLY | O_NOFOLLOW));
  using to = opened(openSync(target, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600));
  const size = Number(stats.size);
  if (size === 0 || cloneFile(from.descriptor, to.descriptor) >= 0) return;
  must(truncate(to.descriptor, size), () => `set the size of ${target}`);
  for (let at = 0; at < size; ) {
    const start = seek(from.descriptor, at, SEEK_DATA);
    if (failedWith(start, "ENXIO")) return;
    const end = must(
      seek(
        from.descriptor,
        must(start, () => `read ${source}`),
        SEEK_HOLE,
      ),
      () => `read ${source}`,
    );
    copyRange({ from: from.descriptor, to: to.descriptor, start, end }, target);
    at = end;
  }
}

function copyRange(
  range: { readonly from: number; readonly to: number; readonly start: number; readonly end: number },
  target: Path,
): void {
  seek(range.from, range.start, 0);
  seek(range.to, range.start, 0);
  for (let left = range.end - range.start; left > 0; ) {
    const length = must(copyFileRange(range.from, range.to, left), () => `copy to ${target}`);
    if (length === 0) return;
    left -= length;
  }
}

function opened(descriptor: number): Disposable & { readonly descriptor: number } {
  return { descriptor, [Symbol.dispose]: () => closeSync(descriptor) };
}

function typeOf({ mode }: BigIntStats): number {
  return Number(mode) & S_IFMT;
}

function timeOf(nanoseconds: bigint): TimeSpec {
  const part = ((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return { seconds: Number((nanoseconds - part) / 1_000_000_000n), nanoseconds: Number(part) };
}

function join(directory: Path, name: Uint8Array): Path {
  return Buffer.concat([directory, Buffer.from("/"), name]);
}

function cString(path: Uint8Array): Buffer {
  return Buffer.concat([path, Buffer.from([0])]);
}
