import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import {
  type Cgroups,
  compileExecPlan,
  compilePlan,
  MS,
  type Plan,
  type RuntimeMount,
  type RuntimeSpec,
} from "#libcontainer";
import { foreignNamespaces } from "../../../src/libcontainer/compile-exec.ts";
import { mountSteps } from "../../../src/libcontainer/compile-mounts.ts";
import { bindRoot, processSpec, runtimeSpec } from "../../fixtures/runtime-spec.ts";

/** No groups, so that nothing is made on the host. */
const NO_GROUPS: Cgroups = { version: 0 };
const NO_HOST = { links: [], ports: [] };

function compile(changes: (spec: RuntimeSpec) => RuntimeSpec = (spec) => spec, host = NO_HOST): Plan {
  const spec = runtimeSpec("/bunker/abc", bindRoot("/rootfs"), { process: processSpec(["true"]) });
  return compilePlan(changes(spec), host, { cgroups: NO_GROUPS });
}

const ops = (plan: Plan) => plan.map(({ op }) => op);
const of = <Op extends Plan[number]["op"]>(plan: Plan, op: Op) =>
  plan.filter((step): step is Extract<Plan[number], { op: Op }> => step.op === op);

describe("a plan", () => {
  test("keeps the order that the kernel demands", () => {
    const plan = compile((spec) => ({
      ...spec,
      process: { ...spec.process, terminal: true },
      linux: { ...spec.linux, sysctl: { "net.ipv4.ip_forward": "1" } },
    }));
    const order = [...new Set(ops(plan))];
    const expected = [
      "clone",
      "root",
      "mount",
      "mknod",
      "symlink",
      "mask",
      "readonly",
      "console",
      "pivot",
      "hostname",
      "sysctl",
      "oom-score",
      "umask",
      "chdir",
      "seccomp",
      "capabilities",
      "user",
      "exec",
    ];
    expect(order).toEqual(expected as typeof order);
  });

  test("installs the filter last under no_new_privs, and else while CAP_SYS_ADMIN is held", () => {
    const tail = (noNewPrivileges: boolean) =>
      ops(compile((spec) => ({ ...spec, process: { ...spec.process, noNewPrivileges } }))).slice(-4);
    expect(tail(true)).toEqual(["capabilities", "user", "seccomp", "exec"]);
    expect(tail(false)).toEqual(["seccomp", "capabilities", "user", "exec"]);
  });

  test("joins namespaces that have a path and makes the others", () => {
    const plan = compile((spec) => ({
      ...spec,
      linux: {
        ...spec.linux,
        namespaces: [
          { type: "mnt" },
          { type: "net", path: "/proc/1/ns/net" },
          { type: "user", path: "/proc/1/ns/user" },
          { type: "uts" },
        ],
      },
    }));
    expect(plan.slice(0, 3)).toEqual([
      { op: "join", namespace: "user", path: "/proc/1/ns/user" },
      { op: "join", namespace: "net", path: "/proc/1/ns/net" },
      { op: "clone", namespaces: ["mnt", "uts"] },
    ]);
  });

  test("leaves the names of the host's UTS namespace alone", () => {
    const plan = compile((spec) => ({
      ...spec,
      domainname: "d",
      linux: { ...spec.linux, namespaces: [{ type: "mnt" }] },
    }));
    expect([...of(plan, "hostname"), ...of(plan, "domainname")]).toEqual([]);
  });

  test("maps ids after the clone", () => {
    const mappings = [{ containerId: 0, hostId: 100_000, size: 65_536 }];
    const plan = compile((spec) => ({
      ...spec,
      linux: { ...spec.linux, uidMappings: mappings, gidMappings: [{ containerId: 0, hostId: 5, size: 1 }] },
    }));
    expect(ops(plan).slice(0, 2)).toEqual(["clone", "id-map"]);
    expect(of(plan, "id-map")).toEqual([{ op: "id-map", uid: "0 100000 65536\n", gid: "0 5 1\n" }]);
  });

  test("the root's owners are mapped where they are those inside", () => {
    const [uids, gids] = [7, 8].map((hostId) => [{ containerId: 0, hostId, size: 2 }]);
    const plan = compile((spec) => ({
      ...spec,
      root: { ...spec.root, isMapped: true },
      linux: { ...spec.linux, uidMappings: uids ?? [], gidMappings: gids ?? [] },
    }));
    expect(of(plan, "root")).toMatchObject([{ owners: { uid: "0 7 2\n", gid: "0 8 2\n" } }]);
    expect(
      of(
        compile((spec) => spec),
        "root",
      )[0],
    ).not.toHaveProperty("owners");
  });

  test("reserves ports before anything else, and makes links after the clone", () => {
    const link = {
      op: "netlink",
      netns: "host",
      message: new Uint8Array(),
      patches: [],
      tolerate: [],
      purpose: "x",
    } as const;
    const port = { family: 4, protocol: "tcp", address: "0.0.0.0", port: 80 } as const;
    const plan = compile(undefined, { links: [link], ports: [port] } as never);
    expect(ops(plan).slice(0, 3)).toEqual(["reserve-port", "clone", "netlink"]);
  });

  test("makes no node, link or console in a /dev that is bound from the host", () => {
    const dev: RuntimeMount = { destination: "/dev", type: "bind", source: "/dev", options: ["rbind"] };
    const plan = compile((spec) => ({
      ...spec,
      process: { ...spec.process, terminal: true },
      mounts: [...spec.mounts, dev],
    }));
    expect([...of(plan, "mknod"), ...of(plan, "symlink"), ...of(plan, "console")]).toEqual([]);
  });

  test("points /dev/ptmx to the container's own devpts", () => {
    expect(of(compile(), "symlink")).toContainEqual({ op: "symlink", target: "/dev/ptmx", to: "pts/ptmx" });
    expect(of(compile(), "mknod").map(({ target }) => target)).not.toContain("/dev/ptmx");
  });

  for (const [title, options, expected] of [
    ["nothing by default", ["rbind", "rprivate"], MS.PRIVATE | MS.REC],
    ["what the host mounts later, to a slave", ["rbind", "rslave"], MS.SLAVE | MS.REC],
    ["both ways, to a shared bind", ["rbind", "rshared"], MS.SHARED | MS.REC],
  ] as const)
    test(`lets mounts through: ${title}`, () => {
      const bind: RuntimeMount = { destination: "/x", type: "bind", source: "/x", options };
      expect(
        of(
          compile((spec) => ({ ...spec, mounts: [bind] })),
          "root",
        )[0]?.propagation,
      ).toBe(expected);
    });

  test("never gives more capabilities than asked for, nor an unknown limit", () => {
    const plan = compile((spec) => ({
      ...spec,
      process: {
        ...spec.process,
        capabilities: ["CAP_CHOWN"],
        rlimits: [
          { type: "RLIMIT_NOFILE", soft: 1n, hard: 2n },
          { type: "RLIMIT_CORE", soft: 0n, hard: 0n, isDefault: true },
        ],
      },
    }));
    expect(of(plan, "capabilities")).toEqual([
      { op: "capabilities", bounding: 1n, permitted: 1n, effective: 1n },
    ]);
    expect(of(plan, "rlimit")).toEqual([
      { op: "rlimit", resource: 7, soft: 1n, hard: 2n },
      { op: "rlimit", resource: 4, soft: 0n, hard: 0n, optional: true },
    ]);
  });
});

