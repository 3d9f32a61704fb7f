import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { utimes } from "node:fs/promises";
import { type Descriptor, type Digest, MEDIA, sha256 } from "#oci";
import { collectGarbage, type RegistryServer, type RegistryStore } from "#registry";
import { type ServedStore, serveStore } from "./served-store.ts";

const ABSENT = `sha256:${"0".repeat(64)}`;
let store: RegistryStore;
let server: RegistryServer;
let served: ServedStore;

beforeAll(async () => {
  served = await serveStore();
  ({ store, server } = served);
});

afterAll(() => served[Symbol.asyncDispose]());

function ask(method: string, path: string, init: RequestInit = {}): Promise<Response> {
  const url = path.startsWith("http") ? path : `${server.url}${path}`;
  return fetch(url, { method, redirect: "manual", ...init });
}

async function codeOf(response: Response): Promise<string> {
  const { errors } = (await response.json()) as { errors: { code: string }[] };
  return errors[0]?.code ?? "";
}

async function pushBlob(name: string, text: string): Promise<Digest> {
  const digest = sha256(text);
  const answer = await ask("POST", `/v2/${name}/blobs/uploads/?digest=${digest}`, { body: text });
  expect(answer.status).toBe(201);
  return digest;
}

async function startUpload(name: string): Promise<string> {
  const answer = await ask("POST", `/v2/${name}/blobs/uploads/`);
  expect(answer.status).toBe(202);
  return answer.headers.get("location") ?? "";
}

const descriptor = (digest: Digest, size: number, mediaType: string = MEDIA.ociLayerGzip): Descriptor => ({
  mediaType,
  digest,
  size,
});

async function manifestOf(name: string, extra: object = {}): Promise<string> {
  const config = await pushBlob(name, "{}");
  const layer = await pushBlob(name, "layer");
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA.ociManifest,
    config: descriptor(config, 2, MEDIA.ociConfig),
    layers: [descriptor(layer, 5)],
    ...extra,
  });
}

const put = (path: string, body: string, type: string = MEDIA.ociManifest) =>
  ask("PUT", path, { body, headers: { "Content-Type": type } });

