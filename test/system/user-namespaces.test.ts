import { afterAll, beforeAll, describe, expect, test } from "bun:test";
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

describe.skipIf(cannotRemap !== undefined)(`what cannot be had in a user namespace${reason}`, () => {
  let part: HostPart;
  let ids: Disposable;

  beforeAll(async () => {
    ids = remapped();
    part = await HostPart.openWith(["--userns-remap", REMAP], "busybox");
  });
  afterAll(async () => {
    await part?.[Symbol.asyncDispose]();
    ids?.[Symbol.dispose]();
  });

  test.each([
    [{ Privileged: true }, "privileged mode is incompatible with user namespaces"],
    [{ NetworkMode: "host" }, "cannot share the host's network namespace when user namespaces are enabled"],
    [{ PidMode: "host" }, "cannot share the host PID namespace when user namespaces are enabled"],
    [{ IpcMode: "host" }, "cannot share the host's IPC namespace when user namespaces are enabled"],
    [{ CgroupnsMode: "host" }, "cannot share the host's cgroup namespace when user namespaces are enabled"],
  ])("%o is refused, but for a container in the host's", async (hostConfig, words) => {
    const create = (more: object) =>
      part.daemon.request("POST", "/containers/create", {
        Image: "busybox",
        HostConfig: { ...hostConfig, ...more },
      });
    const refused = await create({});
    expect([refused.status, await refused.text()]).toEqual([400, expect.stringContaining(words)]);
    const made = await create({ UsernsMode: "host" });
    expect(made.status).toBe(201);
    await part.remove(((await made.json()) as { Id: string }).Id);
  });

  test("a user beyond those of the namespace is told", async () => {
    const { Id } = await part.ask<{ Id: string }>("POST", "/containers/create", {
      Image: "busybox",
      User: "70000",
    });
    const reply = await part.daemon.request("POST", `/containers/${Id}/start`);
    expect([reply.status, await reply.text()]).toEqual([
      400,
      expect.stringContaining("the container's user namespace does not have"),
    ]);
    await part.remove(Id);
  });
});
