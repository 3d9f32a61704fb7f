import { expect, test } from "bun:test";
import { GraphDB } from "#graphdb";
import { type Digest, parseReference, type Reference, sha256 } from "#oci";
import type { Collector } from "../../../src/graph/gc.ts";
import { LayerTable } from "../../../src/graph/layer-table.ts";
import { Leases } from "../../../src/graph/leases.ts";
import { ImageStore } from "../../../src/graph/store.ts";

const NOBODY = { force: false, prune: true, usedBy: () => [] };
const FORCED = { ...NOBODY, force: true };
const STOPPED = [{ id: "c".repeat(64), isRunning: false }];
const RUNNING = [{ id: "c".repeat(64), isRunning: true }];
const BY_DIGEST = parseReference(`httpd@${sha256("manifest")}`);

test("an image is found by name, tag, digest, id and unique prefix of an id", () => {
  const { images, make } = scene();
  const image = make("a", ["httpd", "httpd:2.4", BY_DIGEST]);
  const hex = image.id.slice("sha256:".length);
  for (const text of ["httpd", "httpd:latest", "docker.io/library/httpd:2.4", `httpd@${sha256("manifest")}`])
    expect(images.find(text)?.id).toBe(image.id);
  for (const text of [image.id, hex, hex.slice(0, 12), `sha256:${hex.slice(0, 4)}`])
    expect(images.find(text)?.id).toBe(image.id);
  expect(image.tags.map(({ tag }) => tag)).toEqual(["2.4", "latest"]);
  expect(image.digests.map(({ digest }) => digest)).toEqual([sha256("manifest")]);
});

test.each(["nginx", "httpd:2.2", "", "UPPER", "sha256:", "../x", "httpd:"])("%j finds nothing", (text) => {
  const { images, make } = scene();
  make("a", ["httpd"]);
  expect(images.find(text)).toBeUndefined();
});

test("an ambiguous prefix is refused", () => {
  const { images, make } = scene();
  const firsts = new Set<string>();
  for (let number = 0; firsts.size === number; number++) firsts.add(make(`image ${number}`).id.slice(7, 8));
  const twice = images.list().map(({ id }) => id.slice(7, 8));
  const shared = twice.find((first, at) => twice.indexOf(first) !== at) ?? "";
  expect(() => images.find(shared)).toThrow(`multiple IDs found with provided prefix: ${shared}`);
});

test("a name that looks like a prefix of an id is a name first", () => {
  const { images, make } = scene();
  const image = make("a");
  const named = make("b", [image.id.slice(7, 11)]);
  expect(images.find(image.id.slice(7, 11))?.id).toBe(named.id);
});

test("a tag that moves leaves the image that had it without", () => {
  const { images, make } = scene();
  const [before, after] = [make("a", ["httpd"]), make("b", ["httpd"])];
  expect(images.find("httpd")?.id).toBe(after.id);
  expect(images.get(before.id)?.tags).toEqual([]);
});

test("the configuration's exact bytes are kept", () => {
  const { images } = scene();
  const config = Buffer.from(
    `{ "os":"linux",\n"architecture":"amd64", "x":"\\u00fc ü", "rootfs":{"type":"layers"}}`,
  );
  expect(Buffer.from(images.configuration(images.register({ config }).id))).toEqual(config);
});

test.each<[string, Uint8Array]>([
  ["no JSON", Buffer.from("hello")],
  ["no UTF-8", Buffer.from([0xff, 0xfe])],
  ["no image", Buffer.from("{}")],
])("a configuration that is %s is refused", (_what, config) => {
  expect(() => scene().images.register({ config })).toThrow("configuration is malformed");
});

test("a register whose layer is not there stores nothing", () => {
  const { images } = scene();
  const config = configOf("a");
  expect(() => images.register({ config, top: "sha256:none" as never, tag: parseReference("x") })).toThrow(
    "not in the graph",
  );
  expect([images.list(), images.find("x")]).toEqual([[], undefined]);
});

test("removing one of several tags only untags", async () => {
  const { images, make } = scene();
  const image = make("a", ["httpd", "httpd:2.4"]);
  expect(await images.remove("httpd", NOBODY)).toEqual({ untagged: ["httpd:latest"], deleted: [] });
  expect(await images.remove("httpd:2.4", NOBODY)).toEqual({ untagged: ["httpd:2.4"], deleted: [image.id] });
});

