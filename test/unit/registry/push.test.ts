import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Descriptor, MEDIA, parseNamed, sha256 } from "#oci";
import {
  openRegistryStore,
  type PushedBlob,
  type RegistryServer,
  type RegistryStore,
  serveRegistry,
} from "#registry";
import { FaultyProxy, says, strikes } from "../../fakes/faulty-proxy.ts";
import { FakeRegistry } from "../../fakes/registry.ts";
import { type Given, never, open } from "./context.ts";

const BASIC = { "WWW-Authenticate": 'Basic realm="x"' };
const CREDENTIALS = { username: "u", password: "p" };
const SIZE = 3_000_000;
let folder: string;
let store: RegistryStore;
let server: RegistryServer;
let proxy: FaultyProxy;
let count = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "bunker-push-unit-"));
  store = await openRegistryStore(folder);
  server = serveRegistry({
    hostname: "127.0.0.1",
    port: 0,
    store,
    mayDelete: true,
    complain: () => {},
  });
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

beforeEach(async () => {
  proxy = await FaultyProxy.before(server.url);
});

afterEach(() => proxy[Symbol.asyncDispose]());

/** Bytes that no other test has sent. */
function blob(): { readonly bytes: Uint8Array<ArrayBuffer>; readonly descriptor: Descriptor } {
  count += 1;
  const bytes = new Uint8Array(SIZE).fill(count);
  return { bytes, descriptor: { mediaType: MEDIA.ociLayerGzip, digest: sha256(bytes), size: SIZE } };
}

async function push(
  { bytes, descriptor }: ReturnType<typeof blob>,
  given: Given & {
    readonly from?: readonly string[];
    readonly report?: (sent: number) => void;
    readonly source?: string;
  } = {},
): Promise<PushedBlob> {
  const { from = [], report = () => {}, source = new Blob([bytes]), ...rest } = given;
  const reference = parseNamed(`${proxy.host}/app`);
  return open(rest).pushBlob(reference, descriptor, { source, from, signal: never, report });
}

async function expectWhole({ bytes, descriptor }: ReturnType<typeof blob>): Promise<void> {
  const answer = await fetch(`${server.url}/v2/app/blobs/${descriptor.digest}`);
  expect(Buffer.from(await answer.arrayBuffer()).equals(bytes)).toBe(true);
}

const HEAD = "HEAD /v2/app/blobs/DIGEST";
const POST = "POST /v2/app/blobs/uploads/";
const PATCH = "PATCH /v2/app/blobs/uploads/ID";
const GET = "GET /v2/app/blobs/uploads/ID";
const PUT = "PUT /v2/app/blobs/uploads/ID?digest=DIGEST";

