import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { cgroupVersion, groupFile, HostPart, PATIENCE, until } from "../../fixtures/host-part.ts";

const MB = 1024 * 1024;
/** A device whose rate can be limited, if the machine shows one: `MAJOR:MINOR`, and its name in /dev. */
const disk = readdirSync("/sys/block").find((name) => /^(vd|sd|nvme|loop)/.test(name));
const number = disk === undefined ? "" : readFileSync(`/sys/block/${disk}/dev`, "utf8").trim();
let part: HostPart;

beforeAll(async () => {
  part = await HostPart.open("busybox");
}, PATIENCE);
afterAll(async () => part?.[Symbol.asyncDispose](), PATIENCE);

/** controller, the file in v1, the file in v2, and what stands there. */
type Row = readonly [controller: string, v1: string, v2: string, value: string];

function limits(rows: readonly Row[], pid: number): void {
  const read = ([controller, v1, v2]: Row) => groupFile(pid, controller, cgroupVersion === 2 ? v2 : v1);
  expect(rows.map((row) => [row[0], read(row)])).toEqual(rows.map((row) => [row[0], row[3]]));
}

describe(`limits under cgroup v${cgroupVersion}`, () => {
  test(
    "are in force from the start, and changed while the container runs",
    async () => {
      const { id, pid } = await part.start(["sleep", "600"], {
        Memory: 64 * MB,
        MemorySwap: 96 * MB,
        CpuQuota: 50_000,
        CpuPeriod: 100_000,
        CpuShares: 512,
        CpusetCpus: "0",
        PidsLimit: 50,
      });
      const isV2 = cgroupVersion === 2;
      limits(
        [
          ["memory", "memory.limit_in_bytes", "memory.max", String(64 * MB)],
          ["cpu", "cpu.cfs_quota_us", "cpu.max", isV2 ? "50000 100000" : "50000"],
          ["cpu", "cpu.shares", "cpu.weight", isV2 ? "59" : "512"],
          ["cpuset", "cpuset.cpus", "cpuset.cpus", "0"],
          ["pids", "pids.max", "pids.max", "50"],
        ],
        pid,
      );
      if (isV2) limits([["memory", "", "memory.swap.max", String(32 * MB)]], pid);
      await part.ask("POST", `/containers/${id}/update`, {
        Memory: 32 * MB,
        MemorySwap: 128 * MB,
        CpuQuota: 20_000,
        CpuShares: 1024,
        PidsLimit: 40,
      });
      limits(
        [
          ["memory", "memory.limit_in_bytes", "memory.max", String(32 * MB)],
          ["cpu", "cpu.cfs_quota_us", "cpu.max", isV2 ? "20000 100000" : "20000"],
          ["cpu", "cpu.shares", "cpu.weight", isV2 ? "100" : "1024"],
          ["pids", "pids.max", "pids.max", "40"],
        ],
        pid,
      );
      if (isV2) limits([["memory", "", "memory.swap.max", String(96 * MB)]], pid);
      const { HostConfig } = await part.ask<{ HostConfig: object }>("GET", `/containers/${id}/json`);
      expect(HostConfig).toMatchObject({
        Memory: 32 * MB,
        MemorySwap: 128 * MB,
        CpuQuota: 20_000,
        PidsLimit: 40,
      });
      await part.remove(id);
    },
    PATIENCE,
  );

  test(
    "are what a container sees of its own group",
    async () => {
      const files =
        cgroupVersion === 2 ? ["memory.max", "memory.swap.max"] : ["memory/memory.limit_in_bytes"];
      const paths = files.map((file) => `/sys/fs/cgroup/${file}`);
      const { stdout } = await part.run(["cat", ...paths], { Memory: 48 * MB });
      expect(stdout).toBe(`${48 * MB}\n`.repeat(files.length));
    },
    PATIENCE,
  );

  test.skipIf(disk === undefined)(
    `slow a disk down${disk === undefined ? " (skipped: there is no disk)" : ""}`,
    async () => {
      const { id, pid } = await part.start(["sleep", "600"], {
        BlkioDeviceReadBps: [{ Path: `/dev/${disk}`, Rate: MB }],
        BlkioDeviceWriteIOps: [{ Path: `/dev/${disk}`, Rate: 100 }],
      });
      if (cgroupVersion === 2)
        expect(groupFile(pid, "io", "io.max")).toBe(`${number} rbps=${MB} wbps=max riops=max wiops=100`);
      else {
        expect(groupFile(pid, "blkio", "blkio.throttle.read_bps_device")).toBe(`${number} ${MB}`);
        expect(groupFile(pid, "blkio", "blkio.throttle.write_iops_device")).toBe(`${number} 100`);
      }
      await part.remove(id);
    },
    PATIENCE,
  );

  test(
    "end a container that wants more memory, and it is said why",
    async () => {
      const { code, isOomKilled } = await part.run(["tail", "/dev/zero"], {
        Memory: 16 * MB,
        MemorySwap: 16 * MB,
      });
      expect({ code, isOomKilled }).toEqual({ code: 137, isOomKilled: true });
    },
    PATIENCE,
  );

  test(
    "stop a container from making more processes",
    async () => {
      const script = "i=0; while [ $i -lt 9 ]; do sleep 60 & i=$((i+1)); done; echo all";
      const { code, stdout, stderr } = await part.run(["sh", "-c", script], { PidsLimit: 5 });
      expect({ isRefused: code !== 0, stdout }).toEqual({ isRefused: true, stdout: "" });
      expect(stderr).toContain("can't fork");
    },
    PATIENCE,
  );

  test(
    "hold a busy container back from the processor",
    async () => {
      const { id, pid } = await part.start(["sh", "-c", "while :; do :; done"], { NanoCpus: 50_000_000 });
      const throttled = () => Number(/^nr_throttled (\d+)$/m.exec(groupFile(pid, "cpu", "cpu.stat"))?.[1]);
      await until(throttled, (times) => times > 0);
      await part.remove(id);
    },
    PATIENCE,
  );

  test(
    "pause stops all of a container until unpause, and stats tell what it uses",
    async () => {
      const { id, pid } = await part.start(["sleep", "600"], {
        Memory: 64 * MB,
        PidsLimit: 50,
      });
      const isFrozen = () =>
        cgroupVersion === 2
          ? groupFile(pid, "", "cgroup.events").includes("frozen 1")
          : groupFile(pid, "freezer", "freezer.state") === "FROZEN";
      await part.ask("POST", `/containers/${id}/pause`);
      expect([isFrozen(), (await part.inspect(id)).State.Status]).toEqual([true, "paused"]);
      await part.ask("POST", `/containers/${id}/unpause`);
      expect([isFrozen(), (await part.inspect(id)).State.Status]).toEqual([false, "running"]);
      const stats = await part.ask<Stats>("GET", `/containers/${id}/stats?stream=false&one-shot=true`);
      expect(stats.memory_stats).toMatchObject({ limit: 64 * MB });
      expect(stats.memory_stats.usage).toBeGreaterThan(0);
      expect(stats.cpu_stats.cpu_usage.total_usage).toBeGreaterThan(0);
      expect(stats.pids_stats).toEqual({ current: 1, limit: 50 });
      expect(Object.keys(stats.networks)).toEqual(["eth0"]);
      await part.remove(id);
    },
    PATIENCE,
  );
});

interface Stats {
  readonly memory_stats: { readonly usage: number; readonly limit: number };
  readonly cpu_stats: { readonly cpu_usage: { readonly total_usage: number } };
  readonly pids_stats: { readonly current: number; readonly limit: number };
  readonly networks: object;
}
