import { afterAll, beforeAll } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { describeFlags, type FlagProbe } from "../../fixtures/flag-probes.ts";
import { cgroupVersion, HostPart, PATIENCE } from "../../fixtures/host-part.ts";

const isV2 = cgroupVersion === 2;
const TOP = "/sys/fs/cgroup";
/** A device whose rate can be limited, and how the kernel writes it. */
const disk = readdirSync("/sys/block").find((name) => /^(vd|sd|nvme|loop)/.test(name)) ?? "loop0";
const number = readFileSync(`/sys/block/${disk}/dev`, "utf8").trim();
/** Without this scheduler in the kernel there are no weights. */
const hasBfq = readFileSync(`/sys/block/${disk}/queue/scheduler`, "utf8").includes("bfq");
let part: HostPart;

beforeAll(async () => {
  part = await HostPart.open("busybox");
}, PATIENCE);
afterAll(async () => part?.[Symbol.asyncDispose](), PATIENCE);

/** Files of the container's own group, `controller/file` in v1 and the bare name in v2, and what they say. */
function limit(
  flag: string,
  value: string,
  says: { readonly v1: readonly [string, string]; readonly v2: readonly [string, string] },
): FlagProbe {
  const [file, text] = isV2 ? says.v2 : says.v1;
  return { flag: `--${flag}`, words: [`--${flag}`, value], look: `cat ${TOP}/${file}`, sees: text };
}

/** One rate of the disk; in v2 all four are one line. */
function rate(flag: string, value: string, [file, key]: readonly [v1: string, v2: string]): FlagProbe {
  return {
    flag: `--${flag}`,
    words: [`--${flag}`, `/dev/${disk}:${value}`],
    look: isV2 ? `cat ${TOP}/io.max` : `cat ${TOP}/blkio/blkio.throttle.${file}`,
    sees: isV2 ? new RegExp(`^${number} .*\\b${key}\\b`, "m") : `${number} ${key.replace(/^.*=/, "")}`,
  };
}

const MB = 1024 * 1024;

const LIMITS: readonly FlagProbe[] = [
  limit("memory", "64m", {
    v1: ["memory/memory.limit_in_bytes", String(64 * MB)],
    v2: ["memory.max", String(64 * MB)],
  }),
  limit("memory-swap", "96m", {
    v1: ["memory/memory.memsw.limit_in_bytes", String(96 * MB)],
    v2: ["memory.swap.max", String(32 * MB)],
  }),
  limit("memory-reservation", "32m", {
    v1: ["memory/memory.soft_limit_in_bytes", String(32 * MB)],
    v2: ["memory.low", String(32 * MB)],
  }),
  limit("cpu-shares", "512", { v1: ["cpu/cpu.shares", "512"], v2: ["cpu.weight", "59"] }),
  limit("cpu-period", "50000", { v1: ["cpu/cpu.cfs_period_us", "50000"], v2: ["cpu.max", "20000 50000"] }),
  limit("cpu-quota", "20000", { v1: ["cpu/cpu.cfs_quota_us", "20000"], v2: ["cpu.max", "20000 50000"] }),
  limit("cpuset-cpus", "0", { v1: ["cpuset/cpuset.cpus", "0"], v2: ["cpuset.cpus", "0"] }),
  limit("cpuset-mems", "0", { v1: ["cpuset/cpuset.mems", "0"], v2: ["cpuset.mems", "0"] }),
  limit("pids-limit", "50", { v1: ["pids/pids.max", "50"], v2: ["pids.max", "50"] }),
  rate("device-read-bps", "1mb", ["read_bps_device", `rbps=${MB}`]),
  rate("device-write-bps", "2mb", ["write_bps_device", `wbps=${2 * MB}`]),
  rate("device-read-iops", "100", ["read_iops_device", "riops=100"]),
  rate("device-write-iops", "200", ["write_iops_device", "wiops=200"]),
];

/** Files that only v1 has. */
const OLDER: readonly FlagProbe[] = [
  {
    flag: "--memory-swappiness",
    words: ["--memory-swappiness", "10"],
    look: `cat ${TOP}/memory/memory.swappiness`,
    sees: "10",
  },
  {
    flag: "--oom-kill-disable",
    words: ["--oom-kill-disable"],
    look: `grep oom_kill_disable ${TOP}/memory/memory.oom_control`,
    sees: "oom_kill_disable 1",
  },
  ...(hasBfq
    ? [
        {
          flag: "--blkio-weight",
          words: ["--blkio-weight", "300"],
          look: `cat ${TOP}/blkio/blkio.bfq.weight`,
          sees: "300",
        },
      ]
    : []),
];

describeFlags(`limits under cgroup v${cgroupVersion}`, [...LIMITS, ...(isV2 ? [] : OLDER)], () => ({ part }));
describeFlags(
  `processors under cgroup v${cgroupVersion}`,
  [limit("cpus", "0.25", { v1: ["cpu/cpu.cfs_quota_us", "25000"], v2: ["cpu.max", "25000 100000"] })],
  () => ({ part }),
);