describe("blobs", () => {
  test("end-1: the base answers", async () => {
    const answer = await ask("GET", "/v2/");
    expect([answer.status, answer.headers.get("docker-distribution-api-version")]).toEqual([
      200,
      "registry/2.0",
    ]);
  });

  test("end-2: one that is there, its size, and a part of it", async () => {
    const digest = await pushBlob("end2", "0123456789");
    const head = await ask("HEAD", `/v2/end2/blobs/${digest}`);
    expect([head.status, head.headers.get("content-length")]).toEqual([200, "10"]);
    expect(head.headers.get("docker-content-digest")).toBe(digest);
    expect(await (await ask("GET", `/v2/end2/blobs/${digest}`)).text()).toBe("0123456789");
    for (const [range, text, status] of [
      ["bytes=2-4", "234", 206],
      ["bytes=7-", "789", 206],
      ["bytes=-3", "789", 206],
      ["bytes=7-999", "789", 206],
      ["bytes=0-1,4-5", "0123456789", 200],
    ] as const) {
      const part = await ask("GET", `/v2/end2/blobs/${digest}`, { headers: { Range: range } });
      expect([part.status, await part.text()]).toEqual([status, text]);
    }
    const beyond = await ask("GET", `/v2/end2/blobs/${digest}`, { headers: { Range: "bytes=10-" } });
    expect([beyond.status, await codeOf(beyond)]).toEqual([416, "RANGE_INVALID"]);
  });

  test("end-2: one of another repository is not seen", async () => {
    const digest = await pushBlob("mine", "private");
    expect((await ask("HEAD", `/v2/yours/blobs/${digest}`)).status).toBe(404);
    expect(await codeOf(await ask("GET", `/v2/mine/blobs/${ABSENT}`))).toBe("BLOB_UNKNOWN");
    expect(await codeOf(await ask("GET", "/v2/mine/blobs/sha256:short"))).toBe("DIGEST_INVALID");
  });

  test("end-4a, 5, 6, 13: in chunks, each where the last one ended", async () => {
    const place = await startUpload("chunks");
    const chunk = (body: string, range: string) =>
      ask("PATCH", place, { body, headers: { "Content-Range": range } });
    expect((await chunk("abc", "0-2")).headers.get("range")).toBe("0-2");
    const gap = await chunk("x", "5-5");
    expect([gap.status, gap.headers.get("range"), await codeOf(gap)]).toEqual([416, "0-2", "RANGE_INVALID"]);
    expect((await chunk("de", "3-4")).status).toBe(202);
    const state = await ask("GET", place);
    expect([state.status, state.headers.get("range")]).toEqual([204, "0-4"]);
    const digest = sha256("abcdef");
    const done = await ask("PUT", `${place}?digest=${digest}`, {
      body: "f",
      headers: { "Content-Range": "5-5" },
    });
    expect([done.status, done.headers.get("location")]).toEqual([201, `/v2/chunks/blobs/${digest}`]);
    expect(await (await ask("GET", `/v2/chunks/blobs/${digest}`)).text()).toBe("abcdef");
    expect((await ask("GET", place)).status).toBe(404);
  });

  test("end-6: what is not what its digest says is refused, and gone", async () => {
    const place = await startUpload("wrong");
    const answer = await ask("PUT", `${place}?digest=${ABSENT}`, { body: "something" });
    expect([answer.status, await codeOf(answer)]).toEqual([400, "DIGEST_INVALID"]);
    expect((await ask("GET", place)).status).toBe(404);
    expect((await ask("HEAD", `/v2/wrong/blobs/${ABSENT}`)).status).toBe(404);
  });

  test("end-4c: a digest of another algorithm", async () => {
    const answer = await ask("POST", "/v2/other/blobs/uploads/?digest-algorithm=sha512");
    const digest = `sha512:${new Bun.CryptoHasher("sha512").update("long").digest("hex")}`;
    const place = answer.headers.get("location") ?? "";
    expect((await ask("PUT", `${place}?digest=${digest}`, { body: "long" })).status).toBe(201);
    expect(await (await ask("GET", `/v2/other/blobs/${digest}`)).text()).toBe("long");
    expect((await ask("POST", "/v2/other/blobs/uploads/?digest-algorithm=md5")).status).toBe(400);
  });

  test("end-11: from another repository without sending it, else an upload", async () => {
    const digest = await pushBlob("origin/a", "to be mounted");
    const mount = (from: string) => ask("POST", `/v2/target/blobs/uploads/?mount=${digest}&from=${from}`);
    expect((await mount("origin/b")).status).toBe(202);
    expect((await mount("../../../origin/a")).status).toBe(202);
    expect((await mount("origin/a")).status).toBe(201);
    expect(await (await ask("GET", `/v2/target/blobs/${digest}`)).text()).toBe("to be mounted");
  });

  test("end-10, 14: deleted; an upload too", async () => {
    const digest = await pushBlob("gone", "soon");
    expect((await ask("DELETE", `/v2/gone/blobs/${digest}`)).status).toBe(202);
    expect((await ask("DELETE", `/v2/gone/blobs/${digest}`)).status).toBe(404);
    const place = await startUpload("gone");
    expect((await ask("DELETE", place)).status).toBe(204);
    expect((await ask("PATCH", place, { body: "x" })).status).toBe(404);
  });

  test("many uploads of one blob at once end in one", async () => {
    const text = "x".repeat(100_000);
    const digests = await Promise.all(Array.from({ length: 16 }, (_, n) => pushBlob(`same/${n % 4}`, text)));
    expect(new Set(digests).size).toBe(1);
    expect((await ask("GET", `/v2/same/3/blobs/${digests[0]}`)).status).toBe(200);
  });

  test("an upload belongs to its repository", async () => {
    const place = await startUpload("owner");
    const answer = await ask("PATCH", place.replace("/owner/", "/thief/"), { body: "x" });
    expect([answer.status, await codeOf(answer)]).toEqual([404, "BLOB_UPLOAD_UNKNOWN"]);
  });
});

