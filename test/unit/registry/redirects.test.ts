import { describe, expect, test } from "bun:test";
import { parseReference } from "#oci";
import { FakeRegistry, status, times } from "../../fakes/registry.ts";
import { never, open, PLATFORM, read, resolve } from "./context.ts";

const TEXT = "a blob that lies elsewhere";
const CREDENTIALS = { username: "u", password: "p" };
const BASIC = { "WWW-Authenticate": 'Basic realm="x"' };

describe("a redirect", () => {
  test.each([301, 302, 303, 307, 308])(
    "of %d is followed to another host, without the authorization",
    async (code) => {
      await using registry = await FakeRegistry.start();
      await using storage = await FakeRegistry.start();
      const descriptor = registry.addBlob(TEXT);
      storage.addBlob(TEXT);
      const path = `/v2/any/blobs/${descriptor.digest}`;
      registry.faults.push(
        (exchange) =>
          exchange.request.headers.authorization === undefined && times(1, "", status(401, BASIC))(exchange),
        times(1, "/blobs/", status(code, { Location: `${storage.url}${path}`, "Set-Cookie": "session=1" })),
      );
      expect(await read(open({ credentials: CREDENTIALS }), registry, { descriptor })).toBe(TEXT);
      expect(registry.requests.at(-1)?.headers.authorization).toBe(`Basic ${btoa("u:p")}`);
      expect(storage.requests).toHaveLength(1);
      expect(storage.requests[0]?.headers).not.toHaveProperty("authorization");
      expect(storage.requests[0]?.headers).not.toHaveProperty("cookie");
    },
  );

  test("to the same host keeps the authorization, and Range goes along", async () => {
    await using registry = await FakeRegistry.start();
    const descriptor = registry.addBlob(TEXT);
    registry.faults.push(
      (exchange) =>
        exchange.request.headers.authorization === undefined && times(1, "", status(401, BASIC))(exchange),
      times(1, "/blobs/", status(307, { Location: `/v2/other/blobs/${descriptor.digest}` })),
    );
    expect(await read(open({ credentials: CREDENTIALS }), registry, { descriptor, offset: 7 })).toBe(
      TEXT.slice(7),
    );
    expect(registry.requests.at(-1)?.headers).toMatchObject({
      authorization: `Basic ${btoa("u:p")}`,
      range: "bytes=7-",
    });
  });

  test("to somebody who demands a password gets none", async () => {
    await using registry = await FakeRegistry.start();
    await using thief = await FakeRegistry.start();
    const descriptor = registry.addBlob(TEXT);
    registry.faults.push(times(9, "/blobs/", status(307, { Location: `${thief.url}/x` })));
    thief.faults.push(times(9, "", status(401, BASIC)));
    await expect(read(open({ credentials: CREDENTIALS }), registry, { descriptor })).rejects.toMatchObject({
      kind: "unauthorized",
    });
    expect(thief.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  test.each([
    ["to a file", "file:///etc/passwd"],
    ["to data", "data:text/plain,x"],
    ["to plain HTTP on a stranger's host", "http://registry.example/x"],
    ["with a password", "http://u:p@127.0.0.1/x"],
    ["to nowhere", "http://"],
  ])("%s is refused", async (_name, location) => {
    await using registry = await FakeRegistry.start();
    const descriptor = registry.addBlob(TEXT);
    registry.faults.push(times(9, "/blobs/", status(307, { Location: location })));
    await expect(read(open(), registry, { descriptor })).rejects.toMatchObject({ kind: "denied" });
    expect(registry.requests).toHaveLength(1);
  });

  test("without a place is refused", async () => {
    await using registry = await FakeRegistry.start();
    registry.faults.push(times(9, "", status(307)));
    await expect(resolve(open(), registry)).rejects.toMatchObject({ kind: "denied" });
  });

  test("in a circle ends after five steps", async () => {
    await using registry = await FakeRegistry.start();
    registry.faults.push(
      times(99, "", (exchange) => status(307, { Location: exchange.request.path })(exchange)),
    );
    await expect(resolve(open(), registry)).rejects.toThrow("redirects more than 5 times");
    expect(registry.requests).toHaveLength(6);
  });
});

describe("Docker Hub's mirrors", () => {
  const httpd = parseReference("httpd");
  const ask = (mirrors: readonly FakeRegistry[], credentials = {}) =>
    open({ mirrors: mirrors.map(({ url }) => url), credentials }).resolve(httpd, {
      platform: PLATFORM,
      signal: never,
    });

  test("are asked in order until one has it, and are not given the Hub's credentials", async () => {
    await using broken = await FakeRegistry.start();
    await using empty = await FakeRegistry.start();
    await using full = await FakeRegistry.start();
    broken.faults.push(times(99, "", status(500)));
    full.faults.push(times(1, "", status(401, BASIC)));
    const { digest } = full.addImage("library/httpd", "latest", { layers: [] });
    await using last = await FakeRegistry.start();
    last.addImage("library/httpd", "latest", { layers: [] });
    expect((await ask([broken, empty, full, last], CREDENTIALS)).root.digest).toBe(digest);
    expect([broken, empty, full, last].map(({ requests }) => requests.length)).toEqual([5, 1, 1, 1]);
    for (const { requests } of [broken, empty, full, last])
      expect(requests.every(({ headers }) => headers.authorization === undefined)).toBe(true);
  });

  test("the one that had the manifest is asked for the blobs, and another when it fails in the middle", async () => {
    await using empty = await FakeRegistry.start();
    await using first = await FakeRegistry.start();
    await using second = await FakeRegistry.start();
    for (const mirror of [first, second]) mirror.addImage("library/httpd", "latest", { layers: [TEXT] });
    const client = open({ mirrors: [empty, first, second].map(({ url }) => url) });
    const { layers } = await client.resolve(httpd, { platform: PLATFORM, signal: never });
    const [layer] = layers;
    if (layer === undefined) throw new Error("no layer");
    first.faults.push(times(99, "/blobs/", status(404)));
    const parts: Uint8Array[] = [];
    for await (const part of client.stream(httpd, layer, { offset: 0, signal: never })) parts.push(part);
    expect(Buffer.concat(parts).toString()).toBe(TEXT);
    expect(
      [empty, first, second].map(({ lines }) => lines.filter((line) => line.includes("/blobs/")).length),
    ).toEqual([1, 1, 1]);
  });
});

test("a protocol that was found behind a failed handshake is not looked for again", async () => {
  await using registry = await FakeRegistry.start();
  registry.addImage("app", "latest", { layers: [] });
  const client = open();
  await resolve(client, registry);
  await resolve(client, registry);
  expect(registry.requests).toHaveLength(2);
});

test("a registry that nobody is, is said not to be there", async () => {
  const gone = await FakeRegistry.start();
  const { host } = gone;
  await gone[Symbol.asyncDispose]();
  const reference = parseReference(`${host}/app`);
  await expect(open().resolve(reference, { platform: PLATFORM, signal: never })).rejects.toMatchObject({
    kind: "unavailable",
    message: expect.stringContaining(`${host} failed: connection refused`),
  });
});
