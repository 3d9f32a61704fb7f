import { describe, expect, test } from "bun:test";
import type { Container } from "#container";
import { Engine, type EngineEvent } from "#engine";
import type { LayerId } from "#graph";
import type { Jobs } from "#jobs";
import { type Digest, parseReference, sha256 } from "#oci";
import { imageHistory } from "../../../src/jobs/image/history.ts";
import { inspectImage } from "../../../src/jobs/image/inspect.ts";
import { listImages } from "../../../src/jobs/image/list.ts";
import { pruneImages } from "../../../src/jobs/image/prune.ts";
import { removeImage } from "../../../src/jobs/image/remove.ts";
import { tagImage } from "../../../src/jobs/image/tag.ts";
import { parseUntil } from "../../../src/jobs/image/until.ts";
import { FakeGraph } from "../../fakes/images.ts";

interface Given {
  readonly tags?: readonly string[];
  readonly digests?: readonly string[];
  readonly created?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly layers?: readonly string[];
  readonly history?: readonly object[];
  readonly parent?: Digest;
}

function setUp() {
  const graph = new FakeGraph();
  const published: Omit<EngineEvent, "timeNano">[] = [];
  const containers: Container[] = [];
  const rooms = {
    graph,
    events: { publish: (event: Omit<EngineEvent, "timeNano">) => void published.push(event) },
    containers: { list: () => containers },
  };
  const engine = new Engine<Jobs>();
  engine.register([
    imageHistory(rooms),
    inspectImage(rooms),
    listImages(rooms),
    pruneImages(rooms),
    removeImage(rooms),
    tagImage(rooms),
  ]);

  function add({
    tags = [],
    digests = [],
    created = "2026-01-01T00:00:00Z",
    labels = {},
    layers = [],
    history,
    parent,
  }: Given): Digest {
    let top: LayerId | undefined;
    for (const layer of layers) {
      top = graph.layers.chain(top, sha256(layer));
      graph.layers.held.set(top, Buffer.from(layer));
    }
    const rootfs = { type: "layers", diff_ids: layers.map(sha256) };
    const config = {
      os: "linux",
      architecture: "amd64",
      created,
      config: { Labels: labels },
      rootfs,
      ...(history && { history }),
    };
    const bytes = Buffer.from(JSON.stringify({ ...config, unique: graph.images.list().length }));
    const { id } = graph.images.register({ config: bytes, ...(top && { top }), ...(parent && { parent }) });
    for (const tag of tags) graph.images.tag(id, parseReference(tag));
    for (const digest of digests)
      graph.images.register({ config: bytes, digest: parseReference(digest), ...(top && { top }) });
    return id;
  }
  const use = (imageId: Digest, status = "exited") =>
    void containers.push({
      id: "c".repeat(64),
      imageId,
      mounts: [],
      state: { status },
    } as unknown as Container);
  const list = async (filters: Readonly<Record<string, readonly string[]>> = {}, all = false) =>
    (await engine.run("image.list", { all, filters })).map(
      ({ tags, id }) => tags.map(({ path, tag }) => `${path.replace("library/", "")}:${tag}`).join(",") || id,
    );
  return { graph, engine, published, add, use, list };
}

