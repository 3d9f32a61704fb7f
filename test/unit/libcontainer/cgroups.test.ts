import { describe, expect, test } from "bun:test";
import { DEFAULT_DEVICE_RULES, type DeviceRule, type Resources } from "#libcontainer";
import {
  type Cgroups,
  parseCgroupMounts,
  parseProcessGroups,
} from "../../../src/libcontainer/cgroups/detect.ts";
import { cgroupSteps } from "../../../src/libcontainer/cgroups/manager.ts";
import { groupPath, groupPathOfDirectories } from "../../../src/libcontainer/cgroups/path.ts";
import {
  parseCount,
  parseFlat,
  parseHostCpu,
  parseNetworkCounters,
} from "../../../src/libcontainer/cgroups/statistics.ts";
import { settings as settingsV1 } from "../../../src/libcontainer/cgroups/v1/settings.ts";
import {
  cpuWeight,
  ioWeight,
  settings as settingsV2,
} from "../../../src/libcontainer/cgroups/v2/settings.ts";
import { parseIoStat } from "../../../src/libcontainer/cgroups/v2/statistics.ts";

const V1: Cgroups & { version: 1 } = {
  version: 1,
  hierarchies: [
    { mountpoint: "/cg/cpu,cpuacct", controllers: ["cpu", "cpuacct"] },
    { mountpoint: "/cg/memory", controllers: ["memory"] },
    { mountpoint: "/cg/devices", controllers: ["devices"] },
    { mountpoint: "/cg/systemd", controllers: ["name=systemd"] },
  ],
};
const V2: Cgroups = { version: 2, mountpoint: "/cg" };
const resources = (changes: Partial<Resources> = {}): Resources => ({
  devices: DEFAULT_DEVICE_RULES,
  ...changes,
});
const ALL: readonly DeviceRule[] = [{ allow: true, type: "a", access: "rwm" }];

describe("the layout", () => {
  test("of v1 is read with its named hierarchies, each once", () => {
    const mounts = `30 25 0:26 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755
31 30 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate
32 30 0:28 / /sys/fs/cgroup/systemd rw,nosuid shared:9 - cgroup cgroup rw,xattr,name=systemd
33 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
34 30 0:29 / /elsewhere\\040twice rw - cgroup cgroup rw,cpu,cpuacct
35 30 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,release_agent=/x,memory`;
    expect(parseCgroupMounts(mounts)).toEqual({
      version: 1,
      hierarchies: [
        { mountpoint: "/sys/fs/cgroup/systemd", controllers: ["name=systemd"] },
        { mountpoint: "/sys/fs/cgroup/cpu,cpuacct", controllers: ["cpu", "cpuacct"] },
        { mountpoint: "/sys/fs/cgroup/memory", controllers: ["memory"] },
      ],
      unified: "/sys/fs/cgroup/unified",
    });
  });

  test("of v2 is read, also where systemd keeps a named v1 hierarchy for itself", () => {
    const unified = "29 23 0:25 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate";
    const named = "30 23 0:26 / /run/systemd/cg rw - cgroup cgroup rw,name=systemd";
    expect(parseCgroupMounts(unified)).toEqual({ version: 2, mountpoint: "/sys/fs/cgroup" });
    expect(parseCgroupMounts(`${named}\n${unified}`)).toEqual({ version: 2, mountpoint: "/sys/fs/cgroup" });
  });

  test("of a path with blanks is read, and none where nothing is mounted", () => {
    expect(parseCgroupMounts("1 2 0:3 / /a\\040b\\134c rw - cgroup2 none rw")).toEqual({
      version: 2,
      mountpoint: "/a b\\c",
    });
    expect(parseCgroupMounts("1 2 0:3 / /proc rw - proc proc rw")).toEqual({ version: 0 });
  });

  test("of a process is read for every hierarchy", () => {
    const groups = parseProcessGroups("9:name=systemd:/a\n2:cpu,cpuacct:/b/c\n0::/d:e\n");
    expect([...groups]).toEqual([
      ["name=systemd", "/a"],
      ["cpu,cpuacct", "/b/c"],
      ["", "/d:e"],
    ]);
  });

  test("puts containers below the engine's parent, or where they ask", () => {
    expect(groupPath("abc", "bunker")).toBe("bunker/abc");
    expect(groupPath("/other//place/abc", "bunker")).toBe("other/place/abc");
    expect(groupPathOfDirectories(V1, ["/cg/memory/bunker/abc", "/cg/devices/bunker/confined/abc"])).toBe(
      "bunker/abc",
    );
    expect(groupPathOfDirectories(V2, ["/cg/bunker", "/cg/bunker/abc"])).toBe("bunker/abc");
  });
});

