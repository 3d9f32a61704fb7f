import { readdir } from "node:fs/promises";
import { Fault } from "#errors";
import { limitProject, noProjectQuotas, projectOf, projectUsage, setProject } from "#host";
import { dataOf } from "./folders.ts";

/** Projects of volumes start here, away from those that people number by hand. */
const FIRST_PROJECT = 1_646_000_000;
const LAST_PROJECT = 2_000_000_000;

/** Throws `invalid`, in Docker's words and with the reason, where the volumes' file system cannot keep limits. */
export function checkQuotas(root: string): void {
  const reason = noProjectQuotas(root);
  if (reason === undefined) return;
  throw new Fault(
    "invalid",
    `quota size requested but no quota support: ${root}: ${reason}; keep the data root on ext4 made with -O quota,project, or on xfs, mounted with prjquota`,
  );
}

/** Limits what an empty directory may come to hold, under a project of its own. Bytes. */
export async function limitSize(root: string, directory: string, bytes: number): Promise<void> {
  const project = await freeProject(root);
  limitProject(root, project, { bytes });
  setProject(directory, project);
}

/** Lifts the limit of a directory that is to go; the number may then be used again. */
export function liftLimit(root: string, directory: string): void {
  const project = projectOf(directory);
  if (project >= FIRST_PROJECT && project <= LAST_PROJECT) limitProject(root, project, { bytes: 0 });
}

/** The bytes in a directory and their limit, as the file system counts them; undefined for one without a limit. */
export function usageOf(
  root: string,
  directory: string,
): { readonly limit: number; readonly used: number } | undefined {
  const project = projectOf(directory);
  if (project === 0) return undefined;
  const { limit, used } = projectUsage(root, project);
  return { limit, used };
}

/** One that no volume has, and that nothing on the file system counts against. */
async function freeProject(root: string): Promise<number> {
  const taken = new Set<number>();
  for (const name of await readdir(root)) {
    try {
      taken.add(projectOf(dataOf(root, name)));
    } catch {
      // A folder that is no volume's, or of another file system.
    }
  }
  for (let project = FIRST_PROJECT; project <= LAST_PROJECT; project++) {
    if (taken.has(project)) continue;
    const { limit, used } = projectUsage(root, project);
    if (limit === 0 && used === 0) return project;
  }
  throw new Fault(
    "unavailable",
    `Cannot limit the size of a volume in ${root}: every project number is taken`,
  );
}
