import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { link, readdir, rename, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Descriptor, type Digest, MEDIA, sha256 } from "#oci";
import { collectGarbage, openRegistryStore, type RegistryServer, type RegistryStore } from "#registry";
import { type ServedStore, serveStore } from "./served-store.ts";

const LONG_AGO = new Date(Date.now() - 7200_000);
const GARBAGE = { grace: 3600_000, removesUntagged: false, isTrial: false };
let folder: string;
let store: RegistryStore;
let server: RegistryServer;
let served: ServedStore;

beforeAll(async () => {
  served = await serveStore();
  ({ folder, store, server } = served);
});

afterAll(() => served[Symbol.asyncDispose]());

const ask = (method: string, path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`${server.url}${path}`, { method, ...init });

async function pushBlob(name: string, text: string): Promise<Descriptor> {
  const digest = sha256(text);
  const answer = await ask("POST", `/v2/${name}/blobs/uploads/?digest=${digest}`, { body: text });
  expect(answer.status).toBe(201);
  return { mediaType: MEDIA.ociLayerGzip, digest, size: text.length };
}

const documentOf = (layers: readonly Descriptor[], extra: object = {}): string =>
  JSON.stringify({ schemaVersion: 2, mediaType: MEDIA.ociManifest, layers, ...extra });

async function put(name: string, reference: string, body: string, type: string = MEDIA.ociManifest) {
  const headers = { "Content-Type": type };
  return (await ask("PUT", `/v2/${name}/manifests/${reference}`, { body, headers })).status;
}

const status = async (path: string) => (await ask("GET", path)).status;
const tagsOf = async (name: string) =>
  ((await (await ask("GET", `/v2/${name}/tags/list`)).json()) as { tags: string[] }).tags;

async function age(digest: Digest): Promise<void> {
  await utimes(store.blobs.path(digest), LONG_AGO, LONG_AGO);
}

describe("tags", () => {
  test("one that goes takes none with it whose name begins the same", async () => {
    const text = documentOf([await pushBlob("tags/near", "layer")]);
    for (const tag of ["v1", "v1.new", "v1.dying"]) expect(await put("tags/near", tag, text)).toBe(201);
    await ask("DELETE", "/v2/tags/near/manifests/v1");
    expect(await tagsOf("tags/near")).toEqual(["v1.dying", "v1.new"]);
  });

  test("what a killed process was writing is none, and is swept", async () => {
    expect(await put("tags/killed", "v1", documentOf([await pushBlob("tags/killed", "layer")]))).toBe(201);
    const tags = join(folder, "repositories/tags/killed/_tags");
    const half = join(tags, `.${crypto.randomUUID()}.new`);
    await writeFile(half, "sha");
    expect(await tagsOf("tags/killed")).toEqual(["v1"]);
    await utimes(half, LONG_AGO, LONG_AGO);
    await collectGarbage(store, GARBAGE);
    expect(await readdir(tags)).toEqual(["v1"]);
  });
});

