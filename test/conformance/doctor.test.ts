import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { appendFile, rm, truncate, writeFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import {
  type Graph,
  type GraphDriverKind,
  type Healed,
  type Image,
  type LayerId,
  type LayerSource,
  openGraph,
  overlay2,
  vfs,
} from "#graph";
import { GraphDB } from "#graphdb";
import { type Digest, parseReference, sha256 } from "#oci";
import { scratch } from "../fakes/scratch.ts";
import { type TarMember, tarOf } from "../fakes/tar.ts";

const isRoot = process.getuid?.() === 0;
const NOBODY = { busy: () => undefined, signal: never() };

interface Scene extends AsyncDisposable {
  readonly root: string;
  readonly database: GraphDB;
  readonly graph: Graph;
  readonly image: Image;
  readonly sources: readonly LayerSource[];
  readonly layers: readonly LayerId[];
  /** The tree of a layer on disk. */
  tree(layer: number): string;
}

type Damage = (scene: Scene) => Promise<unknown> | unknown;

/** A driver's trees are all that differs: what concerns blobs and records is tried on one. */
for (const kind of [overlay2, vfs]) {
  const title = `the doctor on ${kind.name}${isRoot ? "" : " (skipped: needs root)"}`;
  describe.skipIf(!isRoot)(title, () => {
    test("finds nothing in a store that is whole, whatever a layer holds", async () => {
      await using scene = await opened(kind);
      const { ailments, strangers, garbage, checked } = await look(scene);
      expect([ailments, strangers, garbage]).toEqual([[], [], []]);
      expect(checked).toMatchObject({ blobs: 2, layers: 2, images: 1 });
    });

    const damages: [string, Damage, string, string, Healed["how"]][] = [
      ["a missing blob", (scene) => rm(blobOf(scene, 1)), "blob", "is missing", "gone"],
      [
        "a truncated blob",
        (scene) => truncate(blobOf(scene, 1), 20),
        "blob",
        "not what its digest says",
        "gone",
      ],
      ["an empty blob", (scene) => truncate(blobOf(scene, 0), 0), "blob", "is empty", "gone"],
      ["a missing tree", (scene) => rm(scene.tree(1), { recursive: true }), "tree", "is missing", "mended"],
      [
        "a missing file",
        (scene) => rm(`${scene.tree(0)}/etc/motd`),
        "tree",
        "/etc/motd is missing",
        "mended",
      ],
      [
        "a file that was changed",
        (scene) => appendFile(`${scene.tree(0)}/etc/motd`, "x"),
        "tree",
        "/etc/motd has",
        "mended",
      ],
      [
        "a manifest that is gone, of an image that no registry has",
        (scene) => rm(scene.graph.content.path(scene.image.manifest?.digest as Digest)),
        "manifest",
        "is missing",
        "mended",
      ],
      [
        "a record that is no JSON",
        (scene) => scene.database.sql.run("UPDATE image SET record = '{'"),
        "image",
        "cannot be read",
        "mended",
      ],
    ];
    test.each(damages.filter(([, , about]) => kind === overlay2 || about === "tree"))(
      "finds %s and does what can be done",
      async (_what, damage, kindOf, words, how) => {
        await using scene = await opened(kind);
        await damage(scene);
        await using again = await opened(kind, scene);
        const { ailments } = await look(again);
        const about = ailments.filter((one) => one.kind === kindOf);
        expect(about.map(({ sentence }) => sentence).join()).toContain(words);
        const healed = await again.graph.heal(ailments, NOBODY);
        expect(healed.find(({ ailment }) => ailment.kind === kindOf)?.how).toBe(how);
        for (const source of again.sources) await again.graph.layers.obtain(source, quiet());
        expect((await look(again)).ailments).toEqual([]);
      },
    );

    test("nothing is done to a layer that a container runs on", async () => {
      await using scene = await opened(kind);
      await appendFile(`${scene.tree(0)}/etc/motd`, "x");
      const { ailments } = await look(scene);
      const [healed] = await scene.graph.heal(ailments, { ...NOBODY, busy: () => "Container web" });
      expect(healed).toMatchObject({ how: "left", sentence: "Container web runs on it: stop it first" });
      expect(existsSync(`${scene.tree(0)}/etc/motd`)).toBe(true);
    });

    test("a damaged blob is kept in quarantine, and obtaining its layer brings it again", async () => {
      await using scene = await opened(kind);
      await writeFile(blobOf(scene, 1), "rotten");
      const { ailments } = await look(scene);
      expect(ailments[0]?.images).toEqual([scene.image.id]);
      const [healed] = await scene.graph.heal(ailments, NOBODY);
      expect(await Bun.file(healed?.sentence.replace("It was moved to ", "") ?? "").text()).toBe("rotten");
      expect(scene.graph.layers.isWhole(scene.layers[1])).toBe(false);
      await scene.graph.layers.obtain(scene.sources[1] as LayerSource, quiet());
      expect(scene.graph.layers.isWhole(scene.layers[1])).toBe(true);
      expect((await look(scene)).ailments).toEqual([]);
    });

    test("what is on disk without a row is told apart from what a pull works with", async () => {
      await using scene = await opened(kind);
      const stray = sha256("stray");
      await writeFile(scene.graph.content.path(stray), "stray");
      await writeFile(`${scene.root}/content/partial/${stray.replace(":", "-")}`, "half");
      await writeFile(`${scene.root}/content/partial/x.new`, "side");
      await scene.graph.driver.create("lost" as LayerId, { writable: true });
      const { strangers, garbage } = await look(scene);
      expect(strangers).toEqual(["lost" as LayerId]);
      expect(garbage.map(({ kind: what, bytes }) => [what, bytes]).sort()).toEqual([
        ["blob", 5],
        ["download", 4],
        ["side file", 4],
      ]);
      expect((await scene.graph.discard(garbage)).length).toBe(3);
      expect(await scene.graph.garbage()).toEqual([]);
    });

    test("the manifest of a removed image is freed with it", async () => {
      await using scene = await opened(kind);
      const manifest = scene.image.manifest?.digest as Digest;
      expect(await scene.graph.content.has(manifest)).toBe(true);
      await scene.graph.images.remove(scene.image.id, { force: true, prune: true, usedBy: () => [] });
      expect(await scene.graph.content.has(manifest)).toBe(false);
      expect(await scene.graph.garbage()).toEqual([]);
    });
  });
}

const LAYERS: readonly (readonly TarMember[])[] = [
  [
    { path: "etc/", type: "directory", modified: { seconds: 1_400_000_000, nanoseconds: 0 } },
    { path: "etc/motd", data: "hello", mode: 0o640, uid: 3, gid: 4 },
    { path: "etc/link", type: "symlink", target: "motd", mode: 0o777 },
    { path: "etc/hard", type: "hardlink", target: "etc/motd" },
    { path: "etc/tool", data: "#!", mode: 0o4755, attributes: { "user.note": "x" } },
    { path: "etc/null", type: "character", major: 1, minor: 3, mode: 0o666 },
    { path: "etc/pipe", type: "fifo" },
    { path: "gone", data: "below" },
    { path: "twice", data: "first" },
    { path: "twice", data: "second time" },
    { path: "deep/er/file", data: "its folders have no entries" },
  ],
  [
    { path: ".wh.gone" },
    { path: "deep/.wh..wh..opq" },
    { path: "deep/new", data: "new" },
    { path: "etc/motd", data: "hello again" },
  ],
];

async function opened(kind: GraphDriverKind, before?: Scene): Promise<Scene> {
  await using undo = new AsyncDisposableStack();
  const root = before?.root ?? undo.use(await scratch()).path;
  const database = undo.use(new GraphDB(`${root}/bunker.db`));
  const graph = undo.use(await openGraph({ root, database, kind }));
  const sources: LayerSource[] = [];
  const layers: LayerId[] = [];
  for (const members of LAYERS) {
    const parent = layers.at(-1);
    const source = sourceOf(tarOf(members), parent);
    sources.push(source);
    layers.push(graph.layers.chain(parent, source.diffId));
  }
  const image = before?.image ?? (await made(graph, sources));
  const owned = undo.move();
  return {
    root,
    database,
    graph,
    image,
    sources,
    layers,
    tree: (layer) =>
      `${root}/${kind.name}/${layers[layer]?.replace(":", "@")}/${kind.name === "vfs" ? "tree" : "diff"}`,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function made(graph: Graph, sources: readonly LayerSource[]): Promise<Image> {
  let top: LayerId | undefined;
  for (const source of sources) top = await graph.layers.obtain(source, quiet());
  const rootfs = { type: "layers", diff_ids: sources.map(({ diffId }) => diffId) };
  const config = Buffer.from(JSON.stringify({ architecture: "amd64", os: "linux", rootfs }));
  const bytes = Buffer.from('{"schemaVersion":2}');
  const digest = await graph.content.put(bytes);
  const manifest = { mediaType: "application/vnd.oci.image.manifest.v1+json", digest, size: bytes.length };
  return graph.images.register({
    config,
    manifest,
    tag: parseReference("app"),
    ...(top !== undefined && { top }),
  });
}

function sourceOf(archive: Buffer, parent: LayerId | undefined): LayerSource {
  const blob = gzipSync(archive);
  return {
    descriptor: {
      mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
      digest: sha256(blob),
      size: blob.length,
    },
    diffId: sha256(archive),
    ...(parent !== undefined && { parent }),
    async *open(offset) {
      yield Buffer.from(blob.subarray(offset)); // The taker does with it what it likes.
    },
  };
}

function blobOf({ graph, sources }: Scene, layer: number): string {
  return graph.content.path(sources[layer]?.descriptor.digest as Digest);
}

function look({ graph }: Scene) {
  return graph.examine({ keep: new Set(), isQuick: false, signal: never(), phase: () => {} });
}

function never(): AbortSignal {
  return new AbortController().signal;
}

function quiet() {
  return { signal: never(), report: () => {} };
}