describe("images are listed", () => {
  function three() {
    const house = setUp();
    house.add({
      tags: ["old:1", "old:2"],
      created: "2025-01-01T00:00:00Z",
      labels: { tier: "a", odd: "x=y" },
    });
    house.add({ tags: ["quay.io/team/mid:1"], created: "2025-06-01T00:00:00Z", labels: { tier: "b" } });
    house.add({ tags: ["new:1"], created: "2026-01-01T00:00:00Z" });
    return house;
  }

  test.each([
    [{}, ["new:1", "team/mid:1", "old:1,old:2"]],
    [{ before: ["new:1"] }, ["team/mid:1", "old:1,old:2"]],
    [{ since: ["old:1"] }, ["new:1", "team/mid:1"]],
    [{ since: ["old:1"], before: ["new:1"] }, ["team/mid:1"]],
    [{ label: ["tier"] }, ["team/mid:1", "old:1,old:2"]],
    [{ label: ["tier=a"] }, ["old:1,old:2"]],
    [{ label: ["odd=x=y"] }, ["old:1,old:2"]],
    [{ label: ["tier", "tier=b"] }, ["team/mid:1"]],
    [{ label: ["constructor"] }, []],
    [{ "label!": ["tier=a"] }, ["new:1", "team/mid:1"]],
    [{ until: ["2025-03-01"] }, ["old:1,old:2"]],
    [{ reference: ["old"] }, ["old:1,old:2"]],
    [{ reference: ["old:2"] }, ["old:2"]],
    [{ reference: ["*:1"] }, ["new:1", "old:1"]],
    [{ reference: ["quay.io/*/*"] }, ["team/mid:1"]],
    [{ reference: ["quay.io/*"] }, []],
    [{ reference: ["n?w", "old:[!1]"] }, ["new:1", "old:1"]],
    [{ reference: ["old:[^1]"] }, ["old:2"]],
    [{ dangling: ["false"] }, ["new:1", "team/mid:1", "old:1,old:2"]],
    [{ dangling: ["true"] }, []],
  ] as const)("with %j", async (filters, expected) => {
    expect(await three().list(filters)).toEqual([...expected]);
  });

  test.each([
    [{ nonsense: ["x"] }, "invalid", "invalid filter 'nonsense'"],
    [{ dangling: ["maybe"] }, "invalid", "invalid filter 'dangling=[maybe]'"],
    [{ reference: ["[a"] }, "invalid", "invalid filter 'reference=[a'"],
    [{ reference: ["[z-a]"] }, "invalid", "invalid filter 'reference=[z-a]'"],
    [{ until: ["soon"] }, "invalid", expect.stringContaining("invalid filter 'until=soon'")],
    [{ before: ["none"] }, "not_found", "No such image: none:latest"],
  ] as const)("and %j is refused", async (filters, kind, message) => {
    await expect(three().list(filters)).rejects.toMatchObject({ kind, message });
  });

  test("those without a name are told by whether others stand on them", async () => {
    const { add, list } = setUp();
    const parent = add({});
    const child = add({ tags: ["child"], parent });
    const lost = add({});
    const pulled = add({ digests: [`pulled@${sha256("x")}`] });
    expect(child).toBeString();
    expect((await list()).toSorted()).toEqual(["child:latest", lost, pulled].toSorted());
    expect((await list({}, true)).toSorted()).toEqual(["child:latest", parent, lost, pulled].toSorted());
    expect((await list({ dangling: ["1"] })).toSorted()).toEqual([lost, pulled].toSorted());
    expect((await list({ dangling: ["0"] })).toSorted()).toEqual(["child:latest", pulled].toSorted());
  });

  test("with the number of containers made of them", async () => {
    const { add, use, engine } = setUp();
    use(add({ tags: ["app"] }));
    expect(await engine.run("image.list", { all: false, filters: {} })).toMatchObject([{ containers: 1 }]);
    expect(await engine.run("image.inspect", { ref: "app" })).toMatchObject({
      containers: 1,
      driver: "fake",
    });
  });
});

test("a history gives layers to the steps that made one, and ids to the steps taken here", async () => {
  const { add, engine } = setUp();
  const base = add({ layers: ["12"], history: [{ created_by: "base" }] });
  const history = [
    { created_by: "base" },
    { created_by: "ENV", empty_layer: true },
    { created_by: "RUN", comment: "c" },
  ];
  const middle = add({ layers: ["12"], history: history.slice(0, 2), parent: base });
  const id = add({ tags: ["app"], layers: ["12", "1234"], history, parent: middle });
  const entries = await engine.run("image.history", { ref: "app" });
  expect(entries).toMatchObject([
    { id, createdBy: "RUN", size: 4, comment: "c", tags: ["app:latest"] },
    { id: middle, createdBy: "ENV", size: 0, tags: [] },
    { id: base, createdBy: "base", size: 2, tags: [] },
  ]);
});

test("a history that does not fit the layers is told by the layers alone", async () => {
  const { add, engine } = setUp();
  add({ tags: ["app"], layers: ["12", "1234"], history: [{ created_by: "one" }] });
  const entries = await engine.run("image.history", { ref: "app" });
  expect(entries.map(({ id, size }) => [id.slice(0, 9), size])).toEqual([
    [expect.stringMatching(/^sha256:/), 4],
    ["<missing>", 2],
  ]);
});

describe("a tag", () => {
  test("is put on an image and announced", async () => {
    const { add, engine, list, published } = setUp();
    const id = add({ tags: ["app"], labels: { tier: "a" } });
    await engine.run("image.tag", { ref: "app", repository: "other", tag: "" });
    await engine.run("image.tag", { ref: id.slice(7, 19), repository: "quay.io/x/y", tag: "2" });
    expect(await list()).toEqual(["app:latest,other:latest,x/y:2"]);
    expect(published).toMatchObject([
      { type: "image", action: "tag", id, attributes: { name: "other:latest", tier: "a" } },
      { type: "image", action: "tag", id, attributes: { name: "quay.io/x/y:2" } },
    ]);
  });

  test.each([
    ["none", "x", "", "not_found", "No such image: none:latest"],
    ["app", "X", "", "invalid", "invalid reference format: repository name (library/X) must be lowercase"],
    ["app", "x", "-", "invalid", "invalid tag format"],
    ["app", `x@${sha256("")}`, "", "invalid", "refusing to create a tag with a digest reference"],
  ] as const)("%s as %s:%s is refused", async (ref, repository, tag, kind, message) => {
    const { add, engine, published } = setUp();
    add({ tags: ["app"] });
    await expect(engine.run("image.tag", { ref, repository, tag })).rejects.toMatchObject({ kind, message });
    expect(published).toEqual([]);
  });
});

