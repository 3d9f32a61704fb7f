import { lstat } from "node:fs/promises";
import { z } from "zod";
import { headerOf, pack } from "#archive";
import { defineJob } from "#engine";
import { releasing } from "../container/archive-view.ts";
import { type ReadingNeeds, readVolume } from "./reading.ts";

/** The content of a volume as a tar archive, with owner and mode of its top folder as the first entry. */
export const exportVolume = (needs: ReadingNeeds) =>
  defineJob({
    name: "volume.export",
    input: z.object({ name: z.string().min(1), live: z.boolean() }),

    async run({ name, live }, { signal }) {
      await using undo = new AsyncDisposableStack();
      const { path } = undo.use(await readVolume(needs, name, { isLive: live }));
      const bytes = withTop(await topOf(path), pack({ directory: path, style: "plain", signal }));
      return releasing(bytes, { owned: undo.move(), signal });
    },
  });

async function* withTop(top: Uint8Array, rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield top;
  yield* rest;
}

async function topOf(path: string): Promise<Uint8Array> {
  const { mode, uid, gid, mtimeMs } = await lstat(path);
  return headerOf({
    type: "directory",
    path: "./",
    target: "",
    mode: mode & 0o7777,
    uid,
    gid,
    size: 0,
    modified: { seconds: Math.floor(mtimeMs / 1000), nanoseconds: 0 },
    major: 0,
    minor: 0,
    attributes: new Map(),
  });
}
