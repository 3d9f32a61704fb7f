import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import {
  CAPABILITIES,
  DEFAULT_DEVICE_RULES,
  detectCgroups,
  launcherPath,
  type Namespace,
} from "#libcontainer";
import { ALL_STREAMS, type Box, collect, openBox, readUntil } from "../fixtures/container-box.ts";
import { bindRoot, cannotRun, makeBusyboxRoot, processSpec } from "../fixtures/runtime-spec.ts";

const reason = cannotRun === undefined ? "" : ` (skipped: ${cannotRun})`;
const digestOf = (path: string) => Bun.CryptoHasher.hash("sha256", readFileSync(path), "hex");
const sh = (script: string) => ["sh", "-c", script];

/** A group of memory, on v1 or v2. */
const hasMemoryGroup = hasMemory();

let box: Box;
let hostile = 0;

function hasMemory(): boolean {
  const cgroups = detectCgroups();
  if (cgroups.version === 2) return true;
  return (
    cgroups.version === 1 && cgroups.hierarchies.some(({ controllers }) => controllers.includes("memory"))
  );
}

/** A root of its own for an image that means harm, and a directory of the host that must stay as it is. */
function hostileRoot(): { readonly root: string; readonly canary: string } {
  const root = `${box.path}/hostile${hostile}`;
  const canary = `${box.path}/canary${hostile++}`;
  mkdirSync(root);
  mkdirSync(canary);
  writeFileSync(`${canary}/secret`, "untouched\n");
  return { root: makeBusyboxRoot(root), canary };
}

function expectUntouched(canary: string): void {
  expect(readdirSync(canary)).toEqual(["secret"]);
  expect(readFileSync(`${canary}/secret`, "utf8")).toBe("untouched\n");
}

