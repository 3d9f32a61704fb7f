import { chmod, chown, lstat, readdir, readlink, stat } from "node:fs/promises";
import { join, posix } from "node:path";
import { copyTree } from "#archive";
import type { Container } from "#container";
import { Fault } from "#errors";
import type { GraphDriver, LayerId } from "#graph";
import type { Volumes } from "#volume";

/** Source: path_resolution(7), the kernel's own limit. */
const MOST_LINKS = 40;

interface Needs {
  readonly driver: Pick<GraphDriver, "mount">;
  readonly volumes: Pick<Volumes, "isEmpty" | "populate">;
}

/**
 * Gives volumes that have no content yet what the image has at their place, with owner and mode. Each is complete
 * or empty, or made complete by the next start, whenever the host goes down. Source: docker docs, "Populate a volume
 * using a container".
 */
export async function copyUp(needs: Needs, container: Container): Promise<void> {
  const volumes: { readonly name: string; readonly source: string; readonly destination: string }[] = [];
  for (const { name, copyUp: isWanted, source, destination } of container.mounts)
    if (isWanted && name !== undefined && (await needs.volumes.isEmpty(name)))
      volumes.push({ name, source, destination });
  if (volumes.length === 0) return;
  await using layer = await needs.driver.mount(container.layer as LayerId);
  for (const { name, source, destination } of volumes) {
    const origin = await resolveInRoot(layer.path, destination);
    if (origin === undefined || !(await stat(origin)).isDirectory()) continue;
    if ((await readdir(origin)).length === 0) await lookLike(origin, source);
    else
      await needs.volumes.populate(name, container.id, (to) =>
        copyTree({ from: origin, to, style: "merge" }),
      );
  }
}

/** Nothing of it can be there in part. */
async function lookLike(origin: string, target: string): Promise<void> {
  const { uid, gid, mode } = await stat(origin);
  await chown(target, uid, gid);
  await chmod(target, mode & 0o7777);
}

/**
 * The host path of a path in a tree at rest, its links followed as if the tree were the root. Undefined when
 * there is nothing. Only for trees that no process is in: it is resolved by name.
 */
export async function resolveInRoot(root: string, path: string): Promise<string | undefined> {
  const todo = path.split("/").reverse();
  let place = "/";
  let links = 0;
  for (let part = todo.pop(); part !== undefined; part = todo.pop()) {
    // `..` of the root is the root.
    const next = posix.join(place, part);
    const entry = await lstat(join(root, next)).catch(() => undefined);
    if (entry === undefined) return undefined;
    if (!entry.isSymbolicLink()) {
      place = next;
      continue;
    }
    links += 1;
    if (links > MOST_LINKS)
      throw new Fault("invalid", `Cannot follow ${path} in the image: too many levels of symbolic links`);
    const link = await readlink(join(root, next));
    if (link.startsWith("/")) place = "/";
    todo.push(...link.split("/").reverse());
  }
  return join(root, place);
}
