import { describe, expect, test } from "bun:test";
import { hostname } from "node:os";
import { capabilityMask, DEFAULT_CAPABILITIES, type RuntimeSpec } from "#libcontainer";
import { type RuntimeContext, resourcesOf, runtimeSpec } from "../../../src/jobs/container/runtime-spec.ts";
import { environment, execProcess } from "../../../src/jobs/container/spec-process.ts";
import { CONTAINER_ID, containerView } from "../../fakes/container-view.ts";

type Container = ReturnType<typeof containerView>["container"];
type Host = Container["spec"]["host"];

const FILES = { hosts: "/c/hosts", hostname: "/c/hostname", resolvConf: "/c/resolv.conf" };
const CONTEXT: RuntimeContext = {
  root: { type: "overlay", source: "overlay", flags: 0, options: [] },
  sandbox: { namespace: { kind: "new" }, files: FILES, sysctls: { "net.ipv6.conf.all.disable_ipv6": "1" } },
};

function container(host: Partial<Host> = {}, changes: Partial<Container> = {}): Container {
  const view = containerView().container;
  return {
    ...view,
    ...changes,
    spec: { ...view.spec, ...changes.spec, host: { ...view.spec.host, ...host } },
  };
}

const spec = (host: Partial<Host> = {}, context: Partial<RuntimeContext> = {}): RuntimeSpec =>
  runtimeSpec(container(host), { ...CONTEXT, ...context });
const mountAt = ({ mounts }: RuntimeSpec, path: string) =>
  mounts.find(({ destination }) => destination === path);
const namespace = ({ linux }: RuntimeSpec, type: string) => linux.namespaces.find((one) => one.type === type);

const MOUNT: Container["mounts"][number] = {
  type: "bind",
  source: "/src",
  destination: "/dst",
  mode: "",
  isWritable: true,
  propagation: "",
  isAnonymous: false,
  copyUp: false,
  isRecursive: true,
  recursiveReadonly: false,
};
const withMounts = (mounts: readonly Partial<typeof MOUNT>[], host: Partial<Host> = {}) =>
  runtimeSpec(container(host, { mounts: mounts.map((mount) => ({ ...MOUNT, ...mount })) }), CONTEXT);

describe("the process", () => {
  test("gets PATH and HOSTNAME, what the image says in their place, and a terminal's name", () => {
    const view = containerView().container;
    expect(spec().process.env).toEqual(["PATH=/usr/bin", `HOSTNAME=${CONTAINER_ID.slice(0, 12)}`]);
    const tty = runtimeSpec({ ...view, spec: { ...view.spec, tty: true } }, CONTEXT);
    expect(tty.process.env).toContain("TERM=xterm");
    expect(tty.process.terminal).toBe(true);
  });

  test("environments override in place, and a bare name removes", () => {
    expect(environment(["A=1", "B=2", "A=3", "C", "B", "D="])).toEqual(["A=3", "D="]);
  });

  test("is what the record says, with the default capabilities and filter", () => {
    const { process } = spec();
    expect(process).toMatchObject({
      args: ["httpd-foreground"],
      cwd: "/usr/local/apache2",
      user: "",
      init: false,
      noNewPrivileges: false,
    });
    expect(capabilityMask(process.capabilities)).toBe(capabilityMask(DEFAULT_CAPABILITIES));
    expect(process.seccomp?.defaultAction).toBe("SCMP_ACT_ERRNO");
    expect(process.rlimits).toEqual([]);
  });

  test("cannot take files out of the size limit of a volume that it has", () => {
    const refused = ({ process: { seccomp } }: RuntimeSpec) =>
      seccomp?.syscalls.some(({ names, action }) => names.includes("ioctl") && action === "SCMP_ACT_ERRNO");
    const limited = { type: "volume", name: "small", hasSizeLimit: true } as const;
    expect([refused(withMounts([MOUNT])), refused(withMounts([limited]))]).toEqual([false, true]);
    expect(withMounts([limited], { privileged: true }).process.seccomp).toBeUndefined();
  });

  test("has the limits that it was made with, of which the engine's are dispensable", () => {
    const core = { name: "core", soft: 0, hard: 0 };
    const { process } = spec(
      { ulimits: [core, { name: "nofile", soft: 10, hard: -1 }] },
      { defaults: { ulimits: [{ name: "nofile", soft: 1, hard: 1 }, core] } },
    );
    expect(process.rlimits).toEqual([
      { type: "RLIMIT_CORE", soft: 0n, hard: 0n, isDefault: true },
      { type: "RLIMIT_NOFILE", soft: 10n, hard: 0xffff_ffff_ffff_ffffn },
    ]);
  });

  for (const [title, options, defaults, expected] of [
    ["off by default", [], undefined, false],
    ["on when asked", ["no-new-privileges"], undefined, true],
    ["on when asked in long form", ["no-new-privileges=true"], undefined, true],
    ["on when asked with a colon", ["no-new-privileges:true"], undefined, true],
    ["on by the engine's default", [], true, true],
    ["off when the user says so", ["no-new-privileges=false"], true, false],
  ] as const)
    test(`has no_new_privs ${title}`, () => {
      const context = defaults === undefined ? {} : { defaults: { noNewPrivileges: defaults } };
      expect(spec({ securityOptions: options }, context).process.noNewPrivileges).toBe(expected);
    });

  test("that joins is confined as the first one, in the place and as the user that it asks for", () => {
    const base = {
      args: ["id"],
      env: ["X=1"],
      user: "",
      workingDirectory: "",
      tty: false,
      privileged: false,
      attachStdin: false,
      attachStdout: true,
      attachStderr: true,
      detachKeys: "",
    };
    const plain = execProcess(container({ capDrop: ["MKNOD"] }), base);
    expect(plain.seccomp).toBe(spec({ capDrop: ["MKNOD"] }).process.seccomp);
    expect(plain.capabilities).not.toContain("CAP_MKNOD");
    expect(plain).toMatchObject({ cwd: "/usr/local/apache2", user: "", init: false });
    expect(plain.env).toContain("X=1");
    const other = execProcess(container(), {
      ...base,
      privileged: true,
      user: "ann",
      workingDirectory: "/tmp",
    });
    expect(other).toMatchObject({ user: "ann", cwd: "/tmp" });
    expect(other.capabilities).toContain("CAP_SYS_ADMIN");
  });
});