test("removing the last tag of a repository takes the digest of its pull along", async () => {
  const { images, make } = scene();
  const image = make("a", ["httpd", BY_DIGEST]);
  const digest = `httpd@${sha256("manifest")}`;
  expect(await images.remove("httpd", NOBODY)).toEqual({
    untagged: ["httpd:latest", digest],
    deleted: [image.id],
  });
});

test("removing by id takes all names of one repository", async () => {
  const { images, make } = scene();
  const image = make("a", ["httpd", BY_DIGEST]);
  const { untagged, deleted } = await images.remove(image.id.slice(7, 19), NOBODY);
  expect([untagged.length, deleted]).toEqual([2, [image.id]]);
});

test("an image in several repositories is removed by id only with force", async () => {
  const { images, make } = scene();
  const image = make("a", ["httpd", "other"]);
  const short = image.id.slice(7, 19);
  await expect(images.remove(image.id, NOBODY)).rejects.toThrow(
    `conflict: unable to delete ${short} (must be forced) - image is referenced in multiple repositories`,
  );
  expect(images.get(image.id)?.tags.length).toBe(2);
  expect(await images.remove(image.id, FORCED)).toEqual({
    untagged: ["httpd:latest", "other:latest"],
    deleted: [image.id],
  });
});

test("the only name of an image in use is not taken without force", async () => {
  const { images, make } = scene();
  const image = make("a", ["httpd"]);
  await expect(images.remove("httpd", { ...NOBODY, usedBy: () => STOPPED })).rejects.toThrow(
    `conflict: unable to remove repository reference "httpd" (must force) - container cccccccccccc is using its referenced image ${image.id.slice(7, 19)}`,
  );
  expect(await images.remove("httpd", { ...FORCED, usedBy: () => STOPPED })).toEqual({
    untagged: ["httpd:latest"],
    deleted: [],
  });
  expect(images.get(image.id)).toBeDefined();
});

test.each([
  [RUNNING, false, "(cannot be forced) - image is being used by running container cccccccccccc"],
  [RUNNING, true, "(cannot be forced) - image is being used by running container cccccccccccc"],
  [STOPPED, false, "(must be forced) - image is being used by stopped container cccccccccccc"],
])("by id, an image used by %j with force %p stays: %s", async (users, force, words) => {
  const { images, make } = scene();
  const image = make("a", ["httpd"]);
  await expect(images.remove(image.id, { ...NOBODY, force, usedBy: () => users })).rejects.toThrow(words);
  expect(images.find("httpd")?.id).toBe(image.id);
});

test("an image that others are built from stays, and goes with the last of them", async () => {
  const { images, make } = scene();
  const parent = make("parent");
  const child = images.register({
    config: configOf("child"),
    parent: parent.id,
    tag: parseReference("child"),
  });
  await expect(images.remove(parent.id, FORCED)).rejects.toThrow("image has dependent child images");
  expect(await images.remove("child", NOBODY)).toEqual({
    untagged: ["child:latest"],
    deleted: [child.id, parent.id],
  });
});

test("a parent that has a name stays", async () => {
  const { images, make } = scene();
  const parent = make("parent", ["base"]);
  const child = images.register({ config: configOf("child"), parent: parent.id });
  expect(await images.remove(child.id, NOBODY)).toEqual({ untagged: [], deleted: [child.id] });
  expect(images.find("base")?.id).toBe(parent.id);
});

test("what is not there is said", async () => {
  await expect(scene().images.remove("nope", NOBODY)).rejects.toMatchObject({
    kind: "not_found",
    message: "No such image: nope",
  });
});

function configOf(name: string): Uint8Array {
  return Buffer.from(
    JSON.stringify({ architecture: "amd64", os: "linux", author: name, rootfs: { type: "layers" } }),
  );
}

function scene() {
  const database = new GraphDB(":memory:");
  const dropped: Digest[] = [];
  const collector: Pick<Collector, "collect" | "dropManifests"> = {
    collect: async () => [],
    dropManifests: async (digests) => void dropped.push(...digests),
  };
  const layers = new LayerTable(database);
  const images = new ImageStore({
    database,
    layers,
    leases: new Leases(),
    blobs: new Leases<Digest>(),
    collector,
  });
  const make = (name: string, references: readonly (string | Reference)[] = []) => {
    const { id } = images.register({ config: configOf(name) });
    for (const reference of references)
      images.tag(id, typeof reference === "string" ? parseReference(reference) : reference);
    return images.get(id) ?? { id: id as Digest, tags: [], digests: [] };
  };
  return { images, make, dropped, database };
}
