import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { BUNKER, run, TestDaemon } from "../fixtures/daemon.ts";
import { busyboxImage, startRegistry } from "../fixtures/index.ts";
import { requirePackages } from "../fixtures/packages.ts";

const isRoot = process.getuid?.() === 0;
const hasErofs = readFileSync("/proc/filesystems", "utf8").includes("\terofs\n");
const why = isRoot ? "this kernel has no EROFS" : "needs root";
if (isRoot && hasErofs) await requirePackages(["docker-registry"]);

describe.skipIf(!isRoot || !hasErofs)(
  `storage drivers${isRoot && hasErofs ? "" : ` (skipped: ${why})`}`,
  () => {
    test("each driver keeps its own, images are there with all, and what is left for a while is there again", async () => {
      await using registry = await startRegistry({ "library/busybox": await busyboxImage() });
      await using daemon = await TestDaemon.start({
        args: ["--registry-mirror", registry.url, "--storage-driver", "overlay2"],
      });
      await daemon.ok("pull", "-q", "busybox");
      await daemon.ok("run", "--name", "kept", "busybox", "sh", "-c", "echo written > /note; rm /bin/true");

      await daemon.stop();
      await daemon.start(["--storage-driver", "erofs"]);
      const driver = await daemon.ok("info", "--format", "{{.Driver}}");
      expect(driver).toBe("erofs");
      const output = await daemon.ok(
        "run",
        "--name",
        "other",
        "busybox",
        "sh",
        "-c",
        "echo x > /new; ls /bin | head -1; id -u",
      );
      expect(output.split("\n").at(-1)).toBe("0");
      expect(await daemon.ok("diff", "other")).toBe("A /new");
      const refused = await daemon.cli("start", "kept");
      expect([refused.code, refused.stderr]).toEqual([
        1,
        expect.stringContaining("storage driver overlay2 keeps them"),
      ]);
      await daemon.ok("commit", "other", "committed");
      expect(await daemon.ok("run", "--rm", "committed", "cat", "/new")).toBe("x");

      // Without a word it is the one that was used last.
      await daemon.stop();
      await daemon.start(["--storage-driver", "overlay2"]);
      expect(await daemon.ok("run", "--rm", "committed", "cat", "/new")).toBe("x");
      expect(await daemon.ok("diff", "kept")).toBe("C /bin\nD /bin/true\nA /note");
      await daemon.ok("start", "kept");
      expect(await daemon.ok("cp", "kept:/note", "-")).toContain("written");
      expect(await daemon.ok("ps", "-aq")).not.toBe("");
    });

    test("erofs: kill -9 leaves containers running and a start mounts nothing twice", async () => {
      await using registry = await startRegistry({ "library/busybox": await busyboxImage() });
      await using daemon = await TestDaemon.start({
        args: ["--registry-mirror", registry.url, "--storage-driver", "erofs"],
      });
      await daemon.ok("run", "-d", "--name", "box", "busybox", "sleep", "600");
      await daemon.kill();
      await daemon.start();
      expect(await daemon.ok("exec", "box", "echo", "alive")).toBe("alive");
      await daemon.ok("run", "--rm", "busybox", "true");
      const mounts = readFileSync("/proc/self/mountinfo", "utf8")
        .split("\n")
        .filter((line) => line.includes(daemon.root));
      expect(mounts.filter((line) => line.includes(" - erofs ")).length).toBe(1);
      await daemon.ok("rm", "-f", "box");
      await daemon.ok("rmi", "busybox");
      expect(readdirSync(`${daemon.dataRoot}/erofs`).filter((name) => name.startsWith("sha256"))).toEqual([]);
    });
  },
);

test.skipIf(!isRoot)(
  "a size that the driver cannot keep a container to is refused, with what can",
  async () => {
    await using registry = await startRegistry({ "library/busybox": await busyboxImage() });
    await using daemon = await TestDaemon.start({
      args: ["--registry-mirror", registry.url, "--storage-driver", "vfs"],
    });
    await daemon.ok("pull", "-q", "busybox");
    for (const [option, words] of [
      ["size=1G", /--storage-opt size\): the storage driver vfs .*; use overlay2 on xfs/],
      ["colour=red", /Unknown option colour/],
    ] as const) {
      const { code, stderr } = await daemon.cli("create", "--storage-opt", option, "busybox");
      expect([code, stderr]).toEqual([1, expect.stringMatching(words)]);
    }
    const host = { Image: "busybox", HostConfig: { StorageOpt: { size: "1G" } } };
    expect((await daemon.request("POST", "/containers/create", host)).status).toBe(400);
    expect(await daemon.ok("ps", "-aq")).toBe("");
    expect(await daemon.ok("info")).toContain("Container Size Limits: false: the storage driver vfs");
  },
);

test.each([
  ["aufs", /use overlay2/],
  ["devicemapper", /use overlay2/],
  ["overlay", /use overlay2/],
  ["zfs", /use overlay2/],
])("%s is known by name, and what replaced it is said", async (name, words) => {
  const { code, stderr } = await run([
    BUNKER,
    "daemon",
    "--validate",
    "--storage-driver",
    name,
    "--config-file",
    "/dev/null",
  ]);
  expect([code, stderr]).toEqual([1, expect.stringMatching(words)]);
});
