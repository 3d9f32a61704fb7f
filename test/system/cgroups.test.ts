import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import {
  type Cgroups,
  cgroupSteps,
  DEFAULT_DEVICE_RULES,
  detectCgroups,
  groupPath,
  listGroups,
  openGroup,
  prepareParentGroup,
  type Resources,
  removeParentGroup,
} from "#libcontainer";

const PARENT = `libcontainer-test-${process.pid}`;
const MB = 1024 * 1024;
const cgroups: Cgroups = detectCgroups();
const reason =
  process.geteuid?.() !== 0 ? "needs root" : cgroups.version === 0 ? "needs control groups" : undefined;
const title = `groups of cgroup v${cgroups.version}${reason === undefined ? "" : ` (skipped: ${reason})`}`;

/** Obeys the steps that the launcher would, for a process of our own, and undoes them at the end of the scope. */
async function inGroup(name: string, resources: Partial<Resources> = {}) {
  const path = groupPath(name, PARENT);
  await using undo = new AsyncDisposableStack();
  prepareParentGroup(cgroups, path);
  const group = openGroup(cgroups, path);
  undo.defer(() => group.remove());
  const child = Bun.spawn(["sleep", "600"], { stdout: "ignore", stderr: "ignore" });
  undo.defer(async () => {
    group.kill();
    child.kill("SIGKILL");
    await child.exited;
  });
  for (const step of cgroupSteps(cgroups, {
    path,
    resources: { devices: DEFAULT_DEVICE_RULES, ...resources },
  })) {
    if (step.op === "cgroup") mkdirSync(step.path);
    if (step.op === "write" && (!step.optional || existsSync(step.path)))
      writeFileSync(step.path, step.value);
    if (step.op === "cgroup-join") writeFileSync(`${step.path}/cgroup.procs`, String(child.pid));
  }
  const owned = undo.move();
  const read = (controller: string, file: string) => {
    const top =
      cgroups.version === 1
        ? cgroups.hierarchies.find(({ controllers }) => controllers.includes(controller))?.mountpoint
        : cgroups.version === 2
          ? cgroups.mountpoint
          : undefined;
    return readFileSync(`${top}/${path}/${file}`, "utf8").trim();
  };
  return { group, child, path, read, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

describe.skipIf(reason !== undefined)(title, () => {
  afterAll(() => removeParentGroup(cgroups, PARENT));

  test("hold exactly the processes that were put there, and leave nothing behind", async () => {
    {
      await using held = await inGroup("a");
      expect(held.group.processes()).toEqual([held.child.pid]);
      expect(listGroups(cgroups, PARENT)).toEqual(["a"]);
    }
    expect(listGroups(cgroups, PARENT)).toEqual([]);
  });

  test("take limits before the start and while running, lowered and raised", async () => {
    await using held = await inGroup("b", { memoryBytes: 64 * MB, memorySwapBytes: 64 * MB, pidsLimit: 20 });
    const file = cgroups.version === 1 ? "memory.limit_in_bytes" : "memory.max";
    expect(held.read("memory", file)).toBe(String(64 * MB));
    expect(held.read("pids", "pids.max")).toBe("20");
    for (const size of [32 * MB, 128 * MB, 16 * MB]) {
      held.group.update({ memoryBytes: size, memorySwapBytes: size, pidsLimit: 30, devices: [] });
      expect(held.read("memory", file)).toBe(String(size));
    }
    held.group.update({ memoryBytes: 256 * MB, memorySwapBytes: -1, devices: [] });
    expect(held.read("memory", file)).toBe(String(256 * MB));
    expect(held.read("pids", "pids.max")).toBe("30");
  });

  test("say which value the kernel refused", async () => {
    await using held = await inGroup("c", { cpusetCpus: "0" });
    expect(() => held.group.update({ cpusetCpus: "8191", devices: [] })).toThrow("cpuset.cpus");
  });

  test("stop all processes and wake them again", async () => {
    await using held = await inGroup("d");
    await held.group.freeze();
    expect(held.group.isFrozen()).toBe(true);
    held.group.thaw();
    expect(held.group.isFrozen()).toBe(false);
  });

  test("kill what is frozen", async () => {
    await using held = await inGroup("e");
    await held.group.freeze();
    held.group.kill();
    expect(await held.child.exited).toBe(137);
  });

  test("count memory, time and processes", async () => {
    await using held = await inGroup("f", { memoryBytes: 64 * MB, pidsLimit: 10 });
    const statistics = held.group.statistics(held.child.pid);
    expect(statistics).toMatchObject({ memoryLimit: 64 * MB, pidsCurrent: 1, pidsLimit: 10, networks: {} });
    expect(statistics.systemCpu).toBeGreaterThan(0n);
    expect(statistics.onlineCpus).toBeGreaterThan(0);
    expect(Object.keys(statistics.memory)).toContain("inactive_file");
    expect(held.group.oomKills()).toBe(0);
  });

  test("without processors of their own have those of the engine", async () => {
    await using held = await inGroup("g");
    const status = readFileSync(`/proc/${held.child.pid}/status`, "utf8");
    const own = readFileSync("/proc/self/status", "utf8");
    const allowed = (text: string) => /^Cpus_allowed_list:\s*(.*)$/m.exec(text)?.[1];
    expect(allowed(status)).toBe(allowed(own));
  });

  test("are found and removed when nobody remembers them", async () => {
    const path = groupPath("h", PARENT);
    prepareParentGroup(cgroups, path);
    for (const step of cgroupSteps(cgroups, { path, resources: { devices: DEFAULT_DEVICE_RULES } }))
      if (step.op === "cgroup") mkdirSync(step.path);
    expect(listGroups(cgroups, PARENT)).toEqual(["h"]);
    openGroup(cgroups, path).remove();
    expect(listGroups(cgroups, PARENT)).toEqual([]);
  });

  test.skipIf(cgroups.version !== 1)("of v1 deny devices by their parent's rules", async () => {
    await using held = await inGroup("i");
    const text = readFileSync(`/proc/${held.child.pid}/cgroup`, "utf8");
    expect(text).toContain(`devices:/${PARENT}/confined/i`);
    const top =
      cgroups.version === 1
        ? cgroups.hierarchies.find((one) => one.controllers.includes("devices"))?.mountpoint
        : "";
    const list = readFileSync(`${top}/${PARENT}/confined/i/devices.list`, "utf8");
    expect(list.split("\n").filter((line) => line.startsWith("a"))).toEqual([]);
    expect(list).toContain("c 1:3 rwm");
  });
});