describe("garbage", () => {
  test("a manifest is refused whose blob was collected, though the repository had it", async () => {
    const layer = await pushBlob("garbage/late", "was here once");
    await age(layer.digest);
    await collectGarbage(store, GARBAGE);
    expect(await put("garbage/late", "v1", documentOf([layer]))).toBe(404);
    await pushBlob("garbage/late", "was here once");
    expect(await put("garbage/late", "v1", documentOf([layer]))).toBe(201);
  });

  test("a manifest counts on its blobs from the moment it is put", async () => {
    const layer = await pushBlob("garbage/claimed", "an old layer");
    await age(layer.digest);
    expect(await put("garbage/claimed", "v1", documentOf([layer]))).toBe(201);
    expect(await store.blobs.removeUnused(layer.digest, Date.now() - GARBAGE.grace)).toBe(false);
    expect(await status(`/v2/garbage/claimed/blobs/${layer.digest}`)).toBe(200);
  });

  test("a collection that was killed in the middle takes nothing away that is needed", async () => {
    const layer = await pushBlob("garbage/killed", "set aside");
    expect(await put("garbage/killed", "v1", documentOf([layer]))).toBe(201);
    const path = store.blobs.path(layer.digest);
    await rename(path, `${path}.${crypto.randomUUID()}.dying`);
    await collectGarbage(store, GARBAGE);
    expect(await (await ask("GET", `/v2/garbage/killed/blobs/${layer.digest}`)).text()).toBe("set aside");
  });

  test("of two collections at once neither takes what the other spared", async () => {
    const layer = await pushBlob("garbage/twice", "looked at by two");
    const path = store.blobs.path(layer.digest);
    const aside = `${path}.${crypto.randomUUID()}.dying`;
    await rename(path, aside);
    for await (const _ of store.blobs.list()); // The other one begins here, and puts it back.
    await link(aside, path).catch(() => undefined);
    expect(await store.blobs.size(layer.digest)).toBe(layer.size);
    expect((await readdir(join(folder, "blobs/sha256"))).filter((name) => name.includes("dying"))).toEqual(
      [],
    );
  });

  test("is not collected by a list that cannot be read", async () => {
    const layer = await pushBlob("garbage/unread", "behind what cannot be read");
    expect(await put("garbage/unread", "v1", documentOf([layer]))).toBe(201);
    await age(layer.digest);
    const manifests = join(folder, "repositories/garbage/unread/_manifests");
    await rename(manifests, `${manifests}.kept`);
    // A link in a circle is an error that is not "nothing there", for root as well.
    await symlink(manifests, manifests);
    await expect(collectGarbage(store, GARBAGE)).rejects.toThrow("ELOOP");
    await rm(manifests);
    await rename(`${manifests}.kept`, manifests);
    await collectGarbage(store, GARBAGE);
    expect(await status(`/v2/garbage/unread/blobs/${layer.digest}`)).toBe(200);
  });

  test("a manifest without a tag that is put again with one meanwhile stays", async () => {
    const text = documentOf([await pushBlob("garbage/again", "layer of one put again")]);
    const digest = sha256(text);
    expect(await put("garbage/again", digest, text)).toBe(201);
    await age(digest);
    const tags = store.repositories.tags.bind(store.repositories);
    store.repositories.tags = async (name) => {
      const found = await tags(name);
      if (name === "garbage/again") await put("garbage/again", "v1", text);
      return found;
    };
    try {
      await collectGarbage(store, { ...GARBAGE, removesUntagged: true });
    } finally {
      store.repositories.tags = tags;
    }
    expect(await tagsOf("garbage/again")).toEqual(["v1"]);
    expect(await status("/v2/garbage/again/manifests/v1")).toBe(200);
  });
});

describe("what senders say", () => {
  test.each(["text/html", "application/vnd.oci image", "application/", `application/${"x".repeat(200)}`])(
    "%s is no type of a manifest",
    async (type) => {
      const layer = await pushBlob("types", "layer");
      expect(await put("types", "v1", JSON.stringify({ schemaVersion: 2, layers: [layer] }), type)).toBe(400);
      const said = JSON.stringify({ schemaVersion: 2, mediaType: `${type}\r\nX-Evil: 1`, layers: [layer] });
      expect(await put("types", "v1", said, "")).toBe(400);
    },
  );

  test("many large referrers come some at a time, and all of them", async () => {
    const subject = { mediaType: MEDIA.ociManifest, digest: sha256("nobody's subject"), size: 1 };
    const layer = await pushBlob("referrers", "signature");
    for (let n = 0; n < 5; n += 1) {
      const annotations = { note: `${n}`.repeat(1_500_000) };
      expect(await put("referrers", `s${n}`, documentOf([layer], { subject, annotations }))).toBe(201);
    }
    const found = new Set<string>();
    let pages = 0;
    let next: string | undefined = `/v2/referrers/referrers/${subject.digest}`;
    while (next !== undefined) {
      const answer: Response = await ask("GET", next);
      const text = await answer.text();
      expect(text.length).toBeLessThan(5 * 1024 * 1024);
      for (const { digest } of (JSON.parse(text) as { manifests: Descriptor[] }).manifests) found.add(digest);
      next = /^<(.+)>; rel="next"$/.exec(answer.headers.get("link") ?? "")?.[1];
      pages += 1;
    }
    expect([found.size, pages]).toEqual([5, 3]);
  });

  test("two requests of an earlier process's upload do not both write", async () => {
    const text = "x".repeat(1000);
    const place = (await ask("POST", "/v2/resumed/blobs/uploads/")).headers.get("location") ?? "";
    await ask("PATCH", place, { body: text });
    const other = await openRegistryStore(folder);
    const id = place.slice(place.lastIndexOf("/") + 1);
    const gate = Promise.withResolvers<void>();
    const body = async function* () {
      await gate.promise;
      yield Buffer.from(text);
    };
    const both = [1, 2].map(() => other.uploads.append("resumed", id, { body: body(), start: undefined }));
    gate.resolve();
    const ends = await Promise.allSettled(both);
    expect(ends.map((end) => end.status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(await other.uploads.size("resumed", id)).toBe(2000);
  });
});