describe("manifests", () => {
  test("end-3, 7a: put and got by tag and by digest, byte for byte", async () => {
    const body = await manifestOf("img/one");
    const answer = await put("/v2/img/one/manifests/v1", body);
    const digest = sha256(body);
    expect([answer.status, answer.headers.get("docker-content-digest")]).toEqual([201, digest]);
    for (const reference of ["v1", digest]) {
      const got = await ask("GET", `/v2/img/one/manifests/${reference}`);
      expect([got.status, got.headers.get("content-type"), await got.text()]).toEqual([
        200,
        MEDIA.ociManifest,
        body,
      ]);
      const head = await ask("HEAD", `/v2/img/one/manifests/${reference}`);
      expect(head.headers.get("content-length")).toBe(String(body.length));
    }
    expect(await codeOf(await ask("GET", "/v2/img/one/manifests/v2"))).toBe("MANIFEST_UNKNOWN");
  });

  test("end-7a: refused are those whose parts are missing, and those that are not one", async () => {
    const body = await manifestOf("img/bad");
    const config = descriptor(sha256("{}"), 2, MEDIA.ociConfig);
    for (const [text, code, type] of [
      [
        JSON.stringify({ schemaVersion: 2, config, layers: [descriptor(ABSENT as Digest, 1)] }),
        "MANIFEST_BLOB_UNKNOWN",
        "",
      ],
      ["{", "MANIFEST_INVALID", MEDIA.ociManifest],
      [JSON.stringify({ schemaVersion: 1, name: "old" }), "MANIFEST_INVALID", ""],
      [body, "MANIFEST_INVALID", MEDIA.dockerManifest],
      [JSON.stringify({ ...JSON.parse(body), manifests: [] }), "MANIFEST_INVALID", MEDIA.ociManifest],
    ] as const)
      expect(await codeOf(await put("/v2/img/bad/manifests/v1", text, type))).toBe(code);
    expect((await put(`/v2/img/bad/manifests/${ABSENT}`, body)).status).toBe(400);
    const huge = await put("/v2/img/bad/manifests/v1", " ".repeat(5 * 1024 * 1024));
    expect([huge.status, await codeOf(huge)]).toEqual([413, "SIZE_INVALID"]);
  });

  test("end-7b: by digest, with several tags", async () => {
    const body = await manifestOf("img/tags");
    const digest = sha256(body);
    const answer = await put(`/v2/img/tags/manifests/${digest}?tag=a&tag=b`, body);
    expect(answer.status).toBe(201);
    expect((await ask("HEAD", "/v2/img/tags/manifests/b")).headers.get("docker-content-digest")).toBe(digest);
  });

  test("end-8: tags in order, some at a time", async () => {
    const body = await manifestOf("img/list");
    for (const tag of ["b", "a", "C", "d"]) await put(`/v2/img/list/manifests/${tag}`, body);
    expect(await (await ask("GET", "/v2/img/list/tags/list")).json()).toEqual({
      name: "img/list",
      tags: ["C", "a", "b", "d"],
    });
    const page = await ask("GET", "/v2/img/list/tags/list?n=2&last=C");
    expect(await page.json()).toEqual({ name: "img/list", tags: ["a", "b"] });
    expect(page.headers.get("link")).toBe('</v2/img/list/tags/list?n=2&last=b>; rel="next"');
    const last = await ask("GET", "/v2/img/list/tags/list?n=2&last=b");
    expect([await last.json(), last.headers.get("link")]).toEqual([{ name: "img/list", tags: ["d"] }, null]);
    expect(await codeOf(await ask("GET", "/v2/never/was/tags/list"))).toBe("NAME_UNKNOWN");
  });

  test("end-9: a tag goes alone, a manifest with its tags", async () => {
    const body = await manifestOf("img/del");
    const digest = sha256(body);
    for (const tag of ["one", "two"]) await put(`/v2/img/del/manifests/${tag}`, body);
    expect((await ask("DELETE", "/v2/img/del/manifests/one")).status).toBe(202);
    expect((await ask("HEAD", "/v2/img/del/manifests/two")).status).toBe(200);
    expect((await ask("DELETE", `/v2/img/del/manifests/${digest}`)).status).toBe(202);
    expect((await ask("HEAD", "/v2/img/del/manifests/two")).status).toBe(404);
    expect((await ask("DELETE", `/v2/img/del/manifests/${digest}`)).status).toBe(404);
  });

  test("end-12: who refers to a manifest, by kind", async () => {
    const subject = await manifestOf("img/ref");
    await put("/v2/img/ref/manifests/v1", subject);
    const about = descriptor(sha256(subject), subject.length, MEDIA.ociManifest);
    const signature = await manifestOf("img/ref", {
      subject: about,
      artifactType: "application/example.signature",
      annotations: { by: "me" },
    });
    const put1 = await put(`/v2/img/ref/manifests/${sha256(signature)}`, signature);
    expect(put1.headers.get("oci-subject")).toBe(about.digest);
    const list = async (query = "") => {
      const answer = await ask("GET", `/v2/img/ref/referrers/${about.digest}${query}`);
      expect([answer.status, answer.headers.get("content-type")]).toEqual([200, MEDIA.ociIndex]);
      const { manifests } = (await answer.json()) as { manifests: unknown[] };
      return [manifests, answer.headers.get("oci-filters-applied")] as const;
    };
    expect(await list()).toEqual([
      [
        {
          mediaType: MEDIA.ociManifest,
          digest: sha256(signature),
          size: signature.length,
          artifactType: "application/example.signature",
          annotations: { by: "me" },
        },
      ],
      null,
    ]);
    expect(await list("?artifactType=application/other")).toEqual([[], "artifactType"]);
    await ask("DELETE", `/v2/img/ref/manifests/${sha256(signature)}`);
    expect(await list()).toEqual([[], null]);
  });
});

