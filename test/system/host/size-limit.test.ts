import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { TestDaemon } from "../../fixtures/daemon.ts";
import { type DiskDaemon, daemonOn } from "../../fixtures/disk-daemon.ts";
import { PATIENCE } from "../../fixtures/host-part.ts";
import { type DiskKind, limitedDisk } from "../../fixtures/limited-disk.ts";

/** Which driver keeps containers to a size on which file system. */
const DRIVERS: readonly (readonly [DiskKind, string])[] = [
  ["xfs", "overlay2"],
  ["ext4", "overlay2"],
  ["btrfs", "btrfs"],
];
const FULL = /No space left|Disk quota exceeded/;
const write = (megabytes: number) => ["dd", "if=/dev/zero", "of=/f", "bs=1M", `count=${megabytes}`];

for (const [kind, driver] of DRIVERS) {
  const found = await limitedDisk(kind);
  const title = `a container's size with ${driver} on ${kind}`;
  const isSkipped = typeof found === "string";
  describe.skipIf(isSkipped)(isSkipped ? `${title} (skipped: ${found})` : title, () => {
    let held: DiskDaemon | undefined;
    let daemon: TestDaemon;

    beforeAll(async () => {
      if (typeof found === "string") return;
      held = await daemonOn(found, ["--storage-driver", driver]);
      daemon = held.daemon;
    }, PATIENCE);
    afterAll(() => held?.[Symbol.asyncDispose](), PATIENCE);

    test(
      "is kept to, told, and there when the daemon died",
      async () => {
        const words = ["--storage-opt", "size=8m", "--name", "small", "busybox", ...write(12)];
        const full = await daemon.cli("run", ...words);
        expect([full.code, full.stderr]).toEqual([1, expect.stringMatching(FULL)]);
        expect((await daemon.cli("run", "--rm", "busybox", ...write(12))).code).toBe(0);
        const told = await daemon.ok("inspect", "-f", "{{json .HostConfig.StorageOpt}}", "small");
        expect(JSON.parse(told)).toEqual({ size: "8m" });
        expect(await daemon.ok("diff", "small")).toBe("A /f");
        await daemon.kill();
        await daemon.start(["--storage-opt", `${driver}.size=16m`]);
        const again = await daemon.cli("start", "-a", "small");
        expect([again.code, again.stderr]).toEqual([1, expect.stringMatching(FULL)]);
        await daemon.ok("commit", "small", "committed");
        await daemon.ok("rm", "small");
      },
      PATIENCE,
    );

    test(
      "is the daemon's where a container asks for none",
      async () => {
        expect((await daemon.cli("run", "--rm", "committed", ...write(12))).code).toBe(0);
        expect((await daemon.cli("run", "--name", "default", "busybox", ...write(20))).code).toBe(1);
        const told = await daemon.ok("inspect", "-f", "{{json .HostConfig.StorageOpt}}", "default");
        expect(JSON.parse(told)).toEqual({ size: "16m" });
        const free = ["--rm", "--storage-opt", "size=0", "busybox", ...write(20)];
        expect((await daemon.cli("run", ...free)).code).toBe(0);
      },
      PATIENCE,
    );
  });
}
