import type { Stats } from "node:fs";
import { lstat, readdir, readlink } from "node:fs/promises";
import { getAttribute } from "#host";
import type { Change } from "../../driver.ts";
import { lstatOrNothing, sortChanges } from "../compare.ts";
import { INIT_DIRECTORIES, INIT_FILES, INIT_LINKS } from "../init-layer.ts";

const MODIFIED = 0;
const ADDED = 1;
const DELETED = 2;

/** By comparing whole trees. What every container gets is no change as long as nobody touched it. */
export async function treeChanges(
  tree: string,
  parent: string | undefined,
  { ignoresInit }: { readonly ignoresInit: boolean },
): Promise<readonly Change[]> {
  const changes: Change[] = [];
  await compare({ tree, parent, path: "" }, changes);
  if (!ignoresInit) return sortChanges(changes);
  const genuine: Change[] = [];
  for (const change of changes) if (!(await isInitial(tree, change))) genuine.push(change);
  return sortChanges(
    genuine.filter(({ path, kind }) => kind !== MODIFIED || !isOnlyParent(path, changes, genuine)),
  );
}

interface Level {
  readonly tree: string;
  readonly parent: string | undefined;
  readonly path: string;
}

async function compare({ tree, parent, path }: Level, changes: Change[]): Promise<void> {
  const names = await readdir(`${tree}${path}`);
  const before = parent === undefined ? [] : await readdir(`${parent}${path}`).catch(() => []);
  const present = new Set(names);
  for (const name of before) if (!present.has(name)) changes.push({ path: `${path}/${name}`, kind: DELETED });
  for (const name of names) await compareEntry({ tree, parent, path: `${path}/${name}` }, changes);
}

async function compareEntry({ tree, parent, path }: Level, changes: Change[]): Promise<void> {
  const stats = await lstat(`${tree}${path}`);
  const old = parent === undefined ? undefined : await lstatOrNothing(`${parent}${path}`);
  const count = changes.length;
  if (stats.isDirectory())
    await compare({ tree, parent: old?.isDirectory() ? parent : undefined, path }, changes);
  if (old === undefined) changes.push({ path, kind: ADDED });
  else if (
    changes.length > count ||
    isDifferent(stats, old) ||
    isOtherwiseMarked(`${tree}${path}`, `${parent}${path}`)
  )
    changes.push({ path, kind: MODIFIED });
}

/** Source: moby, pkg/archive, statDifferent: of directories neither time nor size says anything. */
function isDifferent(a: Stats, b: Stats): boolean {
  if (a.mode !== b.mode || a.uid !== b.uid || a.gid !== b.gid || a.rdev !== b.rdev) return true;
  return !a.isDirectory() && (a.mtimeMs !== b.mtimeMs || a.size !== b.size);
}

function isOtherwiseMarked(a: string, b: string): boolean {
  const [one, other] = [a, b].map((path) => getAttribute(path, "security.capability"));
  return Buffer.compare(one ?? Buffer.alloc(0), other ?? Buffer.alloc(0)) !== 0;
}

async function isInitial(tree: string, { path, kind }: Change): Promise<boolean> {
  const relative = path.slice(1);
  if (kind === DELETED) return false;
  if (INIT_FILES.includes(relative)) {
    const stats = await lstat(`${tree}${path}`);
    return stats.isFile() && stats.size === 0;
  }
  const link = INIT_LINKS.find(([name]) => name === relative);
  if (link !== undefined) return (await readlink(`${tree}${path}`).catch(() => "")) === link[1];
  return kind === ADDED && INIT_DIRECTORIES.includes(relative);
}

/** A directory that is listed only because of what the init layer put there. */
function isOnlyParent(path: string, all: readonly Change[], genuine: readonly Change[]): boolean {
  const isBelow = (change: Change) => change.path.startsWith(`${path}/`);
  return INIT_DIRECTORIES.includes(path.slice(1)) && all.some(isBelow) && !genuine.some(isBelow);
}
