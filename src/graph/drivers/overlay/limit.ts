import { Fault } from "#errors";
import { limitProject, noProjectQuotas, projectOf, projectUsage, setProject } from "#host";
import { backingFileSystem } from "../backing.ts";

/** Projects of containers: away from those that people number by hand, and below those of volumes. */
const FIRST_PROJECT = 1_200_000_000;
const PROJECTS = 400_000_000;
/** What a directory or two may cost at most; XFS wants room for the worst. */
const ROOM_BYTES = 2 * 1024 ** 2;

/** Why no layer below a root can be given a limit, and what to do about it; undefined where one can. */
export async function noLimits(root: string): Promise<string | undefined> {
  const reason = noProjectQuotas(root);
  if (reason === undefined) return undefined;
  const remedy =
    (await backingFileSystem(root)) === "btrfs"
      ? "use --storage-driver btrfs there"
      : "keep the data root on xfs mounted with pquota, or on ext4 made with -O quota,project and mounted with prjquota";
  return `${root}: ${reason}; ${remedy}`;
}

/** Bounds what an empty directory may come to hold, under a project that no other directory has. */
export function limitLayer(directory: string, bytes: number): void {
  const reason = noProjectQuotas(directory);
  if (reason !== undefined) throw new Fault("invalid", `Cannot limit the size of ${directory}: ${reason}`);
  limitProject(directory, claimProject(directory), { bytes });
}

/** Of a directory that is about to go; what cannot be lifted now bounds nobody else. */
export function liftLayerLimit(directory: string): void {
  try {
    const project = projectOf(directory);
    if (isOurs(project)) limitProject(directory, project, { bytes: 0 });
  } catch {
    // It is gone, or on a file system that knows no projects.
  }
}

/**
 * An overlay makes a directory of its own when it is mounted, and is there to be read only when that does not fit:
 * what is full could never be emptied again. Until the result is disposed there is room for it.
 */
export function makeLayerRoom(directory: string): Disposable {
  const project = projectOf(directory);
  if (!isOurs(project)) return { [Symbol.dispose]() {} };
  const { limit: bytes } = projectUsage(directory, project);
  limitProject(directory, project, { bytes, roomBytes: ROOM_BYTES });
  return { [Symbol.dispose]: () => limitProject(directory, project, { bytes }) };
}

const isOurs = (project: number) => project >= FIRST_PROJECT && project < FIRST_PROJECT + PROJECTS;

/**
 * The file system's own count tells what is taken: whoever has the project of a layer, also one that is still being
 * deleted or is another daemon's, has files in it. Two that took one number at once both see two, and go on.
 */
function claimProject(directory: string): number {
  const start = Number(Bun.hash(directory) % BigInt(PROJECTS));
  for (let step = 0; step < PROJECTS; step++) {
    const project = FIRST_PROJECT + ((start + step) % PROJECTS);
    if (!isFree(projectUsage(directory, project))) continue;
    setProject(directory, project);
    if (projectUsage(directory, project).inodes === 1) return project;
  }
  throw new Fault("unavailable", `Cannot limit the size of ${directory}: every project number is taken`);
}

const isFree = ({ limit, used, inodes }: ReturnType<typeof projectUsage>) =>
  limit === 0 && used === 0 && inodes === 0;
