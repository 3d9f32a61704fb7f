import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { Manifest, sha256 } from "#oci";
import { tarOf } from "../fakes/tar.ts";
import { run } from "../fixtures/daemon.ts";
import { Dockerd } from "../fixtures/dockerd.ts";
import { HostPart, PATIENCE } from "../fixtures/host-part.ts";
import { blobPath, type FixtureImage } from "../fixtures/image.ts";
import { busyboxImage, layeredImage, requirePackages, tar } from "../fixtures/index.ts";
import { leftBy, synced } from "../fixtures/leavings.ts";

let part: HostPart;
let base: string;
let busybox: FixtureImage;
let layered: FixtureImage;

beforeAll(async () => {
  await requirePackages(["docker.io", "podman", "skopeo", "umoci", "zstd", "xz-utils"]);
  base = await mkdtemp(`${tmpdir()}/save-load-`);
  [busybox, layered] = [await busyboxImage(), await layeredImage({ layers: 20, megabytes: 2 })];
  part = await HostPart.open("busybox", "layered");
}, PATIENCE);
afterAll(async () => {
  await part?.[Symbol.asyncDispose]();
  await rm(base, { recursive: true, force: true });
}, PATIENCE);

const at = (name: string) => `${base}/${name}`;
const members = async (path: string) => (await must("tar", "-tf", path)).split("\n");
const sha = async (path: string) => sha256(await Bun.file(path).bytes());

async function must(...words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(words);
  if (code !== 0) throw new Error(`${words.join(" ")} ended with ${code}: ${stderr}${stdout}`);
  return stdout.trim();
}

/** Podman on throw-away roots. */
const podman = (...words: readonly string[]) =>
  must("podman", "--root", at("podman"), "--runroot", at("podman-run"), "--storage-driver", "vfs", ...words);

/** Loads after everything that it could find here was removed. */
async function loadAnew(path: string): Promise<string> {
  const images = await part.ask<{ Id: string }[]>("GET", "/images/json?all=1");
  for (const { Id } of images) await part.ask("DELETE", `/images/${Id}?force=1`);
  return part.daemon.ok("load", "-i", path);
}

async function post(archive: Uint8Array, query = ""): Promise<{ status: number; text: string }> {
  const reply = await fetch(`http://bunker/images/load${query}`, {
    unix: part.daemon.socket,
    method: "POST",
    headers: { "Content-Type": "application/x-tar" },
    body: archive,
  });
  return { status: reply.status, text: await reply.text() };
}

describe("save", () => {
  test("writes a layout with every blob once, and the same again after it was loaded", async () => {
    await part.daemon.ok("tag", "busybox", "local.test/other/name:v1");
    await part.daemon.ok("save", "-o", at("all.tar"), "busybox", "layered:latest", "local.test/other/name");
    const names = await members(at("all.tar"));
    expect(names.slice(0, 4)).toEqual(["oci-layout", "index.json", "manifest.json", "repositories"]);
    const blobs = [busybox, layered].flatMap(({ manifest, config, layers }) => [manifest, config, ...layers]);
    expect(names.filter((name) => /[0-9a-f]{64}$/.test(name)).sort()).toEqual(
      [...new Set(blobs.map(({ digest }) => `blobs/${digest.replace(":", "/")}`))].sort(),
    );
    const told = await loadAnew(at("all.tar"));
    expect(told.split("\n").sort()).toEqual([
      "Loaded image: busybox:latest",
      "Loaded image: layered:latest",
      "Loaded image: local.test/other/name:v1",
    ]);
    await part.daemon.ok("save", "-o", at("again.tar"), "busybox", "layered:latest", "local.test/other/name");
    expect(await sha(at("again.tar"))).toBe(await sha(at("all.tar")));
    expect(await part.daemon.ok("run", "--rm", "layered", "busybox", "ls", "/data")).toContain("layer-19");
  });

  test("has docker's words for what is not there, and honours the platform", async () => {
    const missing = await part.daemon.request("GET", "/images/get?names=nothing");
    expect([missing.status, await missing.text()]).toEqual([
      404,
      '{"message":"No such image: nothing:latest"}\n',
    ]);
    const other = await part.daemon.cli("save", "--platform", "linux/s390x", "-o", at("x.tar"), "busybox");
    expect([other.code, other.stderr]).toEqual([
      1,
      expect.stringContaining("does not match the specified platform (linux/s390x)"),
    ]);
    expect(await Bun.file(at("x.tar")).exists()).toBe(false);
    const own = process.arch === "x64" ? "linux/amd64" : `linux/${process.arch}`;
    await part.daemon.ok("save", "--platform", own, "-o", at("x.tar"), "busybox");
  });
});