describe("addresses", () => {
  test.each([
    ["GET", "/v2/UPPER/manifests/x", 400],
    ["GET", "/v2/a%2f..%2fb/manifests/x", 400],
    ["GET", "/v2/a/_tags/manifests/x", 400],
    ["GET", "/v2/a/manifests/%00", 400],
    ["GET", "/v2/a/manifests/..%2f..%2fx", 404],
    ["GET", "/v2/a/%E0%A4%A/manifests/x", 404],
    ["GET", "/v2/a/nothing/x", 404],
    ["POST", "/v2/a/manifests/x", 405],
    ["GET", "/elsewhere", 404],
    ["GET", "/v2/a/tags/other", 404],
    ["GET", "/v2/img/list/tags/list?n=x", 400],
  ])("%s %s is %d", async (method, path, status) => {
    expect((await ask(method, path)).status).toBe(status);
  });
});

test("garbage is what no manifest needs, and was not counted on lately", async () => {
  const kept = await manifestOf("gc/kept");
  await put("/v2/gc/kept/manifests/v1", kept);
  const lone = await pushBlob("gc/lone", "nobody's");
  const fresh = await pushBlob("gc/lone", "just pushed");
  const old = new Date(Date.now() - 7200_000);
  for await (const { digest } of store.blobs.list())
    if (digest !== fresh) await utimes(store.blobs.path(digest), old, old);
  const options = { grace: 3600_000, removesUntagged: false, isTrial: false };
  const trial = await collectGarbage(store, { ...options, isTrial: true });
  const { blobs } = await collectGarbage(store, options);
  const gone = blobs.map(({ digest }) => digest);
  expect(trial.blobs).toEqual(blobs);
  expect([gone.includes(lone), gone.includes(fresh), gone.includes(sha256(kept))]).toEqual([
    true,
    false,
    false,
  ]);
  expect((await ask("HEAD", `/v2/gc/lone/blobs/${lone}`)).status).toBe(404);
  expect((await ask("GET", "/v2/gc/kept/manifests/v1")).status).toBe(200);
  expect((await ask("GET", `/v2/gc/kept/blobs/${sha256("layer")}`)).status).toBe(200);
});
