import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdir, rm } from "node:fs/promises";
import { type Digest, MEDIA, sha256 } from "#oci";
import { told } from "../../fakes/fake-console.ts";
import { scratch } from "../../fakes/scratch.ts";
import { type ServedStore, serveStore } from "../registry/server/served-store.ts";

const NOWHERE = "unix:///nonexistent.sock";
let served: ServedStore;
let root: Awaited<ReturnType<typeof scratch>>;
let host: string;

beforeAll(async () => {
  [served, root] = [await serveStore(), await scratch()];
  host = new URL(served.server.url).host;
});
afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await root[Symbol.asyncDispose]();
});

/** Without a daemon: none of this needs one. */
const manifest = (...words: string[]) =>
  told(NOWHERE, ["manifest", ...words], { env: { DOCKER_CONFIG: root.path } });

async function ok(...words: string[]): Promise<string> {
  const { code, out, err } = await manifest(...words);
  expect([code, err]).toEqual([0, ""]);
  return out;
}

async function put(name: string, reference: string, { document, type }: { document: object; type: string }) {
  const body = JSON.stringify(document);
  const address = `${served.server.url}/v2/${name}/manifests/${reference}`;
  expect((await fetch(address, { method: "PUT", body, headers: { "Content-Type": type } })).status).toBe(201);
  return sha256(body);
}

async function blob(name: string, text: string) {
  const digest = sha256(text);
  const address = `${served.server.url}/v2/${name}/blobs/uploads/?digest=${digest}`;
  expect((await fetch(address, { method: "POST", body: text })).status).toBe(201);
  return { digest, size: text.length };
}

/** An image of one layer. */
async function image(name: string, tag: string, { config = {}, docker = false }): Promise<Digest> {
  const document = {
    schemaVersion: 2,
    mediaType: docker ? MEDIA.dockerManifest : MEDIA.ociManifest,
    config: {
      mediaType: docker ? MEDIA.dockerConfig : MEDIA.ociConfig,
      ...(await blob(name, JSON.stringify({ ...config, tag }))),
    },
    layers: [
      {
        mediaType: docker ? MEDIA.dockerLayer : MEDIA.ociLayerGzip,
        ...(await blob(name, `layer of ${tag}`)),
      },
    ],
  };
  return put(name, tag, { document, type: document.mediaType });
}

const inRegistry = async (name: string, reference: string) => {
  const answer = await fetch(`${served.server.url}/v2/${name}/manifests/${reference}`);
  return { type: answer.headers.get("content-type"), text: await answer.text() };
};

test("a list is created, annotated, looked at, pushed and forgotten", async () => {
  const amd = await image("app", "amd", { config: { os: "linux", architecture: "amd64" } });
  const arm = await image("app", "arm", { config: { os: "linux", architecture: "arm64", variant: "v8" } });
  const [list, one, two] = [`${host}/app:1`, `${host}/app:amd`, `${host}/app:arm`];
  expect(await ok("create", list, one, two)).toBe(`Created manifest list ${list}\n`);
  await ok("annotate", "--os-version", "6", "--os-features", "a,b", "--os-features", "b", list, one);
  const kept = JSON.parse(await ok("inspect", list));
  expect(kept.manifests.map(({ digest }: { digest: string }) => digest)).toEqual([amd, arm]);
  const platforms = [
    { architecture: "amd64", os: "linux", "os.version": "6", "os.features": ["a", "b"] },
    { architecture: "arm64", os: "linux", variant: "v8" },
  ];
  expect(kept.manifests.map(({ platform }: { platform: object }) => platform)).toEqual(platforms);
  expect((await fetch(`${served.server.url}/v2/app/manifests/1`)).status).toBe(404);
  const said = await ok("push", list);
  const { type, text } = await inRegistry("app", "1");
  expect([said, type]).toEqual([`${sha256(text)}\n`, MEDIA.ociIndex]);
  expect(text).toBe(JSON.stringify(kept, undefined, 3));
  await ok("rm", list);
  expect(await ok("inspect", list)).toBe(`${text}\n`);
  const again = await manifest("rm", list);
  expect([again.code, again.err]).toEqual([1, `No such manifest: ${list}\n`]);
});

test("images of other repositories are brought over by mounting, their digests stay", async () => {
  const digest = await image("donor/deep", "x", {
    config: { os: "linux", architecture: "riscv64" },
    docker: true,
  });
  const list = `${host}/taker:1`;
  await ok("create", list, `${host}/donor/deep:x`);
  const said = await ok("push", "--purge", list);
  const { type, text } = await inRegistry("taker", "1");
  expect(type).toBe(MEDIA.dockerIndex);
  expect(said).toBe(`Pushed ref ${host}/taker@${digest} with digest: ${digest}\n${sha256(text)}\n`);
  expect((await inRegistry("taker", digest)).text).toBe((await inRegistry("donor/deep", "x")).text);
  expect(await readdir(`${root.path}/manifests`)).toEqual([]);
});