describe.skipIf(cannotRun !== undefined)(`a launched container${reason}`, () => {
  beforeAll(async () => {
    box = await openBox();
  });
  afterAll(() => box[Symbol.asyncDispose]());

  test("A1: the launcher is sealed, and cannot be written from a container that has it as its first process", async () => {
    const before = digestOf(launcherPath());
    const { stdout } = await box.run(sh("echo x > /proc/1/exe && echo WRITTEN; echo tried"), {
      process: { init: true, capabilities: CAPABILITIES },
      linux: { seccomp: undefined as never },
    });
    expect(stdout).toBe("tried\n");
    const held = openSync(launcherPath(), "r+");
    expect(() => writeSync(held, "x")).toThrow(/EPERM/);
    closeSync(held);
    expect(digestOf(launcherPath())).toBe(before);
  });

  test("A1: while a container runs the launcher cannot even be opened for writing", async () => {
    const container = await box.start("text-busy", ["sleep", "100"]);
    expect(() => openSync(launcherPath(), "r+")).toThrow(/ETXTBSY/);
    await container.signal(9);
    await container.exited;
  });

  test("A1: somebody who holds it open for writing stops no container from starting", async () => {
    const held = openSync(launcherPath(), "r+");
    try {
      expect((await box.run(["true"])).exit.code).toBe(0);
    } finally {
      closeSync(held);
    }
  });

  test("A1: a program that names /proc/self/exe as its interpreter gets nothing", async () => {
    const { root } = hostileRoot();
    writeFileSync(`${root}/bin/evil`, "#!/proc/self/exe\n", { mode: 0o755 });
    const before = digestOf(launcherPath());
    await box.run(["/bin/evil"], { root: bindRoot(root) }).catch(() => undefined);
    expect(digestOf(launcherPath())).toBe(before);
  });

  test("A2: a program has the three standard descriptors and no more", async () => {
    const { stdout } = await box.run(sh("readlink /proc/$$/fd/3 /proc/$$/fd/4 /proc/$$/fd/5; echo none"));
    expect(stdout).toBe("none\n");
  });

  test.each(Array.from({ length: 12 }, (_, fd) => [`/proc/self/fd/${fd}`]))(
    "A2: the working directory %s does not lead to the host",
    async (cwd) => {
      const marker = `${box.path}/marker`;
      writeFileSync(marker, "");
      const outcome = await box
        .run(sh(`ls ../../../../../../${marker} ${marker} 2>/dev/null && echo ESCAPED; pwd`), {
          process: { cwd },
        })
        .catch(() => undefined);
      expect(outcome?.stdout ?? "").not.toContain("ESCAPED");
    },
  );

  test.each(["link", "file", "absent"])(
    "A3: masks do not trust the image's null device: %s",
    async (kind) => {
      const { root, canary } = hostileRoot();
      if (kind === "link") symlinkSync(`${canary}/secret`, `${root}/dev/null`);
      if (kind === "file") writeFileSync(`${root}/dev/null`, "mine\n");
      const { stdout } = await box.run(
        sh("cat /proc/keys /proc/timer_list; echo gone > /proc/keys; echo end"),
        {
          root: bindRoot(root),
          spec: { mounts: [{ destination: "/proc", type: "proc", source: "proc", options: ["nosuid"] }] },
          linux: { devices: [] },
        },
      );
      expect(stdout).toBe("end\n");
      expectUntouched(canary);
    },
  );

  test("A3: what covers a secret cannot be changed through the mount", async () => {
    const { exit } = await box.run(["chmod", "000", "/proc/keys"]);
    expect(exit.code).not.toBe(0);
  });

  test.each(["dev", "dev/pts", "dev/console", "dev/ptmx"])(
    "A4: a terminal is not made by way of a link at %s",
    async (place) => {
      const { root, canary } = hostileRoot();
      rmSync(`${root}/${place}`, { recursive: true, force: true });
      symlinkSync(place.endsWith("console") ? `${canary}/secret` : canary, `${root}/${place}`);
      const outcome = await box
        .run(sh("ls -l /dev/console | cut -c1; echo $(tty)"), {
          root: bindRoot(root),
          process: { terminal: true },
          stdio: { terminal: true, openStdin: true },
        })
        .catch(() => undefined);
      if (outcome !== undefined) expect(outcome.stdout).toMatch(/^c\r\n.*\/pts\/\d+\r\n$/);
      expectUntouched(canary);
    },
  );

  test("A5: a sysctl goes to the container's own and to no file of the image", async () => {
    const { root, canary } = hostileRoot();
    rmSync(`${root}/proc`, { recursive: true });
    symlinkSync(canary, `${root}/proc`);
    const host = readFileSync("/proc/sys/net/ipv4/ip_default_ttl", "utf8");
    await box
      .run(["true"], { root: bindRoot(root), linux: { sysctl: { "net.ipv4.ip_default_ttl": "77" } } })
      .catch(() => undefined);
    expect(readFileSync("/proc/sys/net/ipv4/ip_default_ttl", "utf8")).toBe(host);
    expectUntouched(canary);
  });

  test("A5: a sysctl takes effect inside, although /proc/sys is read-only there", async () => {
    const { stdout } = await box.run(
      sh("cat /proc/sys/net/ipv4/ip_default_ttl; echo 5 > /proc/sys/net/ipv4/ip_default_ttl"),
      {
        linux: { sysctl: { "net.ipv4.ip_default_ttl": "77" } },
      },
    );
    expect(stdout).toBe("77\n");
  });

  test.each(["dev", "proc", "sys", "etc"])(
    "A6: an image with a link at /%s makes nothing on the host",
    async (place) => {
      const { root, canary } = hostileRoot();
      const source = `${box.path}/bound`;
      writeFileSync(source, "bound\n");
      rmSync(`${root}/${place}`, { recursive: true });
      symlinkSync(canary, `${root}/${place}`);
      const bind = { destination: `/${place}/bound`, type: "bind", source, options: ["bind", "ro"] };
      await box.run(["true"], { root: bindRoot(root), spec: { mounts: [bind] } }).catch(() => undefined);
      await box.run(["true"], { root: bindRoot(root) }).catch(() => undefined);
      expectUntouched(canary);
    },
  );

  test("A7: a mount point exchanged with a link during the start leads nowhere outside", async () => {
    const { root, canary } = hostileRoot();
    const [one, two] = [`${root}/data`, `${root}/other`];
    mkdirSync(`${root}/data`);
    symlinkSync(canary, two);
    const swapper = Bun.spawn([process.execPath, "-e", SWAP, one, two], {
      env: { BUN_BE_BUN: "1" },
      stdout: "pipe",
    });
    try {
      await swapper.stdout.getReader().read();
      const mounts = [{ destination: "/data/deep/x", type: "tmpfs", source: "tmpfs", options: ["nosuid"] }];
      for (let round = 0; round < 20; round++)
        await box.run(["true"], { root: bindRoot(root), spec: { mounts } }).catch(() => undefined);
    } finally {
      swapper.kill("SIGKILL");
      await swapper.exited;
    }
    expectUntouched(canary);
  });

  test.each([
    ["root", {}],
    ["somebody", { user: "ann" }],
    ["root with an addition", { capabilities: ["CAP_SYS_ADMIN", "CAP_CHOWN"] as const }],
  ])("A8: nothing is inheritable or ambient for %s", async (_who, process) => {
    const { stdout } = await box.run(["grep", "-E", "CapInh|CapAmb", "/proc/self/status"], { process });
    expect(stdout).toBe("CapInh:\t0000000000000000\nCapAmb:\t0000000000000000\n");
  });

  test.each([
    ["root", {}, "a80425fb", "a80425fb"],
    ["somebody", { user: "ann" }, "0", "a80425fb"],
    ["nothing but what is asked", { capabilities: [] }, "0", "0"],
  ])("A10: the capabilities of %s", async (_who, process, effective, bounding) => {
    const { stdout } = await box.run(["grep", "-E", "CapPrm|CapEff|CapBnd", "/proc/self/status"], {
      process,
    });
    const pad = (mask: string) => mask.padStart(16, "0");
    expect(stdout).toBe(
      `CapPrm:\t${pad(effective)}\nCapEff:\t${pad(effective)}\nCapBnd:\t${pad(bounding)}\n`,
    );
  });

  test("A9: a working directory behind a link is made inside the root", async () => {
    const { root, canary } = hostileRoot();
    symlinkSync(canary, `${root}/work`);
    const { stdout } = await box.run(["pwd"], { root: bindRoot(root), process: { cwd: "/work/made" } });
    expect(stdout).toBe(`${canary}/made\n`);
    expectUntouched(canary);
    expect(existsSync(`${root}${canary}/made`)).toBe(true);
  });

  test.each([
    "/proc/sys/kernel/core_pattern",
    "/proc/sysrq-trigger",
    "/proc/irq/x",
    "/sys/kernel/x",
    "/sys/fs/cgroup/x",
  ])("A15: %s cannot be written", async (path) => {
    const { exit } = await box.run(sh(`echo x > ${path}`));
    expect(exit.code).not.toBe(0);
  });

  test("A16: the supervisor's memory and descriptors are closed to a container that sees it", async () => {
    const namespaces = (["mnt", "net", "ipc", "uts"] as const).map((type) => ({ type }));
    const script =
      'for p in /proc/[0-9]*; do grep -q "^Name:.*launcher" $p/status && (readlink $p/fd/0 $p/exe $p/root; cat $p/environ); done; echo end';
    const { stdout } = await box.run(sh(script), { linux: { namespaces } });
    expect(stdout).toBe("end\n");
  });

  const SIX: readonly Namespace[] = ["mnt", "pid", "net", "ipc", "uts", "cgroup"];

  test("A17: all namespaces are its own, and leaving one out shares that one only", async () => {
    for (const left of [undefined, "net", "ipc", "uts", "pid", "cgroup"] as const) {
      const namespaces = SIX.filter((type) => type !== left).map((type) => ({ type }));
      const container = await box.start(`ns-${left ?? "all"}`, ["sleep", "100"], { linux: { namespaces } });
      const shared = SIX.filter(
        (type) => readlinkSync(`/proc/${container.pid}/ns/${type}`) === readlinkSync(`/proc/self/ns/${type}`),
      );
      await container.signal(9);
      await container.exited;
      expect(shared).toEqual(left === undefined ? [] : [left]);
    }
  });

  test("A18: no mount of a container is seen by the host, while it runs and after", async () => {
    const before = readFileSync("/proc/self/mountinfo", "utf8");
    const container = await box.start("mounts", ["sleep", "100"]);
    expect(readFileSync("/proc/self/mountinfo", "utf8")).toBe(before);
    const inside = readFileSync(`/proc/${container.pid}/mountinfo`, "utf8");
    expect(inside).not.toMatch(/ (shared|master):\d/);
    await container.signal(9);
    await container.exited;
    expect(readFileSync("/proc/self/mountinfo", "utf8")).toBe(before);
  });

  test("A19: there is nothing above the root", async () => {
    const { stdout } = await box.run(
      sh("cd ../../..; ls bin/busybox; cut -d' ' -f5 /proc/self/mountinfo | head -1"),
    );
    expect(stdout).toBe("bin/busybox\n/\n");
    const flight = "mkdir /jail; chroot /jail /bin/true; cd ..; ls bin/busybox";
    expect((await box.run(sh(`${flight} 2>/dev/null`))).stdout).toBe("bin/busybox\n");
  });

  test("A20: its supervisor listens on no abstract socket, and on files of root alone", async () => {
    const container = await box.start("sockets", ["sleep", "100"], {
      linux: { namespaces: SIX.filter((type) => type !== "net").map((type) => ({ type })) },
    });
    expect(readFileSync("/proc/net/unix", "utf8")).not.toMatch(/@.*(attach|bunker)/);
    const { mode } = await Bun.file(`${box.path}/run/containers/sockets/attach.sock`).stat();
    expect(mode & 0o777).toBe(0o600);
    await container.signal(9);
    await container.exited;
  });

  test.each([
    ["a pipe", (path: string) => Bun.spawnSync(["mkfifo", path]), /not a regular file/],
    ["a directory", (path: string) => mkdirSync(path), /not a regular file|is a directory/],
    ["over 1 MiB", (path: string) => writeFileSync(path, Buffer.alloc((1 << 20) + 1)), /over 1 MiB/],
  ])("A22: a user is not looked up in %s", async (_what, make, words) => {
    const { root } = hostileRoot();
    rmSync(`${root}/etc/passwd`);
    make(`${root}/etc/passwd`);
    const running = box.run(["id"], { root: bindRoot(root), process: { user: "ann" } });
    await expect(running).rejects.toThrow(words);
  });

  test("A22: a user is not looked up in a file of the host", async () => {
    const { root, canary } = hostileRoot();
    writeFileSync(`${canary}/secret`, "mallory:x:4242:4242::/:/bin/sh\n");
    rmSync(`${root}/etc/passwd`);
    symlinkSync(`${canary}/secret`, `${root}/etc/passwd`);
    const running = box.run(["id"], { root: bindRoot(root), process: { user: "mallory" } });
    await expect(running).rejects.toThrow("unable to find user mallory: no matching entries in passwd file");
  });

  test.each([
    ["", "uid=0(root) gid=0(root) groups=0(root),10(wheel)"],
    ["ann", "uid=1000(ann) gid=1000(ann) groups=10(wheel),50(staff),1000(ann)"],
    ["1000", "uid=1000(ann) gid=1000(ann) groups=10(wheel),50(staff),1000(ann)"],
    ["ann:staff", "uid=1000(ann) gid=50(staff) groups=50(staff)"],
    ["4000:4001", "uid=4000 gid=4001 groups=4001"],
    ["4000", "uid=4000 gid=0(root) groups=0(root)"],
  ])("the user %p is %s", async (user, expected) => {
    expect((await box.run(["id"], { process: { user } })).stdout).toBe(`${expected}\n`);
  });

  test.each([
    ["ann:nobodies", "unable to find group nobodies: no matching entries in group file"],
    ["4294967297", "uids and gids must be in range 0-2147483647"],
  ])("the user %p is refused", async (user, words) => {
    await expect(box.run(["id"], { process: { user } })).rejects.toThrow(words);
  });

  test("A23: a read-only bind is read-only below, where that is asked", async () => {
    const outer = `${box.path}/outer`;
    mkdirSync(`${outer}/inner`, { recursive: true });
    expect(Bun.spawnSync(["mount", "-t", "tmpfs", "none", `${outer}/inner`]).exitCode).toBe(0);
    try {
      const bind = { destination: "/mnt", type: "bind", source: outer, options: ["rbind", "rro"] };
      const { exit } = await box.run(["touch", "/mnt/inner/x"], { spec: { mounts: [bind] } });
      expect(exit.code).not.toBe(0);
    } finally {
      Bun.spawnSync(["umount", `${outer}/inner`]);
    }
  });

  test("A24: no new privileges are gained where that is asked", async () => {
    const { stdout } = await box.run(["grep", "-E", "NoNewPrivs|^Seccomp:", "/proc/self/status"], {
      process: { noNewPrivileges: true, user: "ann" },
    });
    expect(stdout).toBe("NoNewPrivs:\t1\nSeccomp:\t2\n");
  });

  test("F10: the small first process reaps, passes signals on and tells the program's exit", async () => {
    const script = 'trap "exit 9" TERM; (sleep 0.01 &) ; echo ready; while :; do sleep 0.01; done';
    await using prepared = await box.prepare("init", sh(script), { process: { init: true } });
    const ready = readUntil(await prepared.attach(ALL_STREAMS), (text) => text.includes("ready"));
    const container = await prepared.start();
    await ready;
    expect(readFileSync(`/proc/${container.pid}/status`, "utf8")).toMatch(/CapEff:\t00000000a80425fb/);
    await container.signal(15);
    expect((await container.exited).code).toBe(9);
  });

  test("a user namespace maps the ids, reaches the root through closed directories, and commands join it", async () => {
    const mappings = [{ containerId: 0, hostId: 100_000, size: 65_536 }];
    const linux = {
      namespaces: [...SIX, "user" as const].map((type) => ({ type })),
      uidMappings: mappings,
      gidMappings: mappings,
    };
    expect(statSync(box.path).mode & 0o077).toBe(0);
    const container = await box.start("mapped", ["sleep", "1000"], { linux });
    expect(readFileSync(`/proc/${container.pid}/status`, "utf8")).toMatch(/^Uid:\t100000\t/m);
    await using prepared = await container.exec({
      execId: "id",
      process: processSpec(["id", "-u"], { user: "ann" }),
      stdin: false,
      privileged: false,
    });
    const output = collect(await prepared.attach(ALL_STREAMS));
    await prepared.start();
    expect((await output).stdout).toBe("1000\n");
    await container.signal(9);
    await container.exited;
  });

  test.skipIf(!hasMemoryGroup)(
    `F9: running out of memory is told${hasMemoryGroup ? "" : " (skipped: no memory groups)"}`,
    async () => {
      const bytes = 32 << 20;
      const resources = { memoryBytes: bytes, memorySwapBytes: bytes, devices: DEFAULT_DEVICE_RULES };
      const { exit } = await box.run(["tail", "/dev/zero"], { linux: { resources } });
      expect(exit).toMatchObject({ code: 137, outOfMemory: true });
      const killed = await box.run(sh("kill -9 $$; kill -9 1; sleep 0; exit 3"), { linux: { resources } });
      expect(killed.exit.outOfMemory).toBe(false);
    },
  );

  test("a root of 128 layers", async () => {
    const layers = `${box.path}/layers`;
    for (let layer = 0; layer < 128; layer++) {
      mkdirSync(`${layers}/${layer}`, { recursive: true });
      writeFileSync(`${layers}/${layer}/l${layer}`, `${layer}\n`);
    }
    mkdirSync(`${layers}/upper`);
    mkdirSync(`${layers}/work`);
    const lower = Array.from({ length: 127 }, (_, layer) => `lowerdir+=${127 - layer}`);
    const mount = {
      type: "overlay",
      source: "overlay",
      flags: 0,
      directory: layers,
      options: [...lower, `lowerdir+=${box.root}`, "upperdir=upper", "workdir=work"],
    };
    const { stdout } = await box.run(sh("cat /l127 /l1; echo new > /made"), { root: mount });
    expect(stdout).toBe("127\n1\n");
    expect(readFileSync(`${layers}/upper/made`, "utf8")).toBe("new\n");
  });

  test("a read-only root is read-only, and its mounts are not", async () => {
    const spec = { root: { mount: bindRoot(box.root), readonly: true } };
    const { exit } = await box.run(sh("touch /x 2>/dev/null && exit 1; touch /dev/shm/y"), { spec });
    expect(exit.code).toBe(0);
  });
});

/** Exchanges two names without end: renameat2 with RENAME_EXCHANGE. */
const SWAP = `
import { dlopen } from "bun:ffi";
const { symbols } = dlopen("libc.so.6", { renameat2: { args: ["i32", "ptr", "i32", "ptr", "u32"], returns: "i32" } });
const [one, two] = process.argv.slice(-2).map((path) => Buffer.from(path + "\\0"));
console.log("ready");
for (;;) symbols.renameat2(-100, one, -100, two, 2);
`;
