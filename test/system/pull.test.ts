import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Descriptor, type Digest, MEDIA, sha256 } from "#oci";
import { breakAfter, FakeRegistry, stallAfter, status, times } from "../fakes/registry.ts";
import { run, TestDaemon } from "../fixtures/daemon.ts";
import {
  blobPath,
  busyboxImage,
  httpdImage,
  layeredImage,
  startRegistry,
  type TarEntry,
  type TestRegistry,
  tar,
  writeImage,
} from "../fixtures/index.ts";

const MINUTE = 60_000;
let daemon: TestDaemon;
let fake: FakeRegistry;

beforeAll(async () => {
  fake = await FakeRegistry.start();
  daemon = await TestDaemon.start({ args: ["--registry-mirror", fake.url] });
}, MINUTE);

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]();
  await fake?.[Symbol.asyncDispose]();
}, MINUTE);

/** What the daemon keeps on disk of images: blobs and layer trees. */
async function kept(): Promise<readonly string[]> {
  const names = await readdir(daemon.dataRoot, { recursive: true });
  return names.filter((name) => /^(content|overlay2|vfs)\/[^/]+(\/[^/]+)?$/.test(name)).sort();
}

/** Every blob in the content store is what its name says. */
async function rehash(): Promise<void> {
  for (const name of await readdir(join(daemon.dataRoot, "content"), { recursive: true })) {
    const hex = /(?:^|\/)([0-9a-f]{64})$/.exec(name)?.[1];
    if (hex === undefined) continue;
    expect(sha256(await Bun.file(join(daemon.dataRoot, "content", name)).bytes())).toBe(
      `sha256:${hex}` as Digest,
    );
  }
}

async function images(): Promise<string> {
  return daemon.ok("images", "-a", "-q");
}