test("a list is kept where docker keeps it", async () => {
  await image("kept", "a", { config: { os: "linux", architecture: "amd64" } });
  await ok("create", `${host}/kept:all`, `${host}/kept:a`);
  const name = (reference: string) => reference.replaceAll(":", "-").replaceAll("/", "_");
  const path = `${root.path}/manifests/${name(`${host}/kept:all`)}/${name(`${host}/kept:a`)}`;
  const entry = await Bun.file(path).json();
  expect(Object.keys(entry)).toEqual(["Ref", "Descriptor", "Raw", "OCIManifest"]);
  expect(entry.Ref).toBe(`${host}/kept:a`);
  // Old clients kept no manifest: it is asked for anew where it is needed.
  await Bun.write(path, JSON.stringify({ ...entry, Raw: undefined }));
  expect(JSON.parse(await ok("inspect", `${host}/kept:all`, `${host}/kept:a`))).toEqual(entry.OCIManifest);
  await ok("create", "--amend", `${host}/kept:all`, `${host}/kept:a`);
  expect(await Bun.file(path).json()).toEqual(entry);
  await Bun.write(path, JSON.stringify({ ...entry, Raw: Buffer.from("{}").toString("base64") }));
  expect((await manifest("inspect", `${host}/kept:all`, `${host}/kept:a`)).err).toContain(
    "it is not sha256:",
  );
  await rm(path, { recursive: true });
});

describe("what is in the registry is shown", () => {
  test("as it is, and with everything where that is asked for", async () => {
    const config = { os: "windows", architecture: "amd64", "os.version": "10.0.1" };
    const digest = await image("shown", "one", { config });
    const text = (await inRegistry("shown", "one")).text;
    expect(await ok("inspect", `${host}/shown:one`)).toBe(
      `${JSON.stringify(JSON.parse(text), undefined, "\t")}\n`,
    );
    const verbose = JSON.parse(await ok("inspect", "-v", `${host}/shown:one`));
    expect(verbose).toMatchObject({
      Ref: `${host}/shown:one`,
      Descriptor: { digest, size: text.length, platform: config },
      OCIManifest: JSON.parse(text),
    });
    const platform = { os: "linux", architecture: "arm", variant: "v6" };
    const index = {
      schemaVersion: 2,
      mediaType: MEDIA.ociIndex,
      manifests: [{ mediaType: MEDIA.ociManifest, digest, size: text.length, platform }],
      annotations: { a: "b" },
    };
    await put("shown", "all", { document: index, type: MEDIA.ociIndex });
    expect(JSON.parse(await ok("inspect", `${host}/shown:all`))).toEqual(index);
    expect(JSON.parse(await ok("inspect", "--verbose", `${host}/shown:all`))).toMatchObject([
      { Ref: `${host}/shown@${digest}`, Descriptor: { platform } },
    ]);
    const refused = await manifest("create", `${host}/shown:list`, `${host}/shown:all`);
    expect(refused.err).toBe(`${host}/shown:all is a manifest list\n`);
  });
});

describe("refused, and nothing is kept", () => {
  const here = (words: readonly string[]) => words.map((word) => word.replace("HOST", host));

  beforeAll(async () => {
    await image("bad", "bare", {});
    await image("bad", "good", { config: { os: "linux", architecture: "amd64" } });
    await ok("create", `${host}/bad:list`, `${host}/bad:bare`, `${host}/bad:good`);
  });

  test.each([
    [["create", "HOST/bad:list", "HOST/bad:good"], "refusing to amend an existing manifest list"],
    [["create", "HOST/bad:new", "HOST/bad:good", "HOST/bad:nothing"], "no such manifest: "],
    [["annotate", "HOST/bad:list", "HOST/bad:nothing"], "does not exist in"],
    [["annotate", "--os", "linux", "--arch", "z80", "HOST/bad:list", "HOST/bad:good"], "linux/z80"],
    [["push", "HOST/bad:list"], "must have an OS and Architecture"],
    [["push", "HOST/bad:nothing"], "No such manifest: "],
    [["inspect", "HOST/bad:list", "HOST/bad:nothing"], "No such manifest: "],
    [["inspect", "HOST/bad:nothing"], "no such manifest: "],
    [["inspect", "HOST/BAD"], "must be lowercase"],
    [["create", "HOST/bad:new"], "requires at least 2 arguments"],
  ])("%j", async (words, sentence) => {
    const before = await readdir(`${root.path}/manifests`);
    const { code, err } = await manifest(...here(words));
    expect([code, err]).toEqual([1, expect.stringContaining(sentence)]);
    expect(await readdir(`${root.path}/manifests`)).toEqual(before);
    expect((await fetch(`${served.server.url}/v2/bad/manifests/list`)).status).toBe(404);
  });

  test("an image of another registry", async () => {
    await ok("create", "other.test/bad:list", `${host}/bad:good`);
    expect((await manifest("push", "other.test/bad:list")).err).toContain(
      "cannot use source images from a different registry than the target image",
    );
  });
});
