import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { HostPart } from "../fixtures/host-part.ts";
import { requirePackages } from "../fixtures/index.ts";
import { limitedDisk } from "../fixtures/limited-disk.ts";
import { cannotRemap, REMAP, remapped } from "../fixtures/remap.ts";

const reason = cannotRemap === undefined ? "" : ` (skipped: ${cannotRemap})`;
const LOOK =
  "stat -c %u:%g /bin/busybox; chown 7:8 /bin/sh; rm /etc/passwd; mkdir /new; stat -c %u:%g /bin/sh /new; ls /etc";

const SEEN = "0:0\n7:8\n0:0\ngroup\nhostname\nhosts\nmtab\nresolv.conf\nshadow\n";
if (cannotRemap === undefined) await requirePackages(["btrfs-progs", "fuse-overlayfs"]);
const disk = cannotRemap ?? (await limitedDisk("btrfs"));

describe.skipIf(cannotRemap !== undefined)(`owners of a root in a user namespace${reason}`, () => {
  test.each(["overlay2", "erofs", "vfs"])("are mapped by %s, whatever the layers are on", async (driver) => {
    using _ids = remapped();
    await using part = await HostPart.openWith(
      ["--userns-remap", REMAP, "--storage-driver", driver],
      "busybox",
    );
    const { stdout, stderr } = await part.run(["sh", "-c", LOOK]);
    expect([stderr, stdout]).toEqual(["", SEEN]);
  });

  test.skipIf(typeof disk === "string")(
    `are mapped by btrfs${typeof disk === "string" ? ` (skipped: ${disk})` : ""}`,
    async () => {
      if (typeof disk === "string") throw new Error(disk);
      await using _disk = disk;
      using _ids = remapped();
      const roots = ["--data-root", `${disk.path}/data`, "--storage-driver", "btrfs"];
      await using part = await HostPart.openWith(["--userns-remap", REMAP, ...roots], "busybox");
      const { stdout, stderr } = await part.run(["sh", "-c", LOOK]);
      expect([stderr, stdout]).toEqual(["", SEEN]);
    },
  );

  test.skipIf(!existsSync("/dev/fuse"))("cannot be mapped by fuse-overlayfs, which is told", async () => {
    using _ids = remapped();
    await using part = await HostPart.openWith(
      ["--userns-remap", REMAP, "--storage-driver", "fuse-overlayfs"],
      "busybox",
    );
    const { code, stderr } = await part.daemon.cli("run", "--rm", "busybox", "true");
    expect([code, stderr]).toEqual([
      125,
      expect.stringContaining("the file system that the graph driver puts it on cannot do that"),
    ]);
    expect(await part.daemon.ok("run", "--rm", "--userns", "host", "busybox", "id", "-u")).toBe("0");
  });
});
