import { describe, expect, test } from "bun:test";
import { Engine, type EngineEvent, EventBus, type Progress } from "#engine";
import type { Jobs } from "#jobs";
import { MEDIA, sha256 } from "#oci";
import { openRegistry } from "#registry";
import { pullImage } from "../../../src/jobs/image/pull.ts";
import { FakeClock } from "../../fakes/clock.ts";
import { FakeGraph } from "../../fakes/images.ts";
import { FakeRegistry, stallAfter, status, times } from "../../fakes/registry.ts";

/** An engine that pulls from the registry as if it were Docker Hub's mirror. */
function setUp(registry: FakeRegistry) {
  const graph = new FakeGraph();
  const events = new EventBus();
  const published: EngineEvent[] = [];
  const bus = {
    publish: (event: Omit<EngineEvent, "timeNano">) =>
      published.push({ ...event, timeNano: 0n }) && events.publish(event),
  };
  const engine = new Engine<Jobs>();
  engine.register([
    pullImage({
      graph,
      events: bus,
      settings: { registryMirrors: [registry.url], insecureRegistries: [], certificateFolders: [] },
      openRegistry: (settings, credentials) =>
        openRegistry(settings, credentials, { clock: new FakeClock() }),
    }),
  ]);
  const lines: string[] = [];
  const onProgress = (progress: Progress) => {
    if (progress.kind === "status")
      lines.push(progress.id === undefined ? progress.status : `${progress.id}: ${progress.status}`);
  };
  const pull = (
    reference: string,
    options: { platform?: string; allTags?: boolean; signal?: AbortSignal; auth?: object } = {},
  ) =>
    engine.run(
      "image.pull",
      {
        reference,
        allTags: options.allTags ?? false,
        ...(options.platform !== undefined && { platform: options.platform }),
      },
      {
        onProgress,
        ...(options.signal && { signal: options.signal }),
        ...(options.auth && { environment: { REGISTRY_AUTH: JSON.stringify(options.auth) } }),
      },
    );
  return { graph, engine, pull, lines, published };
}

const short = (text: string) => sha256(text).slice(7, 19);

test("a pull brings the layers, registers the image and tells about it in Docker's words", async () => {
  await using registry = await FakeRegistry.start();
  const { digest } = registry.addImage("library/httpd", "latest", { layers: ["one", "two"] });
  const { graph, pull, lines, published } = setUp(registry);
  const result = await pull("httpd");
  expect(result).toMatchObject({ digest, changed: true });
  const image = graph.images.get(result.id);
  expect(image?.tags).toEqual([{ domain: "docker.io", path: "library/httpd", tag: "latest" }]);
  expect(image?.digests).toEqual([{ domain: "docker.io", path: "library/httpd", digest }]);
  expect(image?.top).toBe(sha256(`${sha256("one")} ${sha256("two")}`) as never);
  expect(graph.content.blobs.has(digest)).toBe(true);
  const head = [
    "latest: Pulling from library/httpd",
    `${short("one")}: Pulling fs layer`,
    `${short("two")}: Pulling fs layer`,
  ];
  expect(lines.slice(0, 3)).toEqual(head);
  const words = ["Downloading", "Verifying Checksum", "Download complete", "Extracting", "Pull complete"];
  for (const layer of ["one", "two"])
    expect(lines.slice(3).filter((line) => line.startsWith(short(layer)))).toEqual(
      words.map((word) => `${short(layer)}: ${word}`),
    );
  expect(lines.slice(-2)).toEqual([`Digest: ${digest}`, "Status: Downloaded newer image for httpd:latest"]);
  expect(published).toMatchObject([
    { type: "image", action: "pull", id: "httpd:latest", attributes: { name: "httpd" } },
  ]);
});