describe("a mount", () => {
  const steps = (mount: Partial<RuntimeMount>, cgroups: Cgroups = NO_GROUPS) =>
    mountSteps({ destination: "/t", type: "bind", source: "/s", options: [], ...mount }, cgroups);

  test("of a file system carries flags and data", () => {
    expect(steps({ type: "tmpfs", source: "tmpfs", options: ["nosuid", "ro", "size=1m"] })).toEqual([
      {
        op: "mount",
        type: "tmpfs",
        source: "tmpfs",
        target: "/t",
        flags: MS.NOSUID | MS.RDONLY,
        data: "size=1m",
      },
    ]);
  });

  test("of the host's is private unless it says otherwise", () => {
    expect(steps({ options: ["rbind", "rro", "nosuid"] })).toEqual([
      {
        op: "bind",
        source: "/s",
        target: "/t",
        recursive: true,
        readonly: true,
        recursiveReadonly: true,
        flags: MS.NOSUID,
        propagation: MS.PRIVATE | MS.REC,
        subpath: "",
        owners: { uid: "", gid: "" },
      },
    ]);
  });

  test("of a part, with owners of its own, says so in the kernel's lines", () => {
    const uidMappings = [
      { containerId: 1000, hostId: 0, size: 1 },
      { containerId: 5, hostId: 6, size: 7 },
    ];
    const gidMappings = [{ containerId: 100, hostId: 0, size: 1 }];
    expect(steps({ subpath: "a/b", uidMappings, gidMappings })).toMatchObject([
      { op: "bind", subpath: "a/b", owners: { uid: "1000 0 1\n5 6 7\n", gid: "100 0 1\n" } },
    ]);
  });

  test("of an image is its tree", () => {
    const tree = { type: "overlay", source: "overlay", flags: 1, options: ["lowerdir+=a"], directory: "/d" };
    expect(steps({ type: "image", source: "", tree, subpath: "bin" })).toEqual([
      { op: "image", mount: tree, target: "/t", subpath: "bin", owners: { uid: "", gid: "" } },
    ]);
  });

  for (const [word, flags] of [
    ["private", MS.PRIVATE],
    ["rprivate", MS.PRIVATE | MS.REC],
    ["slave", MS.SLAVE],
    ["rslave", MS.SLAVE | MS.REC],
    ["shared", MS.SHARED],
    ["rshared", MS.SHARED | MS.REC],
  ] as const)
    test(`that is ${word} is that`, () => {
      expect(steps({ options: ["rbind", word] })).toMatchObject([{ propagation: flags }]);
    });

  test("of groups is one file system on v2 and one a hierarchy on v1, closed last", () => {
    const mount = {
      type: "cgroup",
      source: "cgroup",
      destination: "/sys/fs/cgroup",
      options: ["ro", "nosuid"],
    };
    expect(steps(mount, { version: 2, mountpoint: "/cg" })).toMatchObject([
      { type: "cgroup2", target: "/sys/fs/cgroup" },
    ]);
    const v1 = steps(mount, {
      version: 1,
      hierarchies: [
        { mountpoint: "/cg/cpu,cpuacct", controllers: ["cpu", "cpuacct"] },
        { mountpoint: "/cg/systemd", controllers: ["name=systemd"] },
      ],
    });
    expect(v1).toMatchObject([
      { op: "mount", type: "tmpfs", target: "/sys/fs/cgroup", flags: MS.NOSUID },
      {
        op: "mount",
        type: "cgroup",
        target: "/sys/fs/cgroup/cpu,cpuacct",
        data: "cpu,cpuacct",
        flags: MS.NOSUID | MS.RDONLY,
      },
      { op: "mount", type: "cgroup", target: "/sys/fs/cgroup/systemd", data: "name=systemd" },
      { op: "symlink", target: "/sys/fs/cgroup/cpu", to: "cpu,cpuacct" },
      { op: "symlink", target: "/sys/fs/cgroup/cpuacct", to: "cpu,cpuacct" },
      { op: "mount", target: "/sys/fs/cgroup", flags: MS.NOSUID | MS.RDONLY | MS.REMOUNT },
    ]);
    expect(steps(mount, NO_GROUPS)).toEqual([]);
  });
});

