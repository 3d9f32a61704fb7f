import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import {
  type Graph,
  type GraphDriverKind,
  type LayerId,
  type LayerPhase,
  type LayerSource,
  openGraph,
  overlay2,
  vfs,
} from "#graph";
import { GraphDB } from "#graphdb";
import { type Digest, sha256 } from "#oci";
import { scratch } from "../fakes/scratch.ts";
import { type TarMember, tarOf } from "../fakes/tar.ts";

const isRoot = process.getuid?.() === 0;
const BOX = "box" as LayerId;
const PIECE = 4096;

for (const kind of [overlay2, vfs]) {
  const title = `layers on ${kind.name}${isRoot ? "" : " (skipped: needs root)"}`;
  describe.skipIf(!isRoot)(title, () => {
    test("a layer is downloaded, verified, unpacked and there", async () => {
      await using scene = await open(kind);
      const { source, requests } = layerOf("hello");
      const { phases, report } = recorder();
      const layer = await scene.graph.layers.obtain(source, { signal: never(), report });
      expect(scene.graph.layers.has(layer)).toBe(true);
      await using tree = await scene.graph.driver.mount(layer);
      expect(await readFile(`${tree.path}/file`, "utf8")).toStartWith("hello");
      expect(requests).toEqual([0]);
      expect(phases.filter((phase) => phase !== "extracting")).toEqual([
        "waiting",
        "downloading",
        "verifying",
        "downloaded",
        "done",
      ]);
      expect(await scene.graph.content.has(source.descriptor.digest)).toBe(true);
    });

    test("a layer that is there is not downloaded again", async () => {
      await using scene = await open(kind);
      const { source, requests } = layerOf("hello");
      await scene.graph.layers.obtain(source, quiet());
      const { phases, report } = recorder();
      await scene.graph.layers.obtain(source, { signal: never(), report });
      expect([requests, phases]).toEqual([[0], ["exists"]]);
    });

    test("a piece that was written is let go of at once, but for one with neighbours in its memory", async () => {
      await using scene = await open(kind);
      const { source } = layerFrom(tarOf(noisyFiles(20)));
      const whole: Uint8Array[] = [];
      const part: Uint8Array[] = [];
      const given = async function* () {
        for await (const piece of source.open(0, never())) {
          const isWhole = whole.length <= part.length;
          const memory = new ArrayBuffer(piece.length + (isWhole ? 0 : 1));
          const copy = new Uint8Array(memory, 0, piece.length);
          copy.set(piece);
          (isWhole ? whole : part).push(copy);
          yield copy;
        }
      };
      const layer = await scene.graph.layers.obtain({ ...source, open: given }, quiet());
      expect(scene.graph.layers.has(layer)).toBe(true);
      expect([whole.length > 1, part.length > 1]).toEqual([true, true]);
      expect(whole.every(({ byteLength }) => byteLength === 0)).toBe(true);
      expect(part.every(({ byteLength }) => byteLength > 0)).toBe(true);
    });

    test("one blob in several layers is downloaded once", async () => {
      await using scene = await open(kind);
      const { source, requests } = layerOf("twice");
      const { layers } = scene.graph;
      const above = { ...source, parent: layers.chain(undefined, source.diffId) };
      const [, top] = await Promise.all([layers.obtain(source, quiet()), layers.obtain(above, quiet())]);
      expect(requests).toEqual([0]);
      await using tree = await scene.graph.driver.mount(top);
      expect(await readdir(tree.path)).toEqual(["file"]);
    });

    test("20 callers at the same time cause one download", async () => {
      await using scene = await open(kind);
      const { source, requests } = layerOf("popular");
      const all = await Promise.all(
        Array.from({ length: 20 }, () => scene.graph.layers.obtain(source, quiet())),
      );
      expect([new Set(all).size, requests]).toEqual([1, [0]]);
    });

    test("ten layers of one image, asked for at once, stand on each other", async () => {
      await using scene = await open(kind);
      const { layers } = scene.graph;
      let parent: LayerSource["parent"];
      const all = Array.from({ length: 10 }, (_, number) => {
        const { source } = layerOf(`part ${number}`, `file${number}`);
        const placed = parent === undefined ? source : { ...source, parent };
        parent = layers.chain(parent, source.diffId);
        return layers.obtain(placed, quiet());
      });
      const top = (await Promise.all(all)).at(-1);
      if (top === undefined) throw new Error("there is no topmost layer");
      await using tree = await scene.graph.driver.mount(top);
      expect((await readdir(tree.path)).length).toBe(10);
    });

    test.each<[string, (layer: Layer) => LayerSource, string, boolean]>([
      [
        "another digest",
        ({ source }) => descriptor(source, { digest: sha256("other") }),
        "verification failed",
        false,
      ],
      [
        "more bytes than declared",
        ({ source }) => descriptor(source, { size: source.descriptor.size - 1 }),
        "larger than",
        false,
      ],
      [
        "fewer bytes than declared",
        ({ source }) => descriptor(source, { size: source.descriptor.size + 1 }),
        "ended after",
        true,
      ],
      [
        "another diff id",
        ({ source }) => ({ ...source, diffId: sha256("other") }),
        "configuration says",
        false,
      ],
      ["no archive", () => layerFrom(Buffer.alloc(2000, 7)).source, "Cannot read the archive", false],
      ["a climbing name", () => layerFrom(tarOf([{ path: "../x", data: "1" }])).source, "leads out", false],
    ])("%s ends it and leaves no layer", async (_what, spoil, words, keepsPartial) => {
      await using scene = await open(kind);
      const before = names(`${scene.root}/${kind.name}`);
      const source = spoil(layerOf("hello"));
      await expect(scene.graph.layers.obtain(source, quiet())).rejects.toThrow(words);
      expect(scene.graph.layers.has(scene.graph.layers.chain(undefined, source.diffId))).toBe(false);
      expect(await scene.graph.driver.list()).toEqual([]);
      await scene.graph.driver[Symbol.asyncDispose]();
      expect(names(`${scene.root}/${kind.name}`)).toEqual(before);
      expect(names(`${scene.root}/content/partial`).length).toBe(keepsPartial ? 1 : 0);
    });

    test("a download that broke off is resumed where it stopped", async () => {
      await using scene = await open(kind);
      const { source, requests } = layerOf("x".repeat(100_000));
      const breaking = { ...source, open: cutAfter(source, 50_000) };
      await expect(scene.graph.layers.obtain(breaking, quiet())).rejects.toThrow("line dropped");
      const layer = await scene.graph.layers.obtain(source, quiet());
      expect(requests[0]).toBe(0);
      expect(requests[1]).toBeGreaterThanOrEqual(50_000);
      expect(scene.graph.layers.has(layer)).toBe(true);
    });

    test("bytes of an earlier download that went bad are found out", async () => {
      await using scene = await open(kind);
      const { source } = layerOf("hello");
      const { digest } = source.descriptor;
      await writeFile(`${scene.root}/content/partial/${digest.replace(":", "-")}`, "rotten");
      await expect(scene.graph.layers.obtain(source, quiet())).rejects.toThrow("verification failed");
      expect(await scene.graph.layers.obtain(source, quiet())).toBe(
        scene.graph.layers.chain(undefined, source.diffId),
      );
    });

    test("a stored blob that went bad is fetched anew", async () => {
      await using scene = await open(kind);
      const { source, requests } = layerOf("hello");
      const { digest, size } = source.descriptor;
      await writeFile(scene.graph.content.path(digest), Buffer.alloc(size, 1));
      await scene.graph.layers.obtain(source, quiet());
      expect(requests).toEqual([0]);
    });

    test("the last caller to let go stops the download, an earlier one does not", async () => {
      await using scene = await open(kind);
      const { source } = layerOf("y".repeat(100_000));
      const started = Promise.withResolvers<AbortSignal>();
      const stalled = { ...source, open: stallAfter(source, { bytes: 50_000, started }) };
      const [first, second] = [new AbortController(), new AbortController()];
      const one = scene.graph.layers.obtain(stalled, { signal: first.signal, report: () => {} });
      const other = scene.graph.layers.obtain(stalled, { signal: second.signal, report: () => {} });
      const download = await started.promise;
      first.abort(new Error("first left"));
      await expect(one).rejects.toThrow("first left");
      expect(download.aborted).toBe(false);
      second.abort(new Error("second left"));
      await expect(other).rejects.toThrow("second left");
      expect(download.aborted).toBe(true);
      expect(await scene.graph.driver.list()).toEqual([]);
      const layer = await scene.graph.layers.obtain(source, quiet());
      expect(scene.graph.layers.has(layer)).toBe(true);
    });

    test("an image can be registered, found, tagged, and removed with its layers and blobs", async () => {
      await using scene = await open(kind);
      const { source } = layerOf("hello");
      const top = await scene.graph.layers.obtain(source, quiet());
      const { images } = scene.graph;
      const tag = { domain: "docker.io", path: "library/httpd", tag: "latest" };
      const image = images.register({ config: configOf(source.diffId), top, tag });
      expect(images.find("httpd")).toMatchObject({ id: image.id, size: 100_005 });
      const removed = await images.remove("httpd", { force: false, prune: true, usedBy: () => [] });
      expect(removed).toEqual({ untagged: ["httpd:latest"], deleted: [image.id, top as string as Digest] });
      expect([
        await scene.graph.driver.list(),
        await scene.graph.content.has(source.descriptor.digest),
      ]).toEqual([[], false]);
    });

    test("a layer that two images share stays until the second goes", async () => {
      await using scene = await open(kind);
      const { source } = layerOf("hello");
      const { images, layers, driver } = scene.graph;
      const top = await layers.obtain(source, quiet());
      await layers.obtain(source, quiet());
      const one = images.register({ config: configOf(source.diffId, "one"), top });
      const other = images.register({ config: configOf(source.diffId, "two"), top });
      const options = { force: false, prune: true, usedBy: () => [] };
      expect(await images.remove(one.id, options)).toEqual({ untagged: [], deleted: [one.id] });
      expect(await driver.list()).toEqual([top]);
      await images.remove(other.id, options);
      expect(await driver.list()).toEqual([]);
    });

    test("sweeping takes what no row speaks of and keeps what is named", async () => {
      await using scene = await open(kind);
      const { source } = layerOf("hello");
      const top = await scene.graph.layers.obtain(source, quiet());
      scene.graph.images.register({ config: configOf(source.diffId), top });
      const [kept, lost] = ["kept", "lost"] as unknown as [typeof top, typeof top];
      await scene.graph.driver.create(kept, { parent: top, writable: true });
      await scene.graph.driver.create(lost, { parent: top, writable: true });
      expect(await scene.graph.sweep(new Set([kept]))).toEqual([lost]);
      expect([...(await scene.graph.driver.list())].sort()).toEqual([kept, top]);
    });

    test("a tree that a power cut may have cut short is made again from its blob", async () => {
      await using root = await scratch();
      const { source, requests } = layerOf("hello");
      {
        await using scene = await open(kind, root.path);
        const top = await scene.graph.layers.obtain(source, quiet());
        scene.graph.images.register({ config: configOf(source.diffId), top });
        await scene.graph.driver.create(BOX, { parent: top, writable: true });
        scene.database.sql.run("UPDATE layer SET unsynced_boot = 'an earlier one'");
      }
      for (const path of names(`${root.path}/${kind.name}`).filter((name) => /^sha256@.*\/file$/.test(name)))
        await writeFile(`${root.path}/${kind.name}/${path}`, "");
      await using scene = await open(kind, root.path);
      const top = scene.graph.layers.chain(undefined, source.diffId);
      await using tree = await scene.graph.driver.mount(top);
      expect(await readFile(`${tree.path}/file`, "utf8")).toStartWith("hello");
      expect(requests).toEqual([0]);
      await using box = await scene.graph.driver.mount(BOX);
      expect(await readdir(box.path)).toContain("file");
    });

    test("a process that is killed in the middle leaves no half layer, and its bytes for the next", async () => {
      await using root = await scratch();
      const { blob } = layerFrom(gzipSync(tarOf(noisyFiles(40))));
      await writeFile(`${root.path}/blob`, blob);
      const victim = Bun.spawn(
        [process.execPath, `${import.meta.dir}/../fixtures/killed-pull.ts`, root.path, kind.name],
        {
          stdout: "pipe",
          stderr: "inherit",
        },
      );
      await victim.stdout.getReader().read();
      victim.kill("SIGKILL");
      await victim.exited;
      await using scene = await open(kind, `${root.path}/data`);
      expect(await scene.graph.driver.list()).toEqual([]);
      await scene.graph.driver[Symbol.asyncDispose]();
      const visible = names(`${scene.root}/${kind.name}`).filter((path) =>
        /^\.(?:staging|removed)\//.test(path),
      );
      expect(visible).toEqual([]);
      const { source, requests } = layerFrom(blob);
      await scene.graph.layers.obtain(source, quiet());
      expect(requests[0]).toBeGreaterThan(0);
    });
  });
}