/** What the registry was asked since its log had so many characters, as `GET /v2/…`. */
function requestsSince(registry: TestRegistry, length: number): readonly string[] {
  return [
    ...registry
      .log()
      .slice(length)
      .matchAll(/"([A-Z]+ \/v2\/\S+) HTTP/g),
  ].map(([, request = ""]) => decodeURIComponent(request));
}

describe("from Debian's registry", () => {
  test(
    "an image is pulled, runs, is up to date by one request, and is gone when removed",
    async () => {
      await using registry = await startRegistry({ "library/httpd": await httpdImage() });
      const name = `${registry.host}/library/httpd`;
      const told = await daemon.ok("pull", name);
      expect(told).toContain(`Status: Downloaded newer image for ${name}:latest`);
      expect(told).toContain(`Digest: ${(await httpdImage()).manifest.digest}`);
      expect((await daemon.json<{ Id: string }>(`/images/${name}/json`)).Id).toBe((await httpdImage()).id);
      expect(
        await daemon.ok(
          "run",
          "--rm",
          "--network",
          "none",
          name,
          "sh",
          "-c",
          "test ! -e /usr/share/apache2/default-site && httpd -v",
        ),
      ).toContain("Apache/2");
      const asked = registry.log().length;
      expect(await daemon.ok("pull", name)).toContain(`Status: Image is up to date for ${name}:latest`);
      expect(requestsSince(registry, asked)).toEqual(["HEAD /v2/library/httpd/manifests/latest"]);
      await daemon.ok("rmi", name);
      expect(await images()).toBe("");
    },
    10 * MINUTE,
  );

  test.each(["gzip", "zstd", "none"] as const)(
    "layers packed with %s are unpacked",
    async (compression) => {
      const image = await busyboxImage({ compression });
      await using registry = await startRegistry({ busybox: image });
      const name = `${registry.host}/busybox`;
      expect(await daemon.ok("run", "--rm", "--network", "none", name, "echo", "hello")).toContain("hello");
      await daemon.ok("rmi", name);
    },
    5 * MINUTE,
  );

  test(
    "many pulls at once get each blob once",
    async () => {
      const image = await layeredImage({ layers: 6, megabytes: 12 });
      await using registry = await startRegistry({ layered: image, "other/name": image });
      const names = [`${registry.host}/layered`, `${registry.host}/other/name`];
      const pulls = Array.from({ length: 10 }, (_, index) => daemon.cli("pull", names[index % 2] ?? ""));
      expect((await Promise.all(pulls)).map(({ code }) => code)).toEqual(Array(10).fill(0));
      for (const { digest } of image.layers)
        expect(
          registry
            .log()
            .split("\n")
            .filter((line) => line.includes('"GET /v2/') && line.includes(digest)),
        ).toHaveLength(1);
      await daemon.ok("rmi", ...names);
      expect(await images()).toBe("");
    },
    5 * MINUTE,
  );
});

describe("an image that shares all but one layer with another", () => {
  test(
    "moves that layer alone, when it is pulled and when it is pushed",
    async () => {
      await using undo = new AsyncDisposableStack();
      const folder = await mkdtemp(join(tmpdir(), "bunker-shared-layers-"));
      undo.defer(() => rm(folder, { recursive: true, force: true }));
      const shared = ["a", "b", "c"].map((path) => tar([{ path, content: path }]));
      const before = await writeImage(`${folder}/before`, { layers: shared });
      const after = await writeImage(`${folder}/after`, { layers: [...shared, tar([{ path: "new" }])] });
      const added = [after.config.digest, after.layers.at(-1)?.digest ?? ""];
      const from = undo.use(await startRegistry({ app: before }));
      const to = undo.use(await startRegistry({ app: before }));
      await from.push("app", after, "next");
      await daemon.ok("pull", `${from.host}/app`);

      const pulled = from.log().length;
      await daemon.ok("pull", `${from.host}/app:next`);
      expect(requestsSince(from, pulled).toSorted()).toEqual(
        [...added.map((digest) => `GET /v2/app/blobs/${digest}`), "GET /v2/app/manifests/next"].toSorted(),
      );

      const pushed = to.log().length;
      await daemon.ok("tag", `${from.host}/app:next`, `${to.host}/app:next`);
      await daemon.ok("push", `${to.host}/app:next`);
      const stored = requestsSince(to, pushed).filter((request) => /^(PUT|PATCH) /.test(request));
      expect(stored.map((request) => /sha256:\w+|manifests\/.+$/.exec(request)?.[0]).toSorted()).toEqual(
        [...added, "manifests/next"].toSorted(),
      );
      await daemon.ok("rmi", `${from.host}/app`, `${from.host}/app:next`, `${to.host}/app:next`);
    },
    5 * MINUTE,
  );
});

describe("a transfer that goes wrong", () => {
  /** Busybox in the fake, as `library/app`. Answers its one layer. */
  async function serveBusybox(): Promise<Descriptor> {
    const {
      config,
      layers: [layer],
      ...image
    } = await busyboxImage();
    if (layer === undefined) throw new Error("no layer");
    for (const blob of [config, layer])
      fake.addBlob(await Bun.file(blobPath(image, blob)).bytes(), blob.mediaType);
    fake.addManifest("library/app", "latest", await Bun.file(blobPath(image, image.manifest)).json());
    fake.faults.length = 0;
    fake.requests.length = 0;
    return layer;
  }

  const requestsFor = ({ digest }: Descriptor) => fake.requests.filter(({ path }) => path.includes(digest));

  async function requested(blob: Descriptor): Promise<void> {
    while (requestsFor(blob).length === 0) await Bun.sleep(5);
  }

  test(
    "in the middle is gone on with",
    async () => {
      const layer = await serveBusybox();
      fake.faults.push(times(1, layer.digest, breakAfter(layer.size / 2)));
      const pulling = daemon.cli("pull", "app");
      await requested(layer);
      // The daemon has asked; what it was sent by then is in its hands or on the way.
      await Bun.sleep(300);
      fake.cut();
      expect(await pulling).toMatchObject({ code: 0 });
      expect(requestsFor(layer)[1]?.headers.range).toMatch(/^bytes=[1-9]/);
      expect(await daemon.ok("run", "--rm", "--network", "none", "app", "echo", "whole")).toBe("whole");
      await daemon.ok("rmi", "app");
    },
    MINUTE,
  );

  test(
    "ends with its client, and leaves no image",
    async () => {
      const layer = await serveBusybox();
      fake.faults.push(times(9, layer.digest, stallAfter(1000)));
      const client = Bun.spawn([daemon.command[0] ?? "", "pull", "app"], {
        env: { BUNKER_HOST: `unix://${daemon.socket}` },
        stdio: ["ignore", "ignore", "ignore"],
      });
      await requested(layer);
      client.kill("SIGKILL");
      await requestsFor(layer)[0]?.dropped;
      await client.exited;
      expect(await images()).toBe("");
      fake.faults.length = 0;
      await daemon.ok("pull", "app");
      await daemon.ok("rmi", "app");
    },
    MINUTE,
  );

  test(
    "is listed as a job and can be cancelled",
    async () => {
      const layer = await serveBusybox();
      fake.faults.push(times(9, layer.digest, stallAfter(1000)));
      const pulling = daemon.cli("pull", "app");
      await requested(layer);
      const jobs = await daemon.json<readonly { id: string; name: string }[]>("/bunker/jobs");
      const id = jobs.find(({ name }) => name === "image.pull")?.id ?? "";
      await daemon.ok("jobs", "cancel", id);
      expect((await pulling).code).not.toBe(0);
      await requestsFor(layer)[0]?.dropped;
      expect(await images()).toBe("");
    },
    MINUTE,
  );

  test(
    "and a daemon killed in the middle of it leave nothing that counts, and the next pull is whole",
    async () => {
      const layer = await serveBusybox();
      fake.faults.push(times(9, layer.digest, breakAfter(layer.size / 2)));
      const pulling = daemon.cli("pull", "app");
      await requested(layer);
      await daemon.kill();
      await pulling;
      fake.cut();
      fake.faults.length = 0;
      await daemon.start();
      expect(await images()).toBe("");
      await rehash();
      await daemon.ok("pull", "app");
      await rehash();
      expect(await daemon.ok("run", "--rm", "--network", "none", "app", "echo", "whole")).toBe("whole");
      await daemon.ok("rmi", "app");
    },
    MINUTE,
  );
});

describe("hostile content ends the pull, and the graph and the host are as they were", () => {
  const good: TarEntry = { path: "good", content: "good" };
  const evil = (canary: string): readonly (readonly [string, readonly TarEntry[]])[] => [
    ["a path with dots", [good, { path: `../../../../../../../../../..${canary}/evil`, content: "evil" }]],
    [
      "a link and a path through it",
      [
        { path: "out", type: "symlink", target: canary },
        { path: "out/evil", content: "evil" },
      ],
    ],
    ["an absolute path", [{ path: `${canary}/evil`, content: "evil" }]],
    [
      "a hard link out of the root",
      [
        { path: "hard", type: "hardlink", target: `../../../../../../../../..${canary}/canary` },
        { path: "hard", content: "evil" },
      ],
    ],
    ["a whiteout of dots", [{ path: `x/../../../../../../../../..${canary}/.wh.canary` }]],
    ["a whiteout of the parent", [{ path: ".wh..." }, { path: ".wh.." }]],
  ];

  test(
    "whatever the paths in it",
    async () => {
      const canary = await mkdtemp(join(tmpdir(), "bunker-canary-"));
      await using undo = new AsyncDisposableStack();
      undo.defer(() => rm(canary, { recursive: true, force: true }));
      await Bun.write(join(canary, "canary"), "alive");
      for (const [name, entries] of evil(canary)) {
        fake.faults.length = 0;
        fake.addImage("library/evil", "latest", { layers: [tar(entries)] });
        const { code } = await daemon.cli("pull", "evil");
        expect([name, await readdir(canary), await Bun.file(join(canary, "canary")).text()]).toEqual([
          name,
          ["canary"],
          "alive",
        ]);
        // What could be kept inside the root may be.
        if (code === 0) await daemon.ok("rmi", "evil");
        expect(await images()).toBe("");
      }
      await rehash();
    },
    MINUTE,
  );

  const bytes = tar([good]);
  const other = tar([{ path: "other", content: "other" }]);
  const config = (diffIds: readonly string[]) =>
    JSON.stringify({
      os: "linux",
      architecture: process.arch === "x64" ? "amd64" : process.arch,
      rootfs: { type: "layers", diff_ids: diffIds },
    });

  test.each([
    ["a layer that is something else", { diffId: sha256(bytes), body: other }],
    ["a layer that is cut short", { diffId: sha256(bytes), body: bytes.subarray(0, 512) }],
    ["a layer that is longer than declared", { diffId: sha256(bytes), body: Buffer.concat([bytes, bytes]) }],
    ["a layer that unpacks to something else", { diffId: sha256(other), body: undefined }],
    ["a layer that is no archive", { diffId: sha256("junk"), body: undefined, content: "junk" }],
  ] as readonly (readonly [string, { diffId: string; body?: Uint8Array; content?: string }])[])(
    "%s",
    async (_name, { diffId, body, content }) => {
      fake.faults.length = 0;
      const layer = fake.addBlob(content ?? bytes);
      const described = fake.addBlob(config([diffId]), MEDIA.ociConfig);
      fake.addManifest("library/bad", "latest", { schemaVersion: 2, config: described, layers: [layer] });
      if (body !== undefined)
        fake.faults.push(times(99, layer.digest, ({ response }) => response.writeHead(200, {}).end(body)));
      const before = await kept();
      const { code, stderr } = await daemon.cli("pull", "bad");
      expect(code).toBe(1);
      expect(stderr).toMatch(/^Cannot .*\n$/);
      expect(await images()).toBe("");
      const trees = (names: readonly string[]) => names.filter((name) => !name.startsWith("content/"));
      expect(trees(await kept())).toEqual(trees(before) as string[]);
      await rehash();
    },
    2 * MINUTE,
  );
});

describe("a pull that cannot be", () => {
  test.each([
    ["nosuch", "manifest for nosuch:latest not found: manifest unknown: manifest unknown"],
    ["Upper", "invalid reference format: repository name (library/Upper) must be lowercase"],
    ["a:b:c", "invalid reference format"],
    ["127.0.0.1:1/x", "connection refused"],
  ])(
    "%s is said in one sentence, and leaves nothing",
    async (name, sentence) => {
      fake.faults.length = 0;
      const before = await kept();
      const { code, stderr } = await run([daemon.command[0] ?? "", "pull", name], {
        BUNKER_HOST: `unix://${daemon.socket}`,
      });
      expect(code).toBe(1);
      expect(stderr).toContain(sentence);
      expect(stderr.trim().split("\n")).toHaveLength(1);
      expect(await kept()).toEqual(before as string[]);
    },
    MINUTE,
  );

  test(
    "is refused with the registry's own words when it is busy for long",
    async () => {
      fake.faults.splice(0, fake.faults.length, times(99, "", status(429, { "Retry-After": "3600" })));
      const { code, stderr } = await daemon.cli("pull", "app");
      fake.faults.length = 0;
      expect(code).toBe(1);
      expect(stderr).toContain("toomanyrequests");
    },
    MINUTE,
  );
});