describe("what is saved", () => {
  beforeAll(async () => {
    await part.pull("layered");
    await part.daemon.ok("save", "-o", at("one.tar"), "layered");
    await mkdir(at("layout"));
    await must("tar", "-xf", at("one.tar"), "-C", at("layout"));
  }, PATIENCE);

  test("skopeo reads as a docker archive and as an OCI archive, with the digest of the registry's manifest", async () => {
    const config = await must("skopeo", "inspect", "--config", "--raw", `docker-archive:${at("one.tar")}`);
    expect(sha256(config)).toBe(layered.id);
    const manifest = await must("skopeo", "inspect", "--raw", `oci-archive:${at("one.tar")}:latest`);
    expect(sha256(manifest)).toBe(layered.manifest.digest);
    await must("skopeo", "copy", `docker-archive:${at("one.tar")}`, `dir:${at("dir")}`);
  });

  test("umoci lists", async () => {
    expect(await must("umoci", "list", "--layout", at("layout"))).toBe("latest");
  });

  test("podman loads, and what podman saves has the same image in it", async () => {
    await podman("load", "-i", at("one.tar"));
    expect(
      `sha256:${await podman("images", "-q", "--no-trunc", "layered")}`.replace("sha256:sha256", "sha256"),
    ).toBe(layered.id);
    for (const format of ["docker-archive", "oci-archive"]) {
      await podman("save", "--format", format, "-o", at(`podman-${format}.tar`), "layered");
      expect(await loadAnew(at(`podman-${format}.tar`))).toMatch(
        /^Loaded image: (localhost|docker\.io\/library)?\/?layered:latest$/,
      );
      expect(await part.ask("GET", "/images/json")).toEqual([expect.objectContaining({ Id: layered.id })]);
    }
  });

  test("docker loads, and what docker saves has the same image in it", async () => {
    await using docker = await Dockerd.start();
    if (docker === undefined) throw new Error("dockerd does not start here");
    expect(await must("docker", "-H", docker.host, "load", "-i", at("one.tar"))).toBe(
      "Loaded image: layered:latest",
    );
    const id = await must("docker", "-H", docker.host, "images", "-q", "--no-trunc");
    expect(id).toBe(layered.id);
    await must("docker", "-H", docker.host, "tag", "layered", "second:v2");
    await must("docker", "-H", docker.host, "save", "-o", at("docker.tar"), "layered", "second:v2");
    expect((await loadAnew(at("docker.tar"))).split("\n").sort()).toEqual([
      "Loaded image: layered:latest",
      "Loaded image: second:v2",
    ]);
    expect(await part.ask("GET", "/images/json")).toEqual([expect.objectContaining({ Id: layered.id })]);
    expect(await part.daemon.ok("run", "--rm", "second:v2", "busybox", "ls", "/data")).toContain("layer-19");
  });
});

describe("load", () => {
  test.each([
    ["docker-archive", "a/b:c"],
    ["oci-archive", "local.test/a/b:c"],
  ])("takes in skopeo's %s", async (kind, name) => {
    const path = at(`skopeo-${kind}.tar`);
    await must("skopeo", "copy", `oci:${layered.directory}`, `${kind}:${path}:${name}`);
    expect(await loadAnew(path)).toBe(`Loaded image: ${name}`);
    expect(await part.ask("GET", "/images/json")).toEqual([expect.objectContaining({ Id: layered.id })]);
  });

  test("takes in what umoci made, which has no name", async () => {
    await must("cp", "-r", layered.directory, at("umoci"));
    const index = await Bun.file(at("umoci/index.json")).json();
    index.manifests[0].annotations = { "org.opencontainers.image.ref.name": "one" };
    await Bun.write(at("umoci/index.json"), JSON.stringify(index));
    await must("umoci", "config", "--image", `${at("umoci")}:one`, "--author", "who");
    await must("umoci", "gc", "--layout", at("umoci"));
    await must("tar", "-cf", at("umoci.tar"), "-C", at("umoci"), ".");
    const told = await loadAnew(at("umoci.tar"));
    const { manifests } = await Bun.file(at("umoci/index.json")).json();
    const { config } = Manifest.parse(
      await Bun.file(blobPath({ directory: at("umoci") }, manifests[0])).json(),
    );
    expect(told).toBe(`Loaded image ID: ${config.digest}`);
  });

  test("undoes gzip, zstd, xz and bzip2, and says what of it is damaged", async () => {
    const tarball = at("plain.tar");
    await loadAnew(at("all.tar"));
    await part.daemon.ok("save", "-o", tarball, "busybox");
    for (const program of ["gzip", "zstd", "xz", "bzip2"]) {
      const { stdout } = Bun.spawnSync([program, "-c", tarball]);
      expect(await post(stdout)).toEqual({
        status: 200,
        text: expect.stringContaining('{"stream":"Loaded image: busybox:latest\\n"}'),
      });
      expect((await post(stdout.subarray(0, stdout.length / 2))).text).toMatch(
        /compression is damaged|ends in the middle/,
      );
    }
    const { stdout } = Bun.spawnSync(["xz", "-c", tarball]);
    await Bun.write(at("plain.tar.xz"), stdout);
    const id = await part.daemon.ok("import", at("plain.tar.xz"));
    expect(await part.daemon.ok("export", await part.daemon.ok("create", id, "none"))).toContain(
      "manifest.json",
    );
  });

  test("says which name goes from one image to another, and is quiet when asked", async () => {
    const tagged = await part.daemon
      .ok("tag", "layered", "busybox:latest")
      .then(() => post(new Uint8Array(0)));
    expect(tagged.status).toBe(400);
    const { text } = await post(await Bun.file(at("plain.tar")).bytes(), "?quiet=1");
    expect(
      text
        .trim()
        .split("\r\n")
        .map((line) => JSON.parse(line)),
    ).toEqual([
      {
        stream: `The image busybox:latest already exists, renaming the old one with ID ${layered.id} to empty string\n`,
      },
      { stream: "Loaded image: busybox:latest\n" },
    ]);
  });

  test("refuses an image of another platform than the one asked for", async () => {
    const { text } = await post(
      await Bun.file(at("plain.tar")).bytes(),
      `?platform=${encodeURIComponent('{"os":"linux","architecture":"s390x"}')}`,
    );
    expect(text).toContain("s390x");
  });
});