describe("privileged", () => {
  const privileged = spec({ privileged: true });
  test("opens capabilities, devices, filter, masks, groups and /sys", () => {
    expect(privileged.process.capabilities).toContain("CAP_SYS_ADMIN");
    expect(privileged.process.seccomp).toBeUndefined();
    expect(privileged.linux).toMatchObject({ maskedPaths: [], readonlyPaths: [], cgroupWritable: true });
    expect(privileged.linux.resources.devices).toEqual([{ allow: true, type: "a", access: "rwm" }]);
    expect(mountAt(privileged, "/sys")?.options).not.toContain("ro");
    expect(privileged.linux.devices.filter(({ path }) => path === "/dev/null")).toHaveLength(1);
  });

  test("is not the default", () => {
    expect(mountAt(spec(), "/sys")?.options).toContain("ro");
    expect(mountAt(spec(), "/sys/fs/cgroup")?.options).toContain("ro");
    expect(spec().linux.cgroupWritable).toBe(false);
    expect(spec().linux.maskedPaths).toContain("/proc/kcore");
    expect(spec().linux.readonlyPaths).toContain("/proc/sys");
  });
});

describe("namespaces", () => {
  test("are all the container's own by default, except the user's", () => {
    const types = spec().linux.namespaces.map(({ type }) => type);
    for (const type of ["mnt", "pid", "net", "ipc", "uts", "cgroup"] as const) expect(types).toContain(type);
    expect(types).not.toContain("user");
    expect(spec().linux.namespaces.some(({ path }) => path !== undefined)).toBe(false);
  });

  for (const [mode, type] of [
    [{ pidMode: "host" }, "pid"],
    [{ ipcMode: "host" }, "ipc"],
    [{ utsMode: "host" }, "uts"],
    [{ cgroupnsMode: "host" }, "cgroup"],
  ] as const)
    test(`${JSON.stringify(mode)} opens that one and no other`, () => {
      const types = (one: RuntimeSpec) => one.linux.namespaces.map((entry) => entry.type as string);
      expect(types(spec(mode))).toEqual(types(spec()).filter((one) => one !== type));
    });

  test("of the network follow the sandbox", () => {
    const host = spec(
      { networkMode: "host" },
      { sandbox: { ...CONTEXT.sandbox, namespace: { kind: "host" } } },
    );
    expect(namespace(host, "net")).toBeUndefined();
    expect(host.hostname).toBe(hostname());
    const joined = spec(
      {},
      { sandbox: { ...CONTEXT.sandbox, namespace: { kind: "path", path: "/proc/7/ns/net" } } },
    );
    expect(namespace(joined, "net")?.path).toBe("/proc/7/ns/net");
  });

  test("of another container are joined", () => {
    const joined = spec(
      { pidMode: "container:x", ipcMode: "container:y" },
      { pidPath: "/proc/7/ns/pid", ipcPath: "/proc/8/ns/ipc", ipcPid: 8 },
    );
    expect(namespace(joined, "pid")?.path).toBe("/proc/7/ns/pid");
    expect(namespace(joined, "ipc")?.path).toBe("/proc/8/ns/ipc");
    expect(mountAt(joined, "/dev/shm")).toMatchObject({ type: "bind", source: "/proc/8/root/dev/shm" });
  });
});

