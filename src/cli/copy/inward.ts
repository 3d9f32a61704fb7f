import { posix } from "node:path";
import { packLocal, splitPath } from "#archive";
import { isDirectory, isLink, isOdd, type PathStat, putArchive, statPath } from "#client";
import { Fault } from "#errors";
import type { Session } from "../session.ts";
import type { Copy } from "./copy.ts";
import { localPath, localSource } from "./local.ts";
import { placementOf, type Source, type Target } from "./placement.ts";
import { CopyProgress } from "./progress.ts";

/** From this machine, or from standard input, into a container. */
export async function copyInward(session: Session, copy: Copy): Promise<void> {
  const { container, inside, outside, isArchive, isQuiet, followsLink } = copy;
  const { daemon } = session;
  const target = await insideTarget(session, { container, path: inside });
  if (outside === "-") {
    if (!target.isDirectory)
      throw new Fault("invalid", `destination "${container}:${inside}" must be a directory`);
    const stream = Bun.stdin.stream();
    return putArchive(daemon, container, { path: target.path, stream, copiesOwner: isArchive });
  }
  const source = localSource(localPath(outside), followsLink);
  const { directory, name } = placementOf(source, target);
  const progress = new CopyProgress(session, { isQuiet, head: "Copying to container" });
  const stream = progress.counted(packed(source, { name, isRoots: !isArchive }));
  await putArchive(daemon, container, { path: directory || ".", stream, copiesOwner: isArchive });
  progress.done(`${container}:${target.path}`);
}

/** A link at the end is followed once, by what the daemon says of it; what is not there may come to be. */
async function insideTarget(
  { daemon }: Session,
  { container, path }: { readonly container: string; readonly path: string },
): Promise<Target> {
  const seen = await statIfThere(() => statPath(daemon, container, path));
  if (seen === undefined) return { path, exists: false, isDirectory: false };
  if (!isLink(seen)) return found(path, seen, `${container}:${path}`);
  const to = seen.linkTarget.startsWith("/")
    ? seen.linkTarget
    : posix.join(splitPath(path).directory, seen.linkTarget);
  const behind = await statIfThere(() => statPath(daemon, container, to));
  if (behind === undefined) return { path: to, exists: false, isDirectory: false };
  return found(to, behind, `${container}:${path}`);
}

function found(path: string, stat: PathStat, shown: string): Target {
  const odd = isOdd(stat);
  if (odd !== undefined)
    throw new Fault("invalid", `destination "${shown}" must be a directory or a regular file: ${odd}`);
  return { path, exists: true, isDirectory: isDirectory(stat) };
}

/** Whatever is wrong, the copy itself will say so with words. */
async function statIfThere(look: () => Promise<PathStat>): Promise<PathStat | undefined> {
  try {
    return await look();
  } catch (thrown) {
    if (thrown instanceof Fault && (thrown.kind === "not_found" || thrown.kind === "invalid"))
      return undefined;
    throw thrown;
  }
}

function packed(source: Source, { name, isRoots }: { readonly name: string; readonly isRoots: boolean }) {
  if (source.isDirectory) return packLocal(source.path, { entry: "", name, isRoots });
  const { directory, base } = splitPath(source.path);
  return packLocal(directory, { entry: base, name, isRoots });
}
