import { describe, expect, test } from "bun:test";
import { readdirSync, writeSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { gunzipSync, gzipSync } from "node:zlib";
import { type Graph, type GraphDriverKind, openGraph, overlay2, vfs } from "#graph";
import { GraphDB } from "#graphdb";
import { sha256 } from "#oci";
import { scratch } from "../fakes/scratch.ts";
import { inPieces, tarOf } from "../fakes/tar.ts";

const isRoot = process.getuid?.() === 0;
const ARCHIVE = tarOf([
  // It begins as what bzip2 makes does.
  { path: "BZh91AY", data: "hello" },
  { path: "lines", data: "line\n".repeat(100_000) },
]);

for (const kind of [overlay2, vfs]) {
  const title = `layers made on ${kind.name}${isRoot ? "" : " (skipped: needs root)"}`;
  describe.skipIf(!isRoot)(title, () => {
    test.each(["plain", "compressed"])("of a %s archive keep it as it is", async (form) => {
      await using scene = await open(kind);
      const blob = form === "plain" ? ARCHIVE : gzipSync(ARCHIVE);
      const made = await scene.graph.layers.make(inPieces(blob, 5000), quiet());
      expect(made.diffId).toBe(sha256(ARCHIVE));
      expect((await scene.graph.layers.blob(made.id))?.digest).toBe(sha256(blob));
      expect(scene.blobs()).toEqual([sha256(blob).slice("sha256:".length)]);
      await using tree = await scene.graph.driver.mount(made.id);
      expect(await readFile(`${tree.path}/BZh91AY`, "utf8")).toBe("hello");
      expect(scene.graph.layers.size(made.id)).toBe(500_005);
    });

    test("of what writes itself are the same, and one that is there is not made twice", async () => {
      await using scene = await open(kind);
      const write = async function* (descriptor: number) {
        for (let at = 0; at < ARCHIVE.length; at += 200_000) {
          const part = ARCHIVE.subarray(at, at + 200_000);
          yield at + writeSync(descriptor, part, 0, part.length, at);
        }
        return sha256(ARCHIVE);
      };
      const all = await Promise.all([
        scene.graph.layers.make(write, quiet()),
        scene.graph.layers.make(inPieces(gzipSync(ARCHIVE), 5000), quiet()),
      ]);
      expect(new Set(all.map(({ id }) => id)).size).toBe(1);
      expect(scene.blobs()).toHaveLength(1);
      expect(await scene.graph.driver.list()).toEqual([all[0].id]);
    });

    test("leave nothing when the archive is damaged, breaks off or is given up", async () => {
      await using scene = await open(kind);
      const cut = inPieces(ARCHIVE.subarray(0, 5000), 1000);
      await expect(scene.graph.layers.make(cut, quiet())).rejects.toMatchObject({ kind: "invalid" });
      const stop = new AbortController();
      const endless = async function* (_descriptor: number) {
        stop.abort(new Error("enough"));
        await new Promise(() => {});
        yield 0;
        return sha256(ARCHIVE);
      };
      await expect(scene.graph.layers.make(endless, { signal: stop.signal })).rejects.toThrow("enough");
      const broken = async function* (descriptor: number) {
        yield writeSync(descriptor, ARCHIVE, 0, 1000, 0);
        throw new Error("cannot be read");
      };
      await expect(scene.graph.layers.make(broken, quiet())).rejects.toThrow("cannot be read");
      expect([scene.blobs(), readdirSync(`${scene.root}/content/partial`)]).toEqual([[], []]);
      expect(await scene.graph.driver.list()).toEqual([]);
    });

    test("are compressed once for whoever sends them, and hold then as before", async () => {
      await using scene = await open(kind);
      const { layers, content } = scene.graph;
      const { id } = await layers.make(inPieces(ARCHIVE, 5000), quiet());
      const before = await readFile(content.path(sha256(ARCHIVE)));
      using kept = content.use(sha256(ARCHIVE));
      await Promise.all([layers.compress(id, never()), layers.compress(id, never())]);
      expect(await content.has(sha256(ARCHIVE))).toBe(true);
      kept[Symbol.dispose]();
      const blob = await layers.blob(id);
      expect(blob?.mediaType).toEndWith("tar+gzip");
      const bytes = await readFile(content.path(blob?.digest ?? sha256(ARCHIVE)));
      expect([gunzipSync(bytes).equals(before), blob?.digest]).toEqual([true, sha256(bytes)]);
      await layers.compress(id, never());
      expect((await layers.blob(id))?.digest).toBe(blob?.digest);
      expect(layers.isWhole(id)).toBe(true);
    });
  });
}

interface Scene extends AsyncDisposable {
  readonly graph: Graph;
  readonly root: string;
  blobs(): readonly string[];
}

const never = () => AbortSignal.timeout(600_000);
const quiet = () => ({ signal: never() });

async function open(kind: GraphDriverKind): Promise<Scene> {
  await using undo = new AsyncDisposableStack();
  const root = undo.use(await scratch()).path;
  const database = undo.use(new GraphDB(":memory:"));
  const graph = undo.use(await openGraph({ root, database, kind }));
  const owned = undo.move();
  return {
    graph,
    root,
    blobs: () => readdirSync(`${root}/content/sha256`),
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}
