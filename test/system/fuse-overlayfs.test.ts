import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { TestDaemon } from "../fixtures/daemon.ts";
import { busyboxImage, startRegistry } from "../fixtures/index.ts";
import { requirePackages } from "../fixtures/packages.ts";

const isUsable = process.getuid?.() === 0 && existsSync("/dev/fuse");
if (isUsable) await requirePackages(["docker-registry", "fuse-overlayfs"]);

describe.skipIf(!isUsable)(`fuse-overlayfs${isUsable ? "" : " (skipped: needs root and /dev/fuse)"}`, () => {
  test("servers outlive the daemon, are found again, and are made anew when they died", async () => {
    await using registry = await startRegistry({ "library/busybox": await busyboxImage() });
    await using daemon = await TestDaemon.start({
      args: ["--registry-mirror", registry.url, "--storage-driver", "fuse-overlayfs"],
    });
    await daemon.ok("run", "-d", "--name", "box", "busybox", "sleep", "600");
    await daemon.ok(
      "exec",
      "box",
      "sh",
      "-c",
      "echo written > /note; rm /bin/true; rm -r /home; mkdir /home",
    );
    expect(await daemon.ok("diff", "box")).toMatch(/^C \/bin\nD \/bin\/true\n(A|C) \/home\nA \/note$/);
    const [server = 0, ...others] = serversBelow(daemon.root);
    expect(others).toEqual([]);

    await daemon.kill();
    await daemon.start();
    expect(await daemon.ok("exec", "box", "cat", "/note")).toBe("written");
    await daemon.ok("exec", "box", "sh", "-c", "echo more >> /note");
    await daemon.ok("commit", "box", "committed");
    expect(serversBelow(daemon.root)).toEqual([server]);
    expect(
      await daemon.ok("run", "--rm", "committed", "sh", "-c", "cat /note; ls /bin/true 2>&1 | wc -l"),
    ).toBe("written\nmore\n1");
    expect(serversBelow(daemon.root)).toEqual([server]);

    process.kill(server, "SIGKILL");
    const broken = await daemon.cli("exec", "box", "cat", "/note");
    expect(broken.code).not.toBe(0);
    expect(await daemon.ok("info")).toMatch(/Servers that died .*: box|Servers that died .*: [0-9a-f]+/);
    await daemon.ok("restart", "-t", "0", "box");
    expect(await daemon.ok("exec", "box", "cat", "/note")).toBe("written\nmore");
    expect(await daemon.ok("info")).not.toContain("Servers that died");

    await daemon.kill();
    for (const pid of serversBelow(daemon.root)) process.kill(pid, "SIGKILL");
    await daemon.start();
    await daemon.ok("rm", "-f", "box");
    expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(`${daemon.dataRoot}/fuse-overlayfs/`);
    expect(serversBelow(daemon.root)).toEqual([]);
  }, 120_000);
});

/** The processes that merge trees below a directory. */
function serversBelow(root: string): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      const words = commandOf(pid);
      return words[0] === "/usr/bin/fuse-overlayfs" && words.some((word) => word.includes(`${root}/`));
    })
    .map(Number);
}

function commandOf(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return [];
  }
}
