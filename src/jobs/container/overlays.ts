import { chmod, chown, mkdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Container, MountPoint } from "#container";
import type { RuntimeMount } from "#libcontainer";

const FOLDER = "overlays";

/** What is written to the overlays among a container's binds, of one life. Disposing the result takes it away. */
export async function makeOverlays({ mounts, directory }: Container): Promise<AsyncDisposable> {
  const root = join(directory, FOLDER);
  const overlays = mounts.filter(({ isOverlay }) => isOverlay === true);
  const remove = () => rm(root, { recursive: true, force: true });
  if (overlays.length === 0) return { [Symbol.asyncDispose]: async () => {} };
  await using undo = new AsyncDisposableStack();
  undo.defer(remove);
  // An earlier life's, of which a daemon did not see the end.
  await remove();
  for (const mount of overlays) {
    const { upper, work } = layersOf(mount, directory);
    await mkdir(work, { recursive: true, mode: 0o700 });
    await mkdir(upper);
    const { uid, gid, mode } = await stat(mount.source);
    await chown(upper, uid, gid);
    await chmod(upper, mode & 0o7777);
  }
  return undo.move();
}

/** The source below, and above it what is written in this life. */
export function overlayMount(mount: MountPoint, directory: string): RuntimeMount {
  const { upper, work } = layersOf(mount, directory);
  const options = [`lowerdir=${mount.source}`, `upperdir=${upper}`, `workdir=${work}`];
  return { type: "overlay", source: "overlay", destination: mount.destination, options };
}

/** By a name that no destination makes odd. */
function layersOf({ destination }: MountPoint, directory: string) {
  const name = new Bun.CryptoHasher("sha256").update(destination).digest("hex").slice(0, 16);
  const root = join(directory, FOLDER, name);
  return { upper: join(root, "upper"), work: join(root, "work") };
}
