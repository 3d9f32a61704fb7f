import { describe, expect, test } from "bun:test";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Descriptor, MEDIA } from "#oci";
import { Origin, openRegistry, openRegistryStore, serveRegistry } from "#registry";
import { FakeClock } from "../../../fakes/clock.ts";
import { cutAfter, FakeRegistry, type RecordedRequest, status, times } from "../../../fakes/registry.ts";

/** A cache in front of a registry that misbehaves on demand. */
async function startCache(origin: FakeRegistry) {
  await using undo = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "bunker-registry-origin-"));
  undo.defer(() => rm(folder, { recursive: true, force: true }));
  const store = await openRegistryStore(folder);
  const complaints: string[] = [];
  const complain = (sentence: string) => void complaints.push(sentence);
  const server = undo.use(
    serveRegistry({
      hostname: "127.0.0.1",
      port: 0,
      store,
      mayDelete: false,
      complain,
      origin: new Origin({
        store,
        domain: origin.host,
        folder: join(folder, "fetching"),
        complain,
        client: () => openRegistry({ mirrors: [], insecure: [] }, undefined, { clock: new FakeClock() }),
      }),
    }),
  );
  const owned = undo.move();
  return {
    complaints,
    fetching: join(folder, "fetching"),
    ask: (path: string, init: RequestInit = {}) => fetch(`${server.url}/v2/app/${path}`, init),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function layerOf(origin: FakeRegistry, text: string): Descriptor {
  const layer = origin.addBlob(text);
  const config = origin.addBlob("{}", MEDIA.ociConfig);
  origin.addManifest("app", "latest", {
    schemaVersion: 2,
    mediaType: MEDIA.ociManifest,
    config,
    layers: [layer],
  });
  return layer;
}

const fetchesOf = (requests: readonly RecordedRequest[], { digest }: Descriptor) =>
  requests.filter(({ method, path }) => method === "GET" && path.includes(digest)).length;

const TEXT = "a layer ".repeat(100_000);

describe("a cache", () => {
  test("fetches once what many ask for at once, and each gets all of it", async () => {
    await using origin = await FakeRegistry.start();
    const layer = layerOf(origin, TEXT);
    await using cache = await startCache(origin);
    await cache.ask("manifests/latest");
    const answers = await Promise.all(
      Array.from({ length: 16 }, async () => (await cache.ask(`blobs/${layer.digest}`)).text()),
    );
    expect(answers.every((text) => text === TEXT)).toBe(true);
    expect(fetchesOf(origin.requests, layer)).toBe(1);
    expect([await readdir(cache.fetching), cache.complaints]).toEqual([[], []]);
    expect(await (await cache.ask(`blobs/${layer.digest}`)).text()).toBe(TEXT);
  });

  test("goes on where its origin broke off", async () => {
    await using origin = await FakeRegistry.start();
    const layer = layerOf(origin, TEXT);
    origin.faults.push(times(1, layer.digest, cutAfter(100_000)));
    await using cache = await startCache(origin);
    await cache.ask("manifests/latest");
    expect(await (await cache.ask(`blobs/${layer.digest}`)).text()).toBe(TEXT);
    expect(cache.complaints).toEqual([]);
  });

  test("whose origin fails ends the answers that began, and asks again the next time", async () => {
    await using origin = await FakeRegistry.start();
    const layer = layerOf(origin, TEXT);
    await using cache = await startCache(origin);
    await cache.ask("manifests/latest");
    let isBroken = true;
    origin.faults.push((exchange) => {
      if (!isBroken || !exchange.request.path.includes(layer.digest)) return false;
      status(403)(exchange);
      return true;
    });
    const failed = await Promise.allSettled(
      [1, 2].map(async () => (await cache.ask(`blobs/${layer.digest}`)).text()),
    );
    expect(failed.every((end) => end.status === "rejected" || end.value !== TEXT)).toBe(true);
    const part = await cache.ask(`blobs/${layer.digest}`, { headers: { Range: "bytes=1-2" } });
    expect(part.status).toBe(503);
    isBroken = false;
    expect(await (await cache.ask(`blobs/${layer.digest}`)).text()).toBe(TEXT);
    expect(await readdir(cache.fetching)).toEqual([]);
  });

  test("does not keep what is not what its digest says", async () => {
    await using origin = await FakeRegistry.start();
    const layer = layerOf(origin, TEXT);
    origin.faults.push(
      times(1, layer.digest, ({ response }) => void response.writeHead(200).end("x".repeat(TEXT.length))),
    );
    await using cache = await startCache(origin);
    await cache.ask("manifests/latest");
    const first = cache.ask(`blobs/${layer.digest}`).then((answer) => answer.text());
    expect(await first.catch(() => "cut off")).not.toBe(TEXT);
    expect(await (await cache.ask(`blobs/${layer.digest}`)).text()).toBe(TEXT);
  });

  test("ends an answer whose blob is shorter than its manifest says", async () => {
    await using origin = await FakeRegistry.start();
    const layer = layerOf(origin, "short");
    const claimed = { ...layer, size: 100 };
    origin.addManifest("app", "latest", {
      schemaVersion: 2,
      mediaType: MEDIA.ociManifest,
      config: origin.addBlob("{}", MEDIA.ociConfig),
      layers: [claimed],
    });
    await using cache = await startCache(origin);
    await cache.ask("manifests/latest");
    const end = cache.ask(`blobs/${layer.digest}`).then((answer) => answer.text());
    expect(await end.catch(() => "cut off")).not.toHaveLength(100);
  });
});