describe("the steps", () => {
  test("of a default container on v1 make groups and join them, and write nothing", () => {
    const steps = cgroupSteps(V1, { path: "bunker/abc", resources: resources() });
    const directories = [
      "/cg/cpu,cpuacct/bunker/abc",
      "/cg/memory/bunker/abc",
      "/cg/devices/bunker/confined/abc",
      "/cg/systemd/bunker/abc",
    ];
    expect(steps).toEqual([
      ...directories.map((path) => ({ op: "cgroup", path }) as const),
      ...directories.map((path) => ({ op: "cgroup-join", path }) as const),
    ]);
  });

  test("of a privileged container on v1 leave the devices as the host has them", () => {
    const steps = cgroupSteps(V1, { path: "bunker/abc", resources: resources({ devices: ALL }) });
    expect(steps.map((step) => ("path" in step ? step.path : ""))).toContain("/cg/devices/bunker/abc");
    expect(steps.filter(({ op }) => op === "write")).toEqual([]);
  });

  test("of a container with a device on v1 deny all first and then allow one by one", () => {
    const devices = [...DEFAULT_DEVICE_RULES, { allow: true, type: "b", major: 8, access: "r" } as const];
    const writes = cgroupSteps(V1, { path: "bunker/abc", resources: resources({ devices }) }).filter(
      ({ op }) => op === "write",
    );
    expect(writes[0]).toEqual({ op: "write", path: "/cg/devices/bunker/abc/devices.deny", value: "a" });
    expect(writes.at(-1)).toEqual({
      op: "write",
      path: "/cg/devices/bunker/abc/devices.allow",
      value: "b 8:* r",
    });
    expect(writes).toHaveLength(devices.length);
  });

  test("skip controllers that are not mounted", () => {
    const steps = cgroupSteps(V1, {
      path: "bunker/abc",
      resources: resources({ pidsLimit: 5, memoryBytes: 7 }),
    });
    expect(steps.filter(({ op }) => op === "write")).toEqual([
      { op: "write", path: "/cg/memory/bunker/abc/memory.limit_in_bytes", value: "7" },
    ]);
  });

  test("on v2 make one group with its device filter", () => {
    const steps = cgroupSteps(V2, { path: "bunker/abc", resources: resources({ pidsLimit: 5 }) });
    expect(steps.map(({ op }) => op)).toEqual(["cgroup", "write", "device-filter", "cgroup-join"]);
    expect(steps[1]).toEqual({ op: "write", path: "/cg/bunker/abc/pids.max", value: "5" });
    expect(
      cgroupSteps(V2, { path: "a/b", resources: resources({ devices: ALL }) }).map(({ op }) => op),
    ).toEqual(["cgroup", "cgroup-join"]);
  });

  test("are none where no groups are mounted", () => {
    expect(cgroupSteps({ version: 0 }, { path: "bunker/abc", resources: resources() })).toEqual([]);
  });
});

const written = (list: readonly { file: string; value: string }[]) =>
  list.map(({ file, value }) => `${file}=${value}`);