test.each([
  ["image.remove", { force: true, prune: true }],
  ["image.inspect", {}],
  ["image.history", {}],
] as const)("%s of another platform than the image's finds none and does nothing", async (job, more) => {
  const { add, engine, published, list } = setUp();
  add({ tags: ["app:1"] });
  const ask = (platform: string) =>
    engine.run(job, { ref: "app:1", platform, force: true, prune: true, ...more });
  await expect(ask("linux/arm64")).rejects.toMatchObject({
    kind: "not_found",
    message: expect.stringContaining("its platform (linux/amd64) does not match"),
  });
  await expect(ask("a/b/c/d")).rejects.toMatchObject({ kind: "invalid" });
  expect([await list(), published]).toEqual([["app:1"], []]);
  await ask("linux/amd64");
});

test("a removal is announced for names and images", async () => {
  const { add, engine, published } = setUp();
  const id = add({ tags: ["app:1", "app:2"] });
  const removed = await engine.run("image.remove", { ref: "app:1", force: false, prune: true });
  expect(removed.deleted).toEqual([id]);
  expect(published.map(({ action, id: of }) => [action, of])).toEqual([
    ["untag", id],
    ["untag", id],
    ["delete", id],
  ]);
  await expect(engine.run("image.remove", { ref: "app:1", force: false, prune: true })).rejects.toMatchObject(
    {
      kind: "not_found",
      message: "No such image: app:1",
    },
  );
});

describe("a prune", () => {
  const names = (filters: Readonly<Record<string, readonly string[]>>, house: ReturnType<typeof setUp>) =>
    house.engine.run("image.prune", { filters });

  test("takes what has no name and is not used, and counts layers that nobody else has", async () => {
    const house = setUp();
    house.add({ tags: ["app"], layers: ["shared"] });
    house.use(house.add({ layers: ["used"] }));
    const gone = house.add({ layers: ["shared", "12345"] });
    expect(await names({}, house)).toEqual({ untagged: [], deleted: [gone], reclaimedBytes: 5 });
    expect(house.graph.images.list()).toHaveLength(2);
  });

  test("takes all that is not used when asked to", async () => {
    const house = setUp();
    house.add({ tags: ["app:1", "app:2"], layers: ["123"] });
    house.use(house.add({ tags: ["kept"] }), "running");
    const pruned = await names({ dangling: ["false"] }, house);
    expect(pruned).toMatchObject({
      untagged: ["docker.io/library/app:1", "docker.io/library/app:2"],
      reclaimedBytes: 3,
    });
    expect(await house.list()).toEqual(["kept:latest"]);
  });

  test("keeps to its filters", async () => {
    const house = setUp();
    const old = house.add({ created: "2024-01-01T00:00:00Z", labels: { keep: "" } });
    const older = house.add({ created: "2023-01-01T00:00:00Z" });
    house.add({ created: new Date().toISOString() });
    expect((await names({ until: ["24h"], "label!": ["keep"] }, house)).deleted).toEqual([older]);
    expect((await names({ label: ["keep"] }, house)).deleted).toEqual([old]);
    await expect(names({ reference: ["x"] }, house)).rejects.toMatchObject({
      kind: "invalid",
      message: "invalid filter 'reference'",
    });
  });
});

describe("a moment", () => {
  const NOW = Date.parse("2026-01-02T03:04:05Z");
  test.each([
    ["10m", NOW - 600_000],
    ["1h30m", NOW - 5_400_000],
    ["1.5h", NOW - 5_400_000],
    ["0s", NOW],
    ["10", 10_000],
    ["1700000000", 1_700_000_000_000],
    ["1700000000.25", 1_700_000_000_250],
    ["2025-06-01", Date.UTC(2025, 5, 1)],
    ["2025-06-01T10", Date.UTC(2025, 5, 1, 10)],
    ["2025-06-01T10:20Z", Date.UTC(2025, 5, 1, 10, 20)],
    ["2025-06-01T10:20:30.5+02:00", Date.UTC(2025, 5, 1, 8, 20, 30, 500)],
  ])("%s", (text, expected) => {
    expect(parseUntil(text, NOW)).toBe(expected);
  });

  test.each(["", "h", "-10m", "10 m", "yesterday", "2025-13-01", "2025-06-01T", "2025-06-01x"])(
    "%j is none",
    (text) => {
      expect(() => parseUntil(text, NOW)).toThrow(expect.objectContaining({ kind: "invalid" }));
    },
  );
});
