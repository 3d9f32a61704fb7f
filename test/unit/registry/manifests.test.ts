import { describe, expect, test } from "bun:test";
import { type Descriptor, MEDIA, parseReference, sha256 } from "#oci";
import { FakeRegistry, status, times } from "../../fakes/registry.ts";
import { never, open, PLATFORM, resolve } from "./context.ts";

const SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+prettyjws";

test("an image is resolved by one request, and says exactly what was sent", async () => {
  await using registry = await FakeRegistry.start();
  const pushed = registry.addImage("app", "1", { layers: ["one", "two"] });
  const resolved = await resolve(open(), registry, "app:1");
  expect(resolved.root).toEqual(pushed);
  expect(resolved.manifest).toEqual(pushed);
  expect(sha256(resolved.manifestBytes)).toBe(pushed.digest);
  expect(resolved.layers.map(({ size }) => size)).toEqual([3, 3]);
  expect(registry.lines).toEqual(["GET /v2/app/manifests/1"]);
  expect(registry.requests[0]?.headers["user-agent"]).toMatch(/^bunker\//);
  for (const type of [MEDIA.dockerManifest, MEDIA.dockerIndex, MEDIA.ociManifest, MEDIA.ociIndex])
    expect(registry.requests[0]?.headers.accept).toContain(type);
});

test("what a tag names today is told by a request without a body", async () => {
  await using registry = await FakeRegistry.start();
  const pushed = registry.addImage("app", "1", { layers: [] });
  const reference = parseReference(`${registry.host}/app:1`);
  expect(await open().digest(reference, { signal: never })).toBe(pushed.digest);
  registry.faults.push(times(1, "", status(200)));
  expect(await open().digest(reference, { signal: never })).toBeUndefined();
  expect(registry.lines).toEqual(["HEAD /v2/app/manifests/1", "HEAD /v2/app/manifests/1"]);
});

describe("an index", () => {
  function index(
    registry: FakeRegistry,
    platforms: readonly (readonly [string, string])[],
  ): readonly Descriptor[] {
    const manifests = platforms.map(([os, architecture]) => {
      const pushed = registry.addImage("app", "hidden", {
        layers: [`${os}${architecture}`],
        platform: { os, architecture },
      });
      return { ...pushed, platform: { os, architecture } };
    });
    registry.addManifest(
      "app",
      "latest",
      { schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests },
      MEDIA.ociIndex,
    );
    return manifests;
  }

  test("leads to the manifest of the platform, past attestations", async () => {
    await using registry = await FakeRegistry.start();
    const manifests = index(registry, [
      ["unknown", "unknown"],
      ["linux", "arm64"],
      ["linux", "amd64"],
    ]);
    const resolved = await resolve(open(), registry);
    expect(resolved.manifest.digest).toBe(manifests[2]?.digest as never);
    expect(resolved.root.mediaType).toBe(MEDIA.ociIndex);
    expect(registry.requests).toHaveLength(2);
  });

  test("without the platform fails and names those there are", async () => {
    await using registry = await FakeRegistry.start();
    index(registry, [
      ["unknown", "unknown"],
      ["linux", "s390x"],
      ["linux", "arm64"],
    ]);
    await expect(resolve(open(), registry)).rejects.toMatchObject({
      kind: "not_found",
      message:
        "no matching manifest for linux/amd64 in the manifest list entries: there are linux/arm64, linux/s390x",
    });
  });

  test("with a wrong size or digest for the manifest fails", async () => {
    await using registry = await FakeRegistry.start();
    const [entry] = index(registry, [["linux", "amd64"]]);
    const manifests = [{ ...entry, size: (entry?.size ?? 0) + 1 }];
    registry.addManifest("app", "size", { schemaVersion: 2, manifests }, MEDIA.ociIndex);
    await expect(resolve(open(), registry, "app:size")).rejects.toMatchObject({ kind: "invalid" });
    const other = registry.addImage("app", "other", { layers: ["evil"] });
    registry.addManifest("app", entry?.digest ?? "", await document(registry, other));
    await expect(resolve(open(), registry)).rejects.toMatchObject({ kind: "invalid" });
  });

  async function document(registry: FakeRegistry, { digest }: Descriptor): Promise<unknown> {
    return await (await fetch(`${registry.url}/v2/app/manifests/${digest}`)).json();
  }

  test("that leads to another index is refused", async () => {
    await using registry = await FakeRegistry.start();
    const inner = registry.addManifest("app", "inner", { schemaVersion: 2, manifests: [] }, MEDIA.ociIndex);
    const manifests = [{ ...inner, platform: PLATFORM }];
    registry.addManifest("app", "latest", { schemaVersion: 2, manifests }, MEDIA.ociIndex);
    await expect(resolve(open(), registry)).rejects.toMatchObject({ kind: "unsupported" });
  });

  test("of one manifest without a platform leads there", async () => {
    await using registry = await FakeRegistry.start();
    const pushed = registry.addImage("app", "one", { layers: [] });
    registry.addManifest("app", "latest", { schemaVersion: 2, manifests: [pushed] }, MEDIA.ociIndex);
    expect((await resolve(open(), registry)).manifest.digest).toBe(pushed.digest);
  });
});

describe("a manifest is refused", () => {
  const config = { mediaType: MEDIA.ociConfig, digest: sha256("x"), size: 1 };
  const layer = { mediaType: MEDIA.ociLayerGzip, digest: sha256("y"), size: 1 };
  const proper = { schemaVersion: 2, config, layers: [layer] };
  test.each([
    ["manifest and index at once", { ...proper, manifests: [] }, MEDIA.ociManifest, "invalid"],
    ["manifest and index at once, called an index", { ...proper, manifests: [] }, MEDIA.ociIndex, "invalid"],
    ["a manifest sent as an index", proper, MEDIA.ociIndex, "invalid"],
    [
      "a manifest that calls itself an index",
      { ...proper, mediaType: MEDIA.ociIndex },
      MEDIA.ociManifest,
      "invalid",
    ],
    ["an index sent as a manifest", { schemaVersion: 2, manifests: [] }, MEDIA.dockerManifest, "invalid"],
    ["neither of the two", { schemaVersion: 2 }, MEDIA.ociManifest, "invalid"],
    ["no object", "[]", MEDIA.ociManifest, "invalid"],
    ["null", "null", MEDIA.ociManifest, "invalid"],
    ["no JSON", "<html>", MEDIA.ociManifest, "invalid"],
    ["nested absurdly", `${"[".repeat(5000)}${"]".repeat(5000)}`, MEDIA.ociManifest, "invalid"],
    [
      "a digest that is a path",
      { ...proper, layers: [{ ...layer, digest: "sha256:../../etc/passwd" }] },
      MEDIA.ociManifest,
      "invalid",
    ],
    ["a negative size", { ...proper, layers: [{ ...layer, size: -1 }] }, MEDIA.ociManifest, "invalid"],
    ["too many layers", { ...proper, layers: Array(129).fill(layer) }, MEDIA.ociManifest, "invalid"],
    ["schema 1", { schemaVersion: 1, fsLayers: [] }, SCHEMA1, "unsupported"],
    [
      "a chart",
      { ...proper, config: { ...config, mediaType: "application/vnd.cncf.helm.config.v1+json" } },
      MEDIA.ociManifest,
      "unsupported",
    ],
    [
      "a strange layer",
      { ...proper, layers: [{ ...layer, mediaType: "application/wasm" }] },
      MEDIA.ociManifest,
      "unsupported",
    ],
  ] as const)("%s", async (_name, document, mediaType, kind) => {
    await using registry = await FakeRegistry.start();
    registry.addManifest("app", "latest", document, mediaType);
    await expect(resolve(open(), registry)).rejects.toMatchObject({ kind });
  });

  test("larger than the limit, announced or not", async () => {
    await using registry = await FakeRegistry.start();
    const body = JSON.stringify({ ...proper, annotations: { padding: "x".repeat(2000) } });
    registry.faults.push(
      times(1, "", status(200, { "Content-Length": String(body.length) }, body)),
      times(1, "", status(200, { "Transfer-Encoding": "chunked" }, body)),
    );
    const remote = open({ limits: { manifest: 1000 } });
    for (const _ of [1, 2])
      await expect(resolve(remote, registry)).rejects.toMatchObject({
        message: expect.stringContaining("larger than 1000 bytes"),
      });
  });

  test("with another digest than asked for, or than the registry tells", async () => {
    await using registry = await FakeRegistry.start();
    const body = JSON.stringify(proper);
    registry.faults.push(times(3, "", status(200, { "Docker-Content-Digest": sha256("other") }, body)));
    await expect(resolve(open(), registry)).rejects.toMatchObject({ kind: "invalid" });
    await expect(resolve(open(), registry, `app@${sha256("other")}`)).rejects.toMatchObject({
      kind: "invalid",
    });
  });
});

describe("media types are taken as registries send them", () => {
  const config = { mediaType: MEDIA.dockerConfig, digest: sha256("x"), size: 1 };
  const types = [MEDIA.dockerLayer, MEDIA.ociLayer, MEDIA.ociLayerGzip, MEDIA.ociLayerZstd];
  const layers = types.map((mediaType) => ({ mediaType, digest: sha256(mediaType), size: 1 }));
  test.each([
    [
      "Docker's",
      { schemaVersion: 2, mediaType: MEDIA.dockerManifest, config, layers },
      MEDIA.dockerManifest,
      MEDIA.dockerManifest,
    ],
    [
      "told in the document only",
      { schemaVersion: 2, mediaType: MEDIA.dockerManifest, config, layers },
      "application/json",
      MEDIA.dockerManifest,
    ],
    [
      "told in the header only",
      { schemaVersion: 2, config, layers },
      `${MEDIA.dockerManifest}; charset=utf-8`,
      MEDIA.dockerManifest,
    ],
    ["told nowhere", { schemaVersion: 2, config, layers }, "text/plain", MEDIA.ociManifest],
  ])("%s", async (_name, document, sent, expected) => {
    await using registry = await FakeRegistry.start();
    registry.addManifest("app", "latest", document, sent);
    const resolved = await resolve(open(), registry);
    expect(resolved.manifest.mediaType).toBe(expected);
    expect(resolved.layers.map(({ mediaType }) => mediaType)).toEqual(types);
  });
});

describe("what a registry refuses is told in Docker's words", () => {
  const body = (code: string, message: string) => JSON.stringify({ errors: [{ code, message }] });
  test.each([
    [
      404,
      body("MANIFEST_UNKNOWN", "manifest unknown"),
      "not_found",
      /^manifest for HOST\/app:latest not found: manifest unknown: manifest unknown$/,
    ],
    [
      404,
      "<html>",
      "not_found",
      /^manifest for HOST\/app:latest not found: manifest unknown: manifest unknown$/,
    ],
    [
      404,
      body("NAME_UNKNOWN", "repository name not known to registry"),
      "not_found",
      /^repository HOST\/app not found: name unknown: repository name not known to registry$/,
    ],
    [
      403,
      body("DENIED", "requested access to the resource is denied"),
      "not_found",
      /^pull access denied for HOST\/app, repository does not exist or may require 'docker login': denied: requested access to the resource is denied$/,
    ],
    [400, body("NAME_INVALID", "in\u001b[31mvalid\n"), "invalid", /name_invalid: in \[31mvalid$/],
    [418, "", "unavailable", /status 418: no reason given$/],
  ])("%d %s", async (code, answer, kind, message) => {
    await using registry = await FakeRegistry.start();
    registry.faults.push(times(1, "", status(code, {}, answer)));
    const thrown = await resolve(open(), registry).catch((error: unknown) => error);
    expect(thrown).toMatchObject({ kind });
    expect((thrown as Error).message.replaceAll(registry.host, "HOST")).toMatch(message);
  });
});

test("all tags are listed, page by page, without those that are none", async () => {
  await using registry = await FakeRegistry.start();
  registry.faults.push(
    times(
      1,
      "/tags/list",
      status(200, { Link: '</v2/app/tags/list?last=b>; rel="next"' }, '{"tags":["a","b"]}'),
    ),
    times(
      1,
      "/tags/list?last=b",
      status(200, { Link: '<http://127.0.0.9/v2/app/tags/list>; rel="next"' }, '{"tags":["c","../x"]}'),
    ),
  );
  const reference = parseReference(`${registry.host}/app`);
  expect(await open().tags(reference, { signal: never })).toEqual(["a", "b", "c"]);
  expect(registry.requests).toHaveLength(2);
});
