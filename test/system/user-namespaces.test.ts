import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { HostPart, until } from "../fixtures/host-part.ts";
import { requirePackages } from "../fixtures/index.ts";
import { limitedDisk } from "../fixtures/limited-disk.ts";
import { cannotRemap, OTHER_REMAP, REMAP, remapped } from "../fixtures/remap.ts";

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

  /** Looks for a process of another pid namespace that this one may look into, its memory included. */
  const HUNT = `dd if=/dev/zero of=/big bs=1M count=60; while :; do for p in /hp/[0-9]*; do
    other=$(readlink $p/ns/pid) && [ "$other" != "$(readlink /proc/self/ns/pid)" ] && echo $p > /stolen; done; done`;

  test("a container that sees the host's processes gets no hold of one that copies", async () => {
    using undo = new DisposableStack();
    const { id } = await part.start(["sh", "-c", HUNT], {
      Binds: ["/proc:/hp"],
      CapAdd: ["SYS_PTRACE"],
    });
    await until(
      async () => (await part.exec(id, ["stat", "-c", "%s", "/big"])).stdout,
      (size) => size === `${60 << 20}\n`,
    );
    // It waits until somebody reads what it has packed, and can be looked for meanwhile.
    const socket = connect(part.daemon.socket).pause();
    undo.defer(() => socket.destroy());
    socket.write(`GET /containers/${id}/archive?path=/big HTTP/1.1\r\nHost: x\r\n\r\n`);
    await Bun.sleep(2500);
    const { promise, resolve } = Promise.withResolvers<string>();
    socket.once("data", (piece) => resolve(piece.toString("latin1", 0, 15)));
    socket.resume();
    expect(await promise).toBe("HTTP/1.1 200 OK");
    expect((await part.exec(id, ["ls", "/stolen"])).code).not.toBe(0);
    await part.remove(id);
  });

  test("a first process that goes on into a namespace of its own is copied from, and stays apart", async () => {
    const settings = { SecurityOpt: ["seccomp=unconfined"] };
    const { id } = await part.start(["unshare", "-r", "sleep", "1000"], settings);
    await until(
      async () => (await part.exec(id, ["sh", "-c", "cat /proc/1/comm"])).stdout,
      (name) => name === "sleep\n",
    );
    const reply = await part.daemon.request("GET", `/containers/${id}/archive?path=/etc/group`);
    expect(reply.status).toBe(200);
    await part.remove(id);
    const other = await part.start(["unshare", "-r", "sleep", "1000"], { ...settings, UsernsMode: "host" });
    await Bun.sleep(200);
    const same = await part.daemon.request("GET", `/containers/${other.id}/archive?path=/etc/group`);
    expect(same.status).toBe(200);
    await part.remove(other.id);
  });

  test("who joins another has the ids of that one, whatever the setting has become", async () => {
    const { id } = await part.start(["sleep", "1000"]);
    await part.daemon.stop();
    await part.daemon.start(["--userns-remap", OTHER_REMAP]);
    const look = ["sh", "-c", "stat -c %u / && touch /x && cat /proc/self/uid_map"];
    const joined = await part.run(look, { NetworkMode: `container:${id}` });
    expect(`${joined.stderr}${joined.stdout}`.trim().split(/\s+/)).toEqual(["0", "0", "100000", "65536"]);
    const alone = await part.run(look);
    expect(alone.stdout.trim().split(/\s+/)).toEqual(["0", "0", "500000", "65536"]);
    await part.remove(id);
    await part.daemon.stop();
    await part.daemon.start(["--userns-remap", REMAP]);
  });

  test("small limits hold", async () => {
    const { stdout } = await part.run(["sh", "-c", "ulimit -n"], {
      Ulimits: [{ Name: "nofile", Soft: 16, Hard: 16 }],
    });
    expect(stdout).toBe("16\n");
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