describe("a plan for one more process", () => {
  test("joins nothing that this process is in already, and makes no namespace", () => {
    expect(foreignNamespaces(process.pid)).toEqual([]);
    const plan = compileExecPlan(
      { process: processSpec(["id"], { terminal: true }), pid: process.pid },
      { cgroups: NO_GROUPS },
    );
    expect(ops(plan).slice(0, 2)).toEqual(["clone", "console"]);
    expect(of(plan, "clone")).toEqual([{ op: "clone", namespaces: [] }]);
    expect(of(plan, "chdir")).toEqual([{ op: "chdir", target: "/", make: false }]);
  });

  const OWN = /\/bunker-own-check$/;
  test.each([
    ["v2", { version: 2, mountpoint: "/cg" }, ["/cg"]],
    [
      "v1, in the freezer's hierarchy alone",
      {
        version: 1,
        hierarchies: ["memory", "freezer", "pids"].map((name) => ({
          mountpoint: `/cg/${name}`,
          controllers: [name],
        })),
      },
      ["/cg/freezer"],
    ],
  ] as const)(
    "has a group of its own below the container's where that is asked, on %s",
    (_, cgroups, tops) => {
      // Where this process is, the kernel of a host with the other version says for that version alone.
      const known = existsSync("/proc/self/cgroup") ? readFileSync("/proc/self/cgroup", "utf8") : "";
      const isHere = cgroups.version === 2 ? /^0::/m.test(known) : /:freezer:/.test(known);
      const plain = compileExecPlan({ process: processSpec(["id"]), pid: process.pid }, { cgroups });
      const own = compileExecPlan(
        { process: processSpec(["id"]), pid: process.pid, ownGroup: "check" },
        { cgroups },
      );
      expect(of(plain, "cgroup")).toEqual([]);
      const made = of(own, "cgroup").map(({ path }) => path);
      expect(made.map((path) => path.slice(0, tops[0].length))).toEqual(isHere ? [...tops] : []);
      for (const path of made) {
        expect(path).toMatch(OWN);
        const joined = of(own, "cgroup-join").map((step) => step.path);
        expect(joined).toContain(path);
        expect(joined).not.toContain(path.replace(OWN, ""));
      }
      expect(of(own, "cgroup-join").length).toBe(of(plain, "cgroup-join").length);
    },
  );

  test("is refused when the container has ended", () => {
    const gone = Bun.spawnSync(["true"]);
    expect(() =>
      compileExecPlan({ process: processSpec(["id"]), pid: gone.pid }, { cgroups: NO_GROUPS }),
    ).toThrow("it has ended");
  });
});