const LAYER = tar([
  { path: "etc/", type: "directory" },
  { path: "etc/new", content: "new\n" },
]);
const CONFIG = JSON.stringify({
  architecture: "amd64",
  os: "linux",
  rootfs: { type: "layers", diff_ids: [sha256(LAYER)] },
});
const dockerManifest = (entry: object) =>
  ({
    path: "manifest.json",
    data: JSON.stringify([{ Config: "c.json", RepoTags: ["h:1"], Layers: ["l/layer.tar"], ...entry }]),
  }) as const;
const config = { path: "c.json", data: CONFIG } as const;

describe("an archive that is not what it should be", () => {
  const blob = (text: string | Uint8Array) => ({ path: `blobs/sha256/${sha256(text).slice(7)}`, data: text });
  const descriptor = (text: string | Uint8Array, mediaType: string) => ({
    mediaType,
    digest: sha256(text),
    size: Buffer.byteLength(text),
  });
  const OCI = "application/vnd.oci.image";
  const ociManifest = JSON.stringify({
    schemaVersion: 2,
    config: descriptor(CONFIG, `${OCI}.config.v1+json`),
    layers: [descriptor(LAYER, `${OCI}.layer.v1.tar`)],
  });
  const layout = [
    { path: "oci-layout", data: '{"imageLayoutVersion":"1.0.0"}' },
    {
      path: "index.json",
      data: JSON.stringify({
        schemaVersion: 2,
        manifests: [descriptor(ociManifest, `${OCI}.manifest.v1+json`)],
      }),
    },
  ];

  test.each<[string, string, Uint8Array]>([
    ["is empty", "has neither", tarOf([])],
    ["is cut off", "ends in the middle", tarOf([config, dockerManifest({})]).subarray(0, 700)],
    ["lacks a layer", "it lacks l/layer.tar", tarOf([config, dockerManifest({})])],
    ["lacks its configuration", "it lacks c.json", tarOf([dockerManifest({})])],
    [
      "has another layer",
      "Cannot accept a layer",
      tarOf([config, dockerManifest({}), { path: "l/layer.tar", data: tar([]) }]),
    ],
    [
      "has a layer that is no archive",
      "Cannot accept a layer",
      tarOf([config, dockerManifest({}), { path: "l/layer.tar", data: "x" }]),
    ],
    ["has too few layers", "layers length mismatch", tarOf([config, dockerManifest({ Layers: [] })])],
    [
      "has a circle of links",
      "circle of links",
      tarOf([
        config,
        dockerManifest({}),
        { path: "l/layer.tar", type: "symlink", target: "../m" },
        { path: "m", type: "symlink", target: "l/layer.tar" },
      ]),
    ],
    [
      "links out of itself",
      "it lacks l/layer.tar",
      tarOf([
        config,
        dockerManifest({}),
        { path: "l/layer.tar", type: "symlink", target: "../../../etc/passwd" },
      ]),
    ],
    [
      "names a file outside",
      "it lacks ../c.json",
      tarOf([config, dockerManifest({ Config: "../c.json" }), { path: "l/layer.tar", data: LAYER }]),
    ],
    ["has a manifest that is no JSON", "no proper JSON", tarOf([{ path: "manifest.json", data: "{" }])],
    [
      "has a manifest of another shape",
      "manifest.json: 0.Config",
      tarOf([{ path: "manifest.json", data: "[{}]" }]),
    ],
    [
      "is of before 1.10 and lacks a layer",
      "it lacks",
      tarOf([{ path: "repositories", data: `{"a":{"b":"${"0".repeat(64)}"}}` }]),
    ],
    [
      "has a blob of another digest",
      "verification failed",
      tarOf([...layout, blob(ociManifest), blob(CONFIG), { ...blob(LAYER), data: "other" }]),
    ],
    [
      "has a sparse file",
      "sparse",
      tarOf([{ path: "manifest.json", size: 5000, segments: [{ offset: 0, data: "abc" }] }]),
    ],
    [
      "has a nameless index",
      "no image for the platform",
      tarOf([layout[0] as never, { path: "index.json", data: '{"schemaVersion":2,"manifests":[]}' }]),
    ],
    [
      "has a huge manifest",
      "too large",
      tarOf([{ path: "manifest.json", data: Buffer.alloc(5_000_000, " ") }]),
    ],
  ])("%s, and leaves nothing", async (_, sentence, archive) => {
    await synced(part.daemon);
    const left = await leftBy(part.daemon, async () => {
      const { text } = await post(archive);
      expect(text).toContain(sentence);
    });
    expect(left).toEqual([]);
  });

  test("is told from a good one of the same making", async () => {
    expect(
      (
        await post(
          tarOf([
            config,
            { path: "l/layer.tar", type: "symlink", target: "../m" },
            { path: "m", data: LAYER },
            dockerManifest({}),
          ]),
        )
      ).text,
    ).toContain("Loaded image: h:1");
    expect((await post(tarOf([...layout, blob(ociManifest), blob(CONFIG), blob(LAYER)]))).text).toContain(
      `Loaded image ID: ${sha256(CONFIG)}`,
    );
    await part.ask("DELETE", `/images/${sha256(CONFIG)}?force=1`);
  });
});

