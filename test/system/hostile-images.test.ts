import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeRegistry } from "../fakes/registry.ts";
import { TestDaemon } from "../fixtures/daemon.ts";
import { busyboxImage, requirePackages, type TarEntry, tar } from "../fixtures/index.ts";
import { leftBy, synced } from "../fixtures/leavings.ts";
import { serveImage } from "../fixtures/serve-image.ts";

const MINUTE = 60_000;
let fake: FakeRegistry;
let daemon: TestDaemon;
/** A folder of the host that no image may touch: one file, named and filled so. */
let canary: string;
let program: Uint8Array;

beforeAll(async () => {
  await requirePackages(["busybox-static"]);
  program = await Bun.file("/bin/busybox").bytes();
  canary = await mkdtemp(join(tmpdir(), "bunker-canary-"));
  await Bun.write(join(canary, "canary"), "alive");
  fake = await FakeRegistry.start();
  await serveImage(fake, "library/busybox", await busyboxImage());
  daemon = await TestDaemon.start({ args: ["--registry-mirror", fake.url] });
  // What is made once for all containers is there from here on.
  await daemon.ok("run", "--rm", "-v", "/made", "busybox", "true");
  await synced(daemon);
}, 5 * MINUTE);

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]();
  await fake?.[Symbol.asyncDispose]();
  if (canary !== undefined) await rm(canary, { recursive: true, force: true });
}, MINUTE);

async function expectUnharmed(): Promise<void> {
  expect(readdirSync(canary)).toEqual(["canary"]);
  expect(await Bun.file(join(canary, "canary")).text()).toBe("alive");
}

/** A root with a shell in it, and what else is given in place of what is usual. */
function serveRoot(name: string, entries: readonly TarEntry[]): void {
  const shell: readonly TarEntry[] = [
    { path: "bin/", type: "directory" },
    { path: "bin/busybox", content: program, mode: 0o755 },
    ...["sh", "cat", "echo", "id", "ls", "true"].map(
      (applet): TarEntry => ({ path: `bin/${applet}`, type: "symlink", target: "busybox", mode: 0o777 }),
    ),
  ];
  fake.addImage(`library/${name}`, "latest", { layers: [tar([...shell, ...entries])] });
}

/** Runs a container of the image; it may be refused, but the host and the graph are as before once it is removed. */
async function runHostile(name: string, ...words: readonly string[]) {
  let outcome = { code: -1, stdout: "", stderr: "" };
  const left = await leftBy(daemon, async () => {
    outcome = await daemon.cli("run", "--rm", ...words.slice(0, -1), name, "sh", "-c", words.at(-1) ?? "");
    await synced(daemon);
    await daemon.ok("rmi", name);
  });
  // The first container of an image makes the folders that go below it; blobs go with a later sweep.
  expect(left.filter((line) => !/left behind: (content|overlay2\/\.init)\//.test(line))).toEqual([]);
  await expectUnharmed();
  return outcome;
}

describe("an image whose special folders are links to the host", () => {
  const folders = ["dev", "proc", "sys", "etc", "tmp", "var", "run"];
  test.each(folders.flatMap((folder) => ["absolute", "dotted"].map((kind) => [folder, kind] as const)))(
    "/%s as an %s link writes nothing outside",
    async (folder, kind) => {
      const target = kind === "absolute" ? canary : `../../../../../../../../../..${canary}`;
      serveRoot("links", [{ path: folder, type: "symlink", target, mode: 0o777 }]);
      const { code, stderr, stdout } = await runHostile("links", "-v", `/${folder}/made`, "echo inside");
      if (code === 0) expect(stdout).toBe("inside\n");
      else expect(stderr.trim().split("\n").at(-3)).toContain("Error response from daemon");
    },
    MINUTE,
  );

  test(
    "nor do files below them",
    async () => {
      const files = ["etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/mtab", "dev/console", "dev/null"];
      serveRoot("links", [
        { path: "etc/", type: "directory" },
        { path: "dev/", type: "directory" },
        ...files.map(
          (path): TarEntry => ({ path, type: "symlink", target: `${canary}/canary`, mode: 0o777 }),
        ),
      ]);
      await runHostile("links", "echo evil > /etc/mtab; true");
    },
    MINUTE,
  );
});

describe("an image whose user files are traps", () => {
  const traps: readonly (readonly [string, readonly TarEntry[]])[] = [
    ["a FIFO", [{ path: "etc/passwd", type: "fifo", mode: 0o666 }]],
    ["a device without end", [{ path: "etc/passwd", type: "character", major: 1, minor: 5, mode: 0o666 }]],
    ["a folder", [{ path: "etc/passwd/", type: "directory" }]],
    [
      "a link to the host's",
      [{ path: "etc/passwd", type: "symlink", target: "/../../../proc/1/root/etc/passwd" }],
    ],
    ["a large file", [{ path: "etc/passwd", content: Buffer.alloc(8_000_000, "x") }]],
  ];

  test.each(traps)(
    "with %s for /etc/passwd is refused, and nothing waits for it",
    async (_name, entries) => {
      serveRoot("trap", [{ path: "etc/", type: "directory" }, ...entries]);
      const { code, stderr } = await runHostile("trap", "-u", "sync", "id -u");
      expect(code).toBeGreaterThanOrEqual(125);
      expect(stderr).toContain("Error response from daemon");
    },
    MINUTE,
  );
});

describe("a layer with attributes of the overlay", () => {
  test(
    "cannot lead out of it or hide what is below",
    async () => {
      const pax = {
        "SCHILY.xattr.trusted.overlay.redirect": `/../../..${canary}`,
        "SCHILY.xattr.trusted.overlay.opaque": "y",
        "SCHILY.xattr.user.overlay.opaque": "y",
      };
      serveRoot("attributes", [{ path: "seen/", type: "directory", pax }]);
      const { code, stdout } = await runHostile("attributes", "ls /seen");
      if (code === 0) expect(stdout).toBe("");
    },
    MINUTE,
  );
});

describe("a layer that is no good ends the pull, and the graph is as it was", () => {
  const good = tar([{ path: "good", content: "good" }]);
  const config = (diffId: string) =>
    JSON.stringify({ os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids: [diffId] } });

  test.each([
    ["its size is another", (size: number) => ({ size: size + 1 })],
    ["its digest is another's", () => ({ digest: `sha256:${"0".repeat(64)}` })],
    ["its digest is of no known kind", () => ({ digest: "md5:0123" })],
    ["its digest is a path", () => ({ digest: "sha256:../../../../etc/passwd" })],
  ] as const)(
    "%s",
    async (_name, change) => {
      const layer = fake.addBlob(good);
      const described = fake.addBlob(config(layer.digest), "application/vnd.oci.image.config.v1+json");
      const layers = [{ ...layer, ...change(layer.size) }];
      fake.addManifest("library/bad", "latest", { schemaVersion: 2, config: described, layers });
      const left = await leftBy(daemon, async () => {
        const { code, stderr } = await daemon.cli("pull", "bad");
        expect([code, stderr]).toEqual([
          1,
          expect.stringMatching(/^(Error response from daemon: |Cannot get )/),
        ]);
      });
      expect(left.filter((line) => !/content\//.test(line))).toEqual([]);
      await expectUnharmed();
    },
    MINUTE,
  );
});