test("an unchanged tag costs one request for its manifest and nothing else", async () => {
  await using registry = await FakeRegistry.start();
  const { digest } = registry.addImage("library/httpd", "latest", { layers: ["one"] });
  const { pull, lines } = setUp(registry);
  const first = await pull("httpd");
  const asked = registry.requests.length;
  lines.length = 0;
  expect(await pull("httpd")).toEqual({ ...first, changed: false });
  expect(registry.lines.slice(asked)).toEqual(["HEAD /v2/library/httpd/manifests/latest"]);
  expect(lines).toEqual([
    "latest: Pulling from library/httpd",
    `Digest: ${digest}`,
    "Status: Image is up to date for httpd:latest",
  ]);
});

test("a changed tag brings only the layers that are missing", async () => {
  await using registry = await FakeRegistry.start();
  registry.addImage("library/httpd", "latest", { layers: ["one", "two"] });
  const { pull, lines } = setUp(registry);
  await pull("httpd");
  registry.addImage("library/httpd", "latest", { layers: ["one", "three"] });
  const asked = registry.requests.length;
  lines.length = 0;
  expect(await pull("httpd")).toMatchObject({ changed: true });
  expect(registry.lines.slice(asked).filter((line) => line.includes(sha256("one")))).toEqual([]);
  expect(lines).toContain(`${short("one")}: Already exists`);
  expect(lines).toContain(`${short("three")}: Pull complete`);
});

test("an image whose layers are lost is brought again", async () => {
  await using registry = await FakeRegistry.start();
  registry.addImage("library/httpd", "latest", { layers: ["one"] });
  const { graph, pull } = setUp(registry);
  await pull("httpd");
  graph.layers.held.clear();
  expect(await pull("httpd")).toMatchObject({ changed: false });
  expect(graph.layers.held.size).toBe(1);
});

test("a registry that knows no HEAD is asked for the whole", async () => {
  await using registry = await FakeRegistry.start();
  registry.addImage("library/httpd", "latest", { layers: ["one"] });
  const { pull } = setUp(registry);
  await pull("httpd");
  registry.faults.push(
    (exchange) => exchange.request.method === "HEAD" && times(1, "", status(400))(exchange),
  );
  expect(await pull("httpd")).toMatchObject({ changed: false });
});

test("a pull by digest leaves tags alone", async () => {
  await using registry = await FakeRegistry.start();
  const { digest } = registry.addImage("library/httpd", "latest", { layers: ["one"] });
  const { graph, pull, lines } = setUp(registry);
  const { id } = await pull(`httpd:2.4@${digest}`);
  expect(graph.images.get(id)?.tags).toEqual([]);
  expect(lines[0]).toBe(`${digest}: Pulling from library/httpd`);
});

test("all tags of a repository are pulled", async () => {
  await using registry = await FakeRegistry.start();
  registry.addImage("library/httpd", "1", { layers: ["one"] });
  registry.addImage("library/httpd", "2", { layers: ["two"] });
  const { graph, pull, lines } = setUp(registry);
  await pull("httpd", { allTags: true });
  expect(graph.images.list().flatMap(({ tags }) => tags.map(({ tag }) => tag))).toEqual(["1", "2"]);
  expect(lines.at(-1)).toBe("Status: Downloaded newer image for httpd");
  await expect(pull("httpd:1", { allTags: true })).rejects.toMatchObject({ kind: "invalid" });
});

