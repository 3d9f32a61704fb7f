import { expect, test } from "bun:test";
import { parseReference } from "#oci";
import { FakeClock } from "../../fakes/clock.ts";
import {
  breakAfter,
  cutAfter,
  FakeRegistry,
  ignoreRange,
  stallAfter,
  status,
  times,
} from "../../fakes/registry.ts";
import { never, open, read } from "./context.ts";

const TEXT = "the quick brown fox jumps over the lazy dog";

test("a cut download goes on by Range where it stopped", async () => {
  await using registry = await FakeRegistry.start();
  const descriptor = registry.addBlob(TEXT);
  registry.faults.push(times(2, "/blobs/", breakAfter(10)));
  expect(await read(open(), registry, { descriptor })).toBe(TEXT);
  expect(registry.requests.map(({ headers }) => headers.range)).toEqual([
    undefined,
    "bytes=10-",
    "bytes=20-",
  ]);
});

test("a server that knows no Range is read again, and what is known is left out", async () => {
  await using registry = await FakeRegistry.start();
  const descriptor = registry.addBlob(TEXT);
  registry.faults.push(times(1, "/blobs/", breakAfter(10)), times(1, "/blobs/", ignoreRange));
  expect(await read(open(), registry, { descriptor })).toBe(TEXT);
  expect(registry.requests).toHaveLength(2);
});

test("a caller's offset is asked for, and nothing is asked for at the end", async () => {
  await using registry = await FakeRegistry.start();
  const descriptor = registry.addBlob(TEXT);
  expect(await read(open(), registry, { descriptor, offset: 40 })).toBe("dog");
  expect(await read(open(), registry, { descriptor, offset: TEXT.length })).toBe("");
  expect(registry.requests).toHaveLength(1);
});

test("a download that is cut for ever ends with an error after a few attempts", async () => {
  await using registry = await FakeRegistry.start();
  const descriptor = registry.addBlob(TEXT);
  registry.faults.push(times(1000, "/blobs/", cutAfter(10)));
  const clock = new FakeClock();
  const failed = read(open({ clock }), registry, { descriptor });
  await expect(failed).rejects.toMatchObject({ kind: "unavailable" });
  expect(registry.requests).toHaveLength(5);
  expect(clock.slept).toHaveLength(4);
});

test("breaks are forgiven while the download gets on", async () => {
  await using registry = await FakeRegistry.start();
  const descriptor = registry.addBlob(TEXT);
  registry.faults.push(times(1000, "/blobs/", breakAfter(5)));
  expect(await read(open({ limits: { progress: 5 } }), registry, { descriptor })).toBe(TEXT);
  expect(registry.requests).toHaveLength(9);
});

test("a server that falls silent is left, and the download goes on", async () => {
  await using registry = await FakeRegistry.start();
  const descriptor = registry.addBlob(TEXT);
  registry.faults.push(times(1, "/blobs/", stallAfter(10)));
  expect(await read(open({ limits: { silence: 50 } }), registry, { descriptor })).toBe(TEXT);
  expect(registry.requests.map(({ headers }) => headers.range)).toEqual([undefined, "bytes=10-"]);
  await registry.requests[0]?.dropped;
});

test("a cancelled download lets go of the connection and throws the reason", async () => {
  await using registry = await FakeRegistry.start();
  const descriptor = registry.addBlob(TEXT);
  registry.faults.push(times(1, "/blobs/", stallAfter(10)));
  const controller = new AbortController();
  const reference = parseReference(`${registry.host}/app`);
  const reason = new Error("enough");
  const chunks = open().stream(reference, descriptor, { offset: 0, signal: controller.signal });
  const all = (async () => {
    for await (const _ of chunks) controller.abort(reason);
  })();
  await expect(all).rejects.toBe(reason);
  await registry.requests[0]?.dropped;
  expect(registry.requests).toHaveLength(1);
});

test("a reader that gives up lets go of the connection", async () => {
  await using registry = await FakeRegistry.start();
  const descriptor = registry.addBlob(TEXT);
  registry.faults.push(times(1, "/blobs/", stallAfter(10)));
  const reference = parseReference(`${registry.host}/app`);
  for await (const _ of open().stream(reference, descriptor, { offset: 0, signal: never })) break;
  await registry.requests[0]?.dropped;
});

test.each([
  ["announced", { "Content-Length": String(TEXT.length + 5) }],
  ["not announced", { "Transfer-Encoding": "chunked" }],
])("a blob longer than declared is refused (%s)", async (_name, headers) => {
  await using registry = await FakeRegistry.start();
  const descriptor = registry.addBlob(TEXT);
  registry.faults.push(times(1, "/blobs/", status(200, headers, `${TEXT}12345`)));
  await expect(read(open(), registry, { descriptor })).rejects.toMatchObject({
    kind: "invalid",
    message: expect.stringContaining("longer than the declared 43 bytes"),
  });
});

test("an answer of another range than asked for is refused", async () => {
  await using registry = await FakeRegistry.start();
  const descriptor = registry.addBlob(TEXT);
  registry.faults.push(times(1, "/blobs/", status(206, { "Content-Range": "bytes 5-42/43" }, TEXT.slice(5))));
  await expect(read(open(), registry, { descriptor, offset: 10 })).rejects.toMatchObject({ kind: "invalid" });
});

test("a compressed answer is handed on as it came", async () => {
  await using registry = await FakeRegistry.start();
  const bytes = Bun.gzipSync(Buffer.from(TEXT));
  const descriptor = registry.addBlob(bytes);
  registry.faults.push(
    times(1, "/blobs/", ({ response }) =>
      response.writeHead(200, { "Content-Encoding": "gzip", "Content-Length": bytes.length }).end(bytes),
    ),
  );
  const reference = parseReference(`${registry.host}/app`);
  const blob = await open().fetch(reference, descriptor, { limit: 1000, signal: never });
  expect(Buffer.from(blob).equals(bytes)).toBe(true);
  expect(registry.requests[0]?.headers["accept-encoding"]).toBe("identity");
});

test("a small blob is verified, and not even asked for when it is declared too large", async () => {
  await using registry = await FakeRegistry.start();
  const reference = parseReference(`${registry.host}/app`);
  const descriptor = registry.addBlob(TEXT);
  registry.faults.push(times(1, "/blobs/", status(200, {}, TEXT.toUpperCase())));
  const limits = { limit: 100, signal: never };
  await expect(open().fetch(reference, descriptor, limits)).rejects.toMatchObject({ kind: "invalid" });
  await open()
    .fetch(reference, descriptor, limits)
    .catch(() => undefined);
  const asked = registry.requests.length;
  await expect(open().fetch(reference, { ...descriptor, size: 101 }, limits)).rejects.toMatchObject({
    kind: "invalid",
  });
  expect(registry.requests).toHaveLength(asked);
});

test("a blob that is missing is said to be", async () => {
  await using registry = await FakeRegistry.start();
  const descriptor = { mediaType: "", digest: `sha256:${"0".repeat(64)}` as never, size: 3 };
  await expect(read(open(), registry, { descriptor })).rejects.toMatchObject({ kind: "not_found" });
});