describe("mounts", () => {
  test("come in the order in which they must be made", () => {
    const order = withMounts([
      { destination: "/a/b/c" },
      { destination: "/a" },
      { destination: "/a/b" },
    ]).mounts.map(({ destination }) => destination);
    expect(order.slice(0, 5)).toEqual(["/proc", "/dev", "/dev/pts", "/sys", "/sys/fs/cgroup"]);
    expect(order.filter((path) => path.startsWith("/a"))).toEqual(["/a", "/a/b", "/a/b/c"]);
    expect(order.indexOf("/etc/hosts")).toBeGreaterThan(order.indexOf("/a"));
  });

  for (const [title, mount, options] of [
    ["writable", {}, ["rbind", "rw", "rprivate"]],
    ["read-only all the way down", { isWritable: false }, ["rbind", "rro", "rprivate"]],
    ["not recursive", { isRecursive: false, isWritable: false }, ["bind", "ro", "rprivate"]],
    ["following the host", { propagation: "rslave" }, ["rbind", "rw", "rslave"]],
  ] as const)
    test(`of host folders can be ${title}`, () => {
      expect(mountAt(withMounts([mount]), "/dst")).toMatchObject({
        type: "bind",
        source: "/src",
        options: [...options],
      });
    });

  test("of memory are safe unless they say otherwise", () => {
    const tmpfs = { type: "tmpfs", source: "", tmpfsOptions: "exec,size=1m" } as const;
    expect(mountAt(withMounts([tmpfs]), "/dst")?.options).toEqual([
      "nosuid",
      "nodev",
      "noexec",
      "exec",
      "size=1m",
    ]);
  });

  test("of the user take the place of default ones and of the engine's files", () => {
    const own = withMounts([{ destination: "/dev/shm" }, { destination: "/etc/hosts" }]);
    expect(own.mounts.filter(({ destination }) => destination === "/dev/shm")).toMatchObject([
      { type: "bind", source: "/src" },
    ]);
    expect(own.mounts.filter(({ destination }) => destination === "/etc/hosts")).toMatchObject([
      { source: "/src" },
    ]);
    const dev = withMounts([{ destination: "/dev" }]).mounts.map(({ destination }) => destination);
    expect(dev.filter((path) => path.startsWith("/dev"))).toEqual(["/dev"]);
  });

  test("under a read-only root close what holds the image's content only", () => {
    const closed = spec({ readonlyRootfs: true });
    expect(closed.root.readonly).toBe(true);
    expect(mountAt(closed, "/etc/hosts")?.options).toContain("ro");
    expect(mountAt(closed, "/dev/shm")?.options).not.toContain("ro");
  });

  for (const [mode, type] of [
    ["private", "tmpfs"],
    ["shareable", "tmpfs"],
    ["host", "bind"],
    ["none", undefined],
  ] as const)
    test(`give /dev/shm in ipc mode ${mode}`, () =>
      expect(mountAt(spec({ ipcMode: mode }), "/dev/shm")?.type).toBe(type as string));

  test("size /dev/shm as asked", () => {
    expect(mountAt(spec({ shmSizeBytes: 4096 }), "/dev/shm")?.options).toContain("size=4096");
    expect(mountAt(spec({ shmSizeBytes: 0 }), "/dev/shm")?.options).toContain("size=67108864");
  });
});