interface Layer {
  readonly source: LayerSource;
  readonly blob: Buffer;
  /** Offsets from which the blob was asked for. */
  readonly requests: number[];
}

/** An incompressible layer of one file. */
function layerOf(text: string, name = "file"): Layer {
  const noise = crypto.getRandomValues(new Uint8Array(100_005 - Math.min(text.length, 5)));
  const data =
    text.length > 5
      ? Buffer.concat([Buffer.from(text), noise])
      : Buffer.concat([Buffer.from(text.padEnd(5)), noise]).subarray(0, 100_005);
  return layerFrom(gzipSync(tarOf([{ path: name, data }])));
}

function noisyFiles(count: number): TarMember[] {
  return Array.from({ length: count }, (_, number) => ({
    path: `noise${number}`,
    data: crypto.getRandomValues(new Uint8Array(65_536)),
  }));
}

function layerFrom(blob: Buffer): Layer {
  const requests: number[] = [];
  const isCompressed = blob[0] === 0x1f;
  const source: LayerSource = {
    descriptor: {
      mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
      digest: sha256(blob),
      size: blob.length,
    },
    diffId: sha256(isCompressed ? Bun.gunzipSync(new Uint8Array(blob)) : blob),
    async *open(offset) {
      requests.push(offset);
      for (let at = offset; at < blob.length; at += PIECE) yield Buffer.from(blob.subarray(at, at + PIECE));
    },
  };
  return { source, blob, requests };
}