test("a daemon that is killed while it reads an archive leaves nothing of it", async () => {
  await synced(part.daemon);
  const left = await leftBy(
    part.daemon,
    async () => {
      const bytes = tarOf([{ path: "big", data: Buffer.alloc(8_000_000, "x") }]);
      const socket = await Bun.connect({ unix: part.daemon.socket, socket: { data() {} } });
      socket.write("POST /images/load HTTP/1.1\r\nHost: bunker\r\nContent-Length: 8001024\r\n\r\n");
      socket.write(bytes.subarray(0, 100_000));
      while (!(await partials()).some((name) => name.endsWith(".new"))) await Bun.sleep(5);
      await part.daemon.kill();
      socket.end();
      await part.daemon.start();
    },
    { ignores: /^processes: / },
  ); // The daemon itself is another one.
  expect(left).toEqual([]);
});

async function partials(): Promise<readonly string[]> {
  return [...new Bun.Glob("*").scanSync(`${part.daemon.dataRoot}/content/partial`)];
}

test("takes in what was saved before Docker 1.10, with the id that docker gives it", async () => {
  await using dockerd = await Dockerd.start();
  if (dockerd === undefined) throw new Error("dockerd does not start here");
  const docker = (...words: readonly string[]) => must("docker", "-H", dockerd.host, ...words);
  await docker("load", "-i", at("all.tar"));
  await docker("save", "-o", at("old.tar"), "layered");
  await mkdir(at("old"));
  await must("tar", "-C", at("old"), "-xf", at("old.tar"));
  // What docker writes since, beside the form that it had before.
  const { Config: config } = (await Bun.file(at("old/manifest.json")).json())[0];
  await must("rm", at("old/manifest.json"), at(`old/${config}`));
  // Of what Docker wrote before 1.8.3 it fills in what is missing, and the id is another.
  const [id = ""] = Object.values((await Bun.file(at("old/repositories")).json()).layered);
  const document = await Bun.file(at(`old/${id}/json`)).json();
  await Bun.write(at(`old/${id}/json`), JSON.stringify({ ...document, docker_version: "1.9.1" }));
  await must("tar", "-C", at("old"), "-cf", at("old.tar"), ".");
  expect(await loadAnew(at("old.tar"))).toContain("Loaded image: layered:latest");
  await docker("rmi", "-f", "layered");
  await docker("load", "-i", at("old.tar"));
  const theirs = await docker("images", "--no-trunc", "-q", "layered");
  const ours = await part.daemon.json<{ Id: string }>("/images/layered/json");
  expect(ours.Id).toBe(theirs);
});