describe("settings", () => {
  for (const [title, asked, v1, v2] of [
    ["nothing", {}, [], []],
    [
      "memory",
      { memoryBytes: 100, memorySwapBytes: 150 },
      ["memory.limit_in_bytes=100", "memory.memsw.limit_in_bytes=150"],
      ["memory.max=100", "memory.swap.max=50"],
    ],
    [
      "no swap limit",
      { memoryBytes: 100, memorySwapBytes: -1 },
      ["memory.limit_in_bytes=100", "memory.memsw.limit_in_bytes=-1"],
      ["memory.max=100", "memory.swap.max=max"],
    ],
    [
      "swap equal to memory",
      { memoryBytes: 100, memorySwapBytes: 100 },
      ["memory.limit_in_bytes=100", "memory.memsw.limit_in_bytes=100"],
      ["memory.max=100", "memory.swap.max=0"],
    ],
    ["a reservation", { memoryReservationBytes: 50 }, ["memory.soft_limit_in_bytes=50"], ["memory.low=50"]],
    [
      "v1's own memory options",
      { memorySwappiness: 0, oomKillDisable: true },
      ["memory.swappiness=0", "memory.oom_control=1"],
      [],
    ],
    [
      "processor time",
      { cpuQuotaMicroseconds: 5000, cpuPeriodMicroseconds: 10000 },
      ["cpu.cfs_period_us=10000", "cpu.cfs_quota_us=5000"],
      ["cpu.max=5000 10000"],
    ],
    ["processor time without limit", { cpuQuotaMicroseconds: -1 }, ["cpu.cfs_quota_us=-1"], ["cpu.max=max"]],
    ["shares", { cpuShares: 1024 }, ["cpu.shares=1024"], ["cpu.weight=100"]],
    [
      "processors",
      { cpusetCpus: "0-1", cpusetMems: "0" },
      ["cpuset.cpus=0-1", "cpuset.mems=0"],
      ["cpuset.cpus=0-1", "cpuset.mems=0"],
    ],
    ["processes", { pidsLimit: 99 }, ["pids.max=99"], ["pids.max=99"]],
    ["any number of processes", { pidsLimit: -1 }, ["pids.max=max"], ["pids.max=max"]],
    [
      "a weight",
      { blkioWeight: 500 },
      ["blkio.weight=500", "blkio.bfq.weight=500"],
      ["io.bfq.weight=500", "io.weight=default 4950"],
    ],
    [
      "rates",
      {
        blkioDevices: [
          { major: 8, minor: 0, kind: "read-bps", value: 1 },
          { major: 8, minor: 0, kind: "write-bps", value: 2 },
          { major: 8, minor: 0, kind: "read-iops", value: 3 },
          { major: 8, minor: 0, kind: "write-iops", value: 4 },
          { major: 8, minor: 0, kind: "weight", value: 5 },
        ],
      },
      [
        "blkio.throttle.read_bps_device=8:0 1",
        "blkio.throttle.write_bps_device=8:0 2",
        "blkio.throttle.read_iops_device=8:0 3",
        "blkio.throttle.write_iops_device=8:0 4",
        "blkio.bfq.weight_device=8:0 5",
      ],
      [
        "io.max=8:0 rbps=1",
        "io.max=8:0 wbps=2",
        "io.max=8:0 riops=3",
        "io.max=8:0 wiops=4",
        "io.bfq.weight=8:0 5",
      ],
    ],
  ] as const)
    test(`for ${title}`, () => {
      expect(written(settingsV1(resources(asked)))).toEqual([...v1]);
      expect(written(settingsV2(resources(asked)))).toEqual([...v2]);
    });

  for (const [shares, weight] of [
    [0, 1],
    [2, 1],
    [512, 59],
    [1024, 100],
    [2048, 174],
    [262_144, 10_000],
    [300_000, 10_000],
  ] as const)
    test(`turn ${shares} shares into a weight of ${weight}`, () => expect(cpuWeight(shares)).toBe(weight));

  test("turn Docker's block weights into the kernel's", () => {
    expect([10, 500, 1000].map(ioWeight)).toEqual([1, 4950, 10_000]);
  });
});

describe("what groups count", () => {
  test("is read line by line", () => {
    expect([...parseFlat("a 1\nb 18446744073709551615\nc max\n\nd")]).toEqual([
      ["a", 1n],
      ["b", 18446744073709551615n],
    ]);
    expect([...parseFlat(undefined)]).toEqual([]);
    expect(["7", "max", "-1", "", undefined].map(parseCount)).toEqual([
      7,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  test("is read per disk on v2", () => {
    expect(parseIoStat("8:16 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n\n")).toEqual([
      { major: 8, minor: 16, op: "read", bytes: 1, operations: 3 },
      { major: 8, minor: 16, op: "write", bytes: 2, operations: 4 },
    ]);
  });

  test("of the host is summed in nanoseconds", () => {
    const stat = "cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 1 1 1 1 1 1 0 0 0\ncpu1 0 1 2 3 4 5 6 8 9 10\nintr 5\n";
    expect(parseHostCpu(stat)).toEqual({ systemCpu: 280_000_000n, onlineCpus: 2 });
  });

  test("of a network is read for every interface but the loopback", () => {
    const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0
  eth0: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0`;
    expect(parseNetworkCounters(text)).toEqual({
      eth0: {
        rx_bytes: 1,
        rx_packets: 2,
        rx_errors: 3,
        rx_dropped: 4,
        tx_bytes: 5,
        tx_packets: 6,
        tx_errors: 7,
        tx_dropped: 8,
      },
    });
  });
});