describe("a blob", () => {
  test("is sent once, and then known", async () => {
    const layer = blob();
    const sent: number[] = [];
    expect(await push(layer, { report: (bytes) => sent.push(bytes) })).toEqual({ how: "pushed" });
    expect(sent.at(-1)).toBe(SIZE);
    await expectWhole(layer);
    expect(await push(layer)).toEqual({ how: "exists" });
    expect(proxy.lines).toEqual([HEAD, POST, PATCH, PUT, HEAD]);
  });

  test("goes on where the line broke", async () => {
    const layer = blob();
    proxy.faults.push(strikes(1, ["PATCH", ""], ({ forwardPart }) => forwardPart(1_234_567)));
    expect(await push(layer)).toEqual({ how: "pushed" });
    await expectWhole(layer);
    expect(proxy.lines).toEqual([HEAD, POST, PATCH, GET, PATCH, PUT]);
    expect(proxy.requests[4]?.headers["content-range"]).toBe(`1234567-${SIZE - 1}`);
  });

  test("of a file arrives as it is, however slowly the registry takes it, and goes on where the line broke", async () => {
    const bytes = new Uint8Array(20_000_001);
    for (let at = 0; at < bytes.length; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
    const descriptor = { mediaType: MEDIA.ociLayerGzip, digest: sha256(bytes), size: bytes.length };
    const source = join(folder, "a-file");
    await Bun.write(source, bytes);
    proxy.faults.push(
      strikes(1, ["PATCH", ""], ({ forwardPart }) => forwardPart(5_000_001)),
      strikes(1, ["PATCH", ""], async ({ incoming, forward }) => {
        for (let pauses = 0; pauses < 20; pauses++) {
          incoming.pause();
          await Bun.sleep(5);
        }
        forward();
      }),
    );
    const sent: number[] = [];
    const pushed = await push({ bytes, descriptor }, { source, report: (count) => sent.push(count) });
    expect(pushed).toEqual({ how: "pushed" });
    await expectWhole({ bytes, descriptor });
    expect(proxy.requests[4]?.headers["content-range"]).toBe(`5000001-${bytes.length - 1}`);
    expect(sent.at(-1)).toBe(bytes.length);
  });

  test("is asked for until the registry is back, before it goes on", async () => {
    const layer = blob();
    proxy.faults.push(
      strikes(1, ["PATCH", ""], ({ forwardPart }) => forwardPart(1_000_000)),
      strikes(2, ["GET", ""], ({ incoming }) => incoming.socket.destroy()),
      strikes(5, ["GET", ""], says(503)),
    );
    expect(await push(layer)).toEqual({ how: "pushed" });
    await expectWhole(layer);
    expect(proxy.requests.at(-2)?.headers["content-range"]).toBe(`1000000-${SIZE - 1}`);
  });

  test.each([500, 502, 503, 504, 429])("that is answered with %d is sent again", async (code) => {
    const layer = blob();
    proxy.faults.push(strikes(1, ["PATCH", ""], says(code)), strikes(1, ["PUT", ""], says(code)));
    expect(await push(layer)).toEqual({ how: "pushed" });
    await expectWhole(layer);
  });

  test("whose upload the registry has forgotten is sent anew", async () => {
    const layer = blob();
    proxy.faults.push(
      strikes(1, ["PATCH", ""], async ({ incoming, forwardPart }) => {
        await forwardPart(1_000_000);
        const [, path = ""] = /(\/v2\/.*)/.exec(incoming.url ?? "") ?? [];
        await fetch(`${server.url}${path}`, { method: "DELETE" });
      }),
    );
    expect(await push(layer)).toEqual({ how: "pushed" });
    await expectWhole(layer);
    expect(proxy.lines.filter((line) => line === POST)).toHaveLength(2);
  });

  test("that the registry has taken without being able to say so is there", async () => {
    const layer = blob();
    proxy.faults.push(strikes(1, ["PUT", ""], ({ forwardUnanswered }) => forwardUnanswered()));
    expect(await push(layer)).toEqual({ how: "pushed" });
    await expectWhole(layer);
    expect(proxy.lines.filter((line) => line === PATCH)).toHaveLength(1);
  });

  test("whose permission ends in the middle is sent with a new one", async () => {
    const layer = blob();
    proxy.faults.push(strikes(1, ["PATCH", ""], says(401, BASIC)), strikes(1, ["PUT", ""], says(401, BASIC)));
    expect(await push(layer, { credentials: CREDENTIALS })).toEqual({ how: "pushed" });
    await expectWhole(layer);
    expect(proxy.requests.at(-1)?.headers.authorization).toBe(`Basic ${btoa("u:p")}`);
  });

  test("that is refused is not sent for ever", async () => {
    proxy.faults.push(strikes(99, ["PATCH", ""], says(403)));
    await expect(push(blob())).rejects.toMatchObject({ kind: "denied" });
    expect(proxy.lines).toEqual([HEAD, POST, PATCH]);
  });

  test("that breaks off at the same place each time is given up", async () => {
    proxy.faults.push(strikes(99, ["PATCH", ""], ({ incoming }) => incoming.socket.destroy()));
    await expect(push(blob(), { limits: { breaks: 3 } })).rejects.toMatchObject({ kind: "unavailable" });
    expect(proxy.lines.filter((line) => line === PATCH)).toHaveLength(3);
  });
});

describe("a blob of a neighbour", () => {
  test("is mounted", async () => {
    const layer = blob();
    await push(layer);
    await store.repositories.addBlob("neighbour", layer.descriptor.digest);
    await store.repositories.removeBlob("app", layer.descriptor.digest);
    expect(await push(layer, { from: ["neighbour"] })).toEqual({ how: "mounted", from: "neighbour" });
  });

  test.each([
    ["names both repositories", "repository:app:pull,push repository:neighbour:pull"],
    ["names its own alone", "repository:app:pull,push"],
  ])("is mounted with a token that lets it be read, where the challenge %s", async (_name, scope) => {
    const layer = blob();
    await push(layer);
    await store.repositories.addBlob("neighbour", layer.descriptor.digest);
    await store.repositories.removeBlob("app", layer.descriptor.digest);
    await using tokens = await FakeRegistry.start();
    tokens.faults.push(({ request, response }) => {
      const scopes = new URL(request.path, tokens.url).searchParams.getAll("scope");
      response.writeHead(200).end(JSON.stringify({ token: btoa(scopes.join(" ")) }));
      return true;
    });
    const challenge = { "WWW-Authenticate": `Bearer realm="${tokens.url}/token",scope="${scope}"` };
    proxy.faults.push((exchange) => {
      const { headers, url = "" } = exchange.incoming;
      const token = atob(headers.authorization?.slice("Bearer ".length) ?? "");
      const needed = url.includes("mount=") ? "repository:neighbour:pull" : "repository:app:pull,push";
      if (token.split(" ").includes(needed)) return false;
      says(401, challenge)(exchange);
      return true;
    });
    expect(await push(layer, { from: ["neighbour"] })).toEqual({ how: "mounted", from: "neighbour" });
  });

  test.each([401, 403, 404])("is sent when the registry answers %d to its mount", async (code) => {
    const layer = blob();
    proxy.faults.push(strikes(9, ["POST", "mount="], says(code, BASIC)));
    expect(await push(layer, { from: ["neighbour"] })).toEqual({ how: "pushed" });
    await expectWhole(layer);
  });
});

describe("where a registry sends an upload elsewhere", () => {
  test("no authorization follows, and none is given when it is asked for", async () => {
    await using thief = await FakeRegistry.start();
    thief.faults.push(({ response }) => {
      response.writeHead(401, BASIC).end();
      return true;
    });
    proxy.faults.push(
      strikes(1, ["HEAD", ""], says(401, BASIC)),
      strikes(9, ["POST", ""], ({ forward }) =>
        forward((headers) => ({ ...headers, location: `${thief.url}/upload?x=1` })),
      ),
    );
    await expect(push(blob(), { credentials: CREDENTIALS })).rejects.toMatchObject({ kind: "unauthorized" });
    expect(proxy.requests.at(-1)?.headers.authorization).toBe(`Basic ${btoa("u:p")}`);
    expect(thief.lines).toEqual(["PATCH /upload?x=1"]);
    expect(thief.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  test("to another host and back again the authorization stays at home", async () => {
    const layer = blob();
    await using storage = await FaultyProxy.before(server.url);
    proxy.faults.push(
      strikes(1, ["HEAD", ""], says(401, BASIC)),
      strikes(1, ["POST", ""], ({ forward }) =>
        forward((headers) => ({ ...headers, location: `http://${storage.host}${headers.location}` })),
      ),
    );
    expect(await push(layer, { credentials: CREDENTIALS })).toEqual({ how: "pushed" });
    await expectWhole(layer);
    expect(storage.lines).toEqual([PATCH, PUT]);
    expect(storage.requests.every(({ headers }) => headers.authorization === undefined)).toBe(true);
  });

  test.each([
    ["a file", "file:///etc/passwd"],
    ["a password", "http://u:p@127.0.0.1/x"],
    ["nowhere", "http://"],
  ])("to %s it is refused", async (_name, location) => {
    proxy.faults.push(strikes(9, ["POST", ""], says(202, { Location: location })));
    await expect(push(blob())).rejects.toThrow("does not say where");
    expect(proxy.lines).toEqual([HEAD, POST]);
  });

  test("a redirect of its content is not followed", async () => {
    await using other = await FakeRegistry.start();
    proxy.faults.push(strikes(9, ["PATCH", ""], says(307, { Location: other.url })));
    await expect(push(blob())).rejects.toMatchObject({ kind: "denied" });
    expect(other.requests).toEqual([]);
  });
});
