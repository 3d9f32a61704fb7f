import { constants, type Dirent, type Stats } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { OPAQUE_MARKS } from "#archive";
import { getAttribute } from "#host";
import type { Change } from "../../driver.ts";
import { lstatOrNothing, sortChanges } from "../compare.ts";

const MODIFIED = 0;
const ADDED = 1;
const DELETED = 2;

/** What the layers below show at a path: the topmost entry, and the directories whose contents merge there. */
interface Below {
  readonly stats: Stats | undefined;
  readonly merged: readonly string[];
}

const NOTHING: Below = { stats: undefined, merged: [] };

/** What the upper directory changes of what the lower ones (topmost first) show. */
export async function overlayChanges(upper: string, lowers: readonly string[]): Promise<readonly Change[]> {
  const changes: Change[] = [];
  await compareDirectory({ upper, lowers, path: "" }, changes);
  return sortChanges(changes);
}

interface Level {
  readonly upper: string;
  readonly lowers: readonly string[];
  readonly path: string;
}

async function compareDirectory(level: Level, changes: Change[]): Promise<void> {
  for (const entry of await readdir(level.upper, { withFileTypes: true }))
    if (!OPAQUE_MARKS.includes(entry.name)) await compareEntry(level, entry, changes);
}

async function compareEntry({ upper, lowers, path }: Level, entry: Dirent, changes: Change[]): Promise<void> {
  const { name } = entry;
  const below = lowers.length === 0 ? NOTHING : await lookBelow(lowers, name);
  const at = `${path}/${name}`;
  // The most of what there is: it need not be looked at to be told.
  if (entry.isFile() || entry.isSymbolicLink()) {
    changes.push({ path: at, kind: below.stats === undefined ? ADDED : MODIFIED });
    return;
  }
  const stats = await lstat(`${upper}/${name}`);
  if (isWhiteout(stats)) {
    if (below.stats !== undefined) changes.push({ path: at, kind: DELETED });
    return;
  }
  const before = changes.length;
  if (stats.isDirectory()) {
    const isFresh = isOpaque(`${upper}/${name}`) || below.stats?.isDirectory() !== true;
    await compareDirectory({ upper: `${upper}/${name}`, lowers: below.merged, path: at }, changes);
    if (isFresh) await addHidden({ upper: `${upper}/${name}`, lowers: below.merged, path: at }, changes);
    if (below.stats?.isDirectory() && changes.length === before && isSameDirectory(stats, below.stats))
      return;
  }
  changes.push({ path: at, kind: below.stats === undefined ? ADDED : MODIFIED });
}

/** A directory that was removed and made anew hides what it does not hold itself. */
async function addHidden({ upper, lowers, path }: Level, changes: Change[]): Promise<void> {
  const present = new Set(await readdir(upper));
  const hidden = new Set<string>();
  for (const lower of lowers)
    for (const name of await readdir(lower))
      if (!present.has(name) && !OPAQUE_MARKS.includes(name)) hidden.add(name);
  for (const name of hidden)
    if ((await lookBelow(lowers, name)).stats !== undefined)
      changes.push({ path: `${path}/${name}`, kind: DELETED });
}

async function lookBelow(lowers: readonly string[], name: string): Promise<Below> {
  const merged: string[] = [];
  let topmost: Stats | undefined;
  for (const lower of lowers) {
    const stats = await lstatOrNothing(`${lower}/${name}`);
    if (stats === undefined) continue;
    if (isWhiteout(stats) || (topmost !== undefined && !stats.isDirectory())) break;
    topmost ??= stats;
    if (!stats.isDirectory()) break;
    merged.push(`${lower}/${name}`);
    if (isOpaque(`${lower}/${name}`)) break;
  }
  return { stats: topmost, merged };
}

function isSameDirectory(a: Stats, b: Stats): boolean {
  return a.mode === b.mode && a.uid === b.uid && a.gid === b.gid && a.mtimeMs === b.mtimeMs;
}

function isWhiteout({ mode, rdev }: Stats): boolean {
  return (mode & constants.S_IFMT) === constants.S_IFCHR && rdev === 0;
}

function isOpaque(directory: string): boolean {
  return getAttribute(directory, "trusted.overlay.opaque")?.[0] === "y".charCodeAt(0);
}
