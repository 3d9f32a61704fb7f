import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { TestDaemon } from "../../fixtures/daemon.ts";
import { type DiskDaemon, daemonOn } from "../../fixtures/disk-daemon.ts";
import { PATIENCE } from "../../fixtures/host-part.ts";
import { limitedDisk } from "../../fixtures/limited-disk.ts";

for (const kind of ["ext4", "xfs"] as const) {
  const found = await limitedDisk(kind);
  const title =
    typeof found === "string" ? `a size limit on ${kind} (skipped: ${found})` : `a size limit on ${kind}`;
  describe.skipIf(typeof found === "string")(title, () => {
    let held: DiskDaemon | undefined;
    let daemon: TestDaemon;

    beforeAll(async () => {
      if (typeof found === "string") return;
      held = await daemonOn(found);
      daemon = held.daemon;
    }, PATIENCE);
    afterAll(() => held?.[Symbol.asyncDispose](), PATIENCE);

    const write = (volume: string, megabytes: number) =>
      daemon.cli(
        "run",
        "--rm",
        "-v",
        `${volume}:/v`,
        "busybox",
        "dd",
        "if=/dev/zero",
        "of=/v/f",
        "bs=1M",
        `count=${megabytes}`,
      );

    test(
      "is kept, measured and lifted with the volume",
      async () => {
        await daemon.ok("volume", "create", "-o", "size=8m", "small");
        await daemon.ok("volume", "create", "free");
        const full = await write("small", 12);
        expect([full.code, full.stderr]).toEqual([
          1,
          expect.stringMatching(/No space left|Disk quota exceeded/),
        ]);
        expect((await write("free", 12)).code).toBe(0);
        const status = JSON.parse(await daemon.ok("volume", "inspect", "-f", "{{json .Status}}", "small"));
        expect(status.limit).toBe(8 * 1024 * 1024);
        expect(status.used).toBeGreaterThan(6 * 1024 * 1024);
        expect(status.used).toBeLessThanOrEqual(8 * 1024 * 1024);
        await daemon.ok("volume", "rm", "small");
        await daemon.ok("volume", "create", "-o", "size=4m", "small");
        expect((await write("small", 3)).code).toBe(0);
        expect((await write("small", 5)).code).toBe(1);
      },
      PATIENCE,
    );

    test(
      "holds for what is restored and cloned",
      async () => {
        await daemon.ok("volume", "create", "-o", "size=8m", "source");
        await write("source", 5);
        await daemon.ok("volume", "snapshot", "create", "source", "s1");
        await daemon.ok("volume", "restore", "source", "s1");
        await daemon.ok("volume", "clone", "source", "twin");
        for (const name of ["source", "twin"]) expect((await write(name, 12)).code).toBe(1);
        expect((await write("source", 7)).code).toBe(0);
      },
      PATIENCE,
    );
  });
}