describe("kernel settings", () => {
  test("open ports and pings in a network of the container's own, and the user has the last word", () => {
    expect(spec().linux.sysctl).toEqual({
      "net.ipv4.ip_unprivileged_port_start": "0",
      "net.ipv4.ping_group_range": "0 2147483647",
      "net.ipv6.conf.all.disable_ipv6": "1",
    });
    expect(
      spec({ sysctls: { "net.ipv4.ip_unprivileged_port_start": "1024" } }).linux.sysctl[
        "net.ipv4.ip_unprivileged_port_start"
      ],
    ).toBe("1024");
    expect(spec({}, { sandbox: { ...CONTEXT.sandbox, namespace: { kind: "host" } } }).linux.sysctl).toEqual(
      {},
    );
  });
});

describe("groups", () => {
  test("lie below the engine's parent, or below the one asked for", () => {
    expect(spec().linux.cgroupsPath).toBe(CONTAINER_ID);
    expect(spec({ cgroupParent: "/a/b/" }).linux.cgroupsPath).toBe(`/a/b/${CONTAINER_ID}`);
    expect(spec({ cgroupParent: "a" }).linux.cgroupsPath).toBe(`/a/${CONTAINER_ID}`);
  });

  for (const [title, resources, expected] of [
    ["nothing", {}, {}],
    [
      "zeros",
      { memory: 0, nanoCpus: 0, pidsLimit: 0, cpuShares: 0, memorySwappiness: -1, cpusetCpus: "" },
      {},
    ],
    ["memory alone", { memory: 100 }, { memoryBytes: 100, memorySwapBytes: 200 }],
    ["memory with swap", { memory: 100, memorySwap: 150 }, { memoryBytes: 100, memorySwapBytes: 150 }],
    ["swap without limit", { memory: 100, memorySwap: -1 }, { memoryBytes: 100, memorySwapBytes: -1 }],
    [
      "processors",
      { nanoCpus: 1_500_000_000 },
      { cpuQuotaMicroseconds: 150_000, cpuPeriodMicroseconds: 100_000 },
    ],
    [
      "a hundredth of one",
      { nanoCpus: 10_000_000 },
      { cpuQuotaMicroseconds: 1000, cpuPeriodMicroseconds: 100_000 },
    ],
    [
      "quota and period",
      { cpuQuota: 5000, cpuPeriod: 10_000 },
      { cpuQuotaMicroseconds: 5000, cpuPeriodMicroseconds: 10_000 },
    ],
    ["no limit of processes", { pidsLimit: -1 }, { pidsLimit: -1 }],
    ["swappiness of zero", { memorySwappiness: 0 }, { memorySwappiness: 0 }],
  ] as const)
    test(`are asked for ${title}`, () => {
      const { devices, blkioDevices, ...rest } = resourcesOf(container({ resources }).spec.host);
      expect(rest).toEqual(expected);
      expect(blkioDevices).toEqual([]);
    });

  test("allow the devices asked for and what rules add, after the default ones", () => {
    const { linux } = spec({
      devices: [{ hostPath: "/dev/null", containerPath: "/dev/nil", permissions: "r" }],
      deviceCgroupRules: ["c 10:229 rw"],
    });
    expect(linux.resources.devices.slice(-2)).toEqual([
      { allow: true, type: "c", major: 1, minor: 3, access: "r" },
      { allow: true, type: "c", major: 10, minor: 229, access: "rw" },
    ]);
    expect(linux.devices.map(({ path }) => path)).toContain("/dev/nil");
  });
});

describe("security options", () => {
  test("seccomp=unconfined, a profile of one's own, and builtin", () => {
    expect(spec({ securityOptions: ["seccomp=unconfined"] }).linux.seccomp).toBeUndefined();
    const own = spec({ securityOptions: [`seccomp={"defaultAction":"SCMP_ACT_LOG"}`] });
    expect(own.linux.seccomp?.defaultAction).toBe("SCMP_ACT_LOG");
    expect(spec({ securityOptions: ["seccomp=builtin"] }).linux.seccomp).toBe(spec().linux.seccomp);
  });

  test("a profile of one's own binds privileged containers too", () => {
    const own = spec({ privileged: true, securityOptions: [`seccomp={"defaultAction":"SCMP_ACT_LOG"}`] });
    expect(own.linux.seccomp?.defaultAction).toBe("SCMP_ACT_LOG");
  });

  test("systempaths=unconfined and lists of one's own", () => {
    expect(spec({ securityOptions: ["systempaths=unconfined"] }).linux).toMatchObject({
      maskedPaths: [],
      readonlyPaths: [],
    });
    expect(spec({ maskedPaths: ["/x"], readonlyPaths: [] }).linux).toMatchObject({
      maskedPaths: ["/x"],
      readonlyPaths: [],
    });
  });
});