describe("a pull that fails leaves the graph as it was", () => {
  const NOTHING = { content: 0, images: 0, layers: 0, leased: 0 };
  const left = (graph: FakeGraph) => ({
    content: graph.content.blobs.size,
    images: graph.images.list().length,
    layers: graph.layers.held.size,
    leased: graph.layers.leased.length,
  });

  test("when a layer is not what its digest says", async () => {
    await using registry = await FakeRegistry.start();
    registry.addImage("library/httpd", "latest", { layers: ["one", "two"] });
    registry.faults.push(times(1000, sha256("two"), status(200, {}, "owt")));
    const { graph, pull } = setUp(registry);
    await expect(pull("httpd")).rejects.toThrow("does not match");
    expect(left(graph)).toEqual(NOTHING);
  });

  test("when the configuration speaks of another number of layers", async () => {
    await using registry = await FakeRegistry.start();
    const layer = registry.addBlob("one");
    const text = JSON.stringify({
      os: "linux",
      architecture: "amd64",
      rootfs: { type: "layers", diff_ids: [] },
    });
    const config = registry.addBlob(text, MEDIA.ociConfig);
    registry.addManifest("library/httpd", "latest", { schemaVersion: 2, config, layers: [layer] });
    const { graph, pull } = setUp(registry);
    await expect(pull("httpd")).rejects.toMatchObject({
      kind: "invalid",
      message: expect.stringContaining("0 layers and the manifest of 1"),
    });
    expect(left(graph)).toEqual(NOTHING);
  });

  test.each([
    ["is no JSON", "{"],
    [
      "is no configuration",
      '{"rootfs":{"type":"layers","diff_ids":["../../x"]},"os":"linux","architecture":"amd64"}',
    ],
  ])("when the configuration %s", async (_name, text) => {
    await using registry = await FakeRegistry.start();
    const config = registry.addBlob(text, MEDIA.ociConfig);
    registry.addManifest("library/httpd", "latest", { schemaVersion: 2, config, layers: [] });
    const { graph, pull } = setUp(registry);
    await expect(pull("httpd")).rejects.toMatchObject({ kind: "invalid" });
    expect(left(graph)).toEqual(NOTHING);
  });

  test("when it is for another platform, asked for or not", async () => {
    await using registry = await FakeRegistry.start();
    registry.addImage("library/httpd", "latest", {
      layers: ["one"],
      platform: { os: "linux", architecture: "s390x" },
    });
    const { graph, pull } = setUp(registry);
    const message = expect.stringMatching(/linux\/s390x.*linux\/(amd64|arm64)/);
    await expect(pull("httpd")).rejects.toMatchObject({ kind: "not_found", message });
    await expect(pull("httpd", { platform: "linux/arm64" })).rejects.toMatchObject({ kind: "not_found" });
    await expect(pull("httpd", { platform: "a b" })).rejects.toMatchObject({ kind: "invalid" });
    expect(left(graph)).toEqual(NOTHING);
    expect(await pull("httpd", { platform: "linux/s390x" })).toMatchObject({ changed: true });
  });

  test("when it is cancelled in the middle of a layer, and drops the connection", async () => {
    await using registry = await FakeRegistry.start();
    registry.addImage("library/httpd", "latest", { layers: ["one", "two"] });
    registry.faults.push(times(1000, sha256("two"), stallAfter(1)));
    const { graph, engine, pull } = setUp(registry);
    const failed = pull("httpd");
    const isStalled = () => registry.requests.find(({ path }) => path.includes(sha256("two")));
    while (isStalled() === undefined) await new Promise(setImmediate);
    const [job] = engine.list();
    engine.cancel(job?.id ?? "");
    await expect(failed).rejects.toMatchObject({ kind: "cancelled" });
    await isStalled()?.dropped;
    expect(left(graph)).toEqual(NOTHING);
    expect(engine.list()[0]?.status).toBe("cancelled");
  });
});

test("a missing image is said to be missing, though the Hub beyond the mirror cannot be reached", async () => {
  await using registry = await FakeRegistry.start();
  const { pull } = setUp(registry);
  await expect(pull("localhost:1/nothing")).rejects.toMatchObject({ kind: "unavailable" });
  await expect(pull("Httpd")).rejects.toMatchObject({ kind: "invalid" });
});

test("credentials that cannot be read are refused without being quoted", async () => {
  await using registry = await FakeRegistry.start();
  const { pull } = setUp(registry);
  const thrown = await pull("httpd", { auth: { password: ["hunter2"] } }).catch((error: unknown) => error);
  expect(thrown).toMatchObject({ kind: "invalid" });
  expect(Bun.inspect(thrown)).not.toContain("hunter2");
});
