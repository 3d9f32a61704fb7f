import { chmod, chown, stat } from "node:fs/promises";
import { Fault } from "#errors";
import { noSuchVolume, type Volume } from "#volume";
import type { Rooms } from "../rooms.ts";

export interface ReadingNeeds {
  readonly volumes: Pick<Rooms["volumes"], "find" | "holdersOf" | "mount" | "unmount">;
  readonly containers: Pick<Rooms["containers"], "get">;
}

/** A volume whose content is there to be read until it is disposed. */
export interface Reading extends AsyncDisposable {
  readonly volume: Volume;
  /** The host path of the content. */
  readonly path: string;
}

/**
 * Mounts a volume to read it. Throws `conflict` while a running container can write to it, unless `isLive`: what
 * is read then may be of no one moment.
 */
export async function readVolume(
  needs: ReadingNeeds,
  name: string,
  { isLive }: { readonly isLive: boolean },
): Promise<Reading> {
  const volume = needs.volumes.find(name);
  if (volume === undefined) throw noSuchVolume(name);
  const writers = isLive ? [] : writersOf(needs, name);
  if (writers.length > 0)
    throw new Fault(
      "conflict",
      `Cannot read the volume ${name} while it may change: ${writers.join(", ")} can write to it; stop them, or add --live to take it as it comes`,
    );
  const holder = `reader-${crypto.randomUUID()}`;
  const path = await needs.volumes.mount(name, holder);
  return { volume, path, [Symbol.asyncDispose]: () => needs.volumes.unmount(name, holder) };
}

/** The names of running containers that have it mounted writable. */
function writersOf(needs: ReadingNeeds, name: string): readonly string[] {
  return needs.volumes.holdersOf(name).flatMap((id) => {
    const container = needs.containers.get(id);
    const isWriter = container?.mounts.some((mount) => mount.name === name && mount.isWritable) ?? false;
    return container !== undefined && isWriter ? [container.name] : [];
  });
}

/** Gives a folder the owner and the mode of another. */
export async function dressLike(origin: string, target: string): Promise<void> {
  const { uid, gid, mode } = await stat(origin);
  await chown(target, uid, gid);
  await chmod(target, mode & 0o7777);
}
