import { posix } from "node:path";
import { splitPath, unpackLocal } from "#archive";
import { getArchive, isDirectory, isLink, statPath } from "#client";
import { Fault } from "#errors";
import type { Session } from "../session.ts";
import type { Copy } from "./copy.ts";
import { checkOutput, localPath, localTarget } from "./local.ts";
import { entryName, placementOf, type Source, throughLink } from "./placement.ts";
import { CopyProgress } from "./progress.ts";

/** From a container to this machine, or to standard output as an archive. */
export async function copyOutward(session: Session, copy: Copy): Promise<void> {
  const { container, outside, isArchive, isQuiet } = copy;
  const path = outside === "-" ? "-" : localPath(outside);
  if (path !== "-") checkOutput(path);
  const asked = await insideSource(session, copy);
  const { stat, body } = await getArchive(session.daemon, container, asked.path);
  if (path === "-") {
    for await (const piece of body) session.console.out(piece);
    return;
  }
  const source = { ...asked, isDirectory: isDirectory(stat) };
  const { directory, name } = placementOf(source, localTarget(path));
  const progress = new CopyProgress(session, { isQuiet, head: "Copying from container" });
  const from = entryName(source.path);
  await unpackLocal(directory, {
    placing: {
      keepsKinds: true,
      keepsRoot: true,
      // Only root may give files away.
      ...(isArchive && process.geteuid?.() === 0 ? {} : { owner: "nobody" }),
      ...(name !== from && { rename: { from, to: name } }),
    },
    source: progress.counted(body),
  });
  progress.done(path);
}

/** A link at the end is followed when asked, and keeps its name. */
async function insideSource(
  { daemon }: Session,
  { container, inside, followsLink }: Copy,
): Promise<Pick<Source, "path" | "rename">> {
  if (!followsLink) return { path: inside };
  try {
    const stat = await statPath(daemon, container, inside);
    if (!isLink(stat)) return { path: inside };
    const to = stat.linkTarget.startsWith("/")
      ? stat.linkTarget
      : posix.join(splitPath(inside).directory, stat.linkTarget);
    return throughLink(inside, to);
  } catch (thrown) {
    // What is wrong with it, the copy itself will say with words.
    if (thrown instanceof Fault && thrown.kind === "not_found") return { path: inside };
    throw thrown;
  }
}