function descriptor(source: LayerSource, change: Partial<LayerSource["descriptor"]>): LayerSource {
  return { ...source, descriptor: { ...source.descriptor, ...change } };
}

function cutAfter(source: LayerSource, bytes: number): LayerSource["open"] {
  return async function* (offset, signal) {
    let sent = offset;
    for await (const chunk of source.open(offset, signal)) {
      yield chunk;
      sent += chunk.length;
      if (sent >= bytes) throw new Error("line dropped");
    }
  };
}

function stallAfter(
  source: LayerSource,
  { bytes, started }: { readonly bytes: number; readonly started: PromiseWithResolvers<AbortSignal> },
): LayerSource["open"] {
  return async function* (offset, signal) {
    let sent = offset;
    for await (const chunk of source.open(offset, signal)) {
      yield chunk;
      sent += chunk.length;
      if (sent < bytes) continue;
      started.resolve(signal);
      await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    }
  };
}

function configOf(diffId: Digest, author = "x"): Uint8Array {
  const rootfs = { type: "layers", diff_ids: [diffId] };
  return Buffer.from(JSON.stringify({ architecture: "amd64", os: "linux", author, rootfs }));
}

function recorder() {
  const phases: LayerPhase[] = [];
  const report = (phase: LayerPhase) => {
    if (phases.at(-1) !== phase) phases.push(phase);
  };
  return { phases, report };
}

function never(): AbortSignal {
  return new AbortController().signal;
}

function quiet() {
  return { signal: never(), report: () => {} };
}

function names(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" }).sort();
}

interface Scene extends AsyncDisposable {
  readonly root: string;
  readonly database: GraphDB;
  readonly graph: Graph;
}

async function open(kind: GraphDriverKind, path?: string): Promise<Scene> {
  await using undo = new AsyncDisposableStack();
  const root = path ?? undo.use(await scratch()).path;
  await stat(root);
  const database = undo.use(new GraphDB(`${root}/bunker.db`));
  const graph = undo.use(await openGraph({ root, database, kind }));
  const owned = undo.move();
  return { root, database, graph, [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose]() };
}
