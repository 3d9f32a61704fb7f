import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { processStartTicks } from "#host";
import { HostPart, PATIENCE, until } from "../fixtures/host-part.ts";
import { requirePackages } from "../fixtures/packages.ts";

/** Debian's, under a name of its own and under Docker's. */
const RUNC = "/usr/sbin/runc";
const RUNTIMES = ["--add-runtime", `other=${RUNC}`, "--add-runtime", "gone=/nosuch/runtime"];
let part: HostPart;

beforeAll(async () => {
  await requirePackages(["runc"]);
  part = await HostPart.openWith(RUNTIMES, "busybox");
}, PATIENCE);
afterAll(async () => {
  await part?.[Symbol.asyncDispose]();
}, PATIENCE);

const sh = (script: string) => ["sh", "-c", script];
const OTHER = { Runtime: "other" };
const supervisorOf = (pid: number) =>
  Number(/^PPid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);

test(
  "a container of an OCI runtime has what its settings ask for, and its own exit",
  async () => {
    const script =
      "id -u; id -g; hostname; cat /proc/sys/net/ipv4/ping_group_range; grep CapEff /proc/self/status; echo $HOME; echo err >&2; exit 5";
    const settings = { User: "1000:10", Hostname: "box" };
    const theirs = await part.run(sh(script), { ...OTHER, CapDrop: ["ALL"] }, settings);
    const ours = await part.run(sh(script), { CapDrop: ["ALL"] }, settings);
    expect(theirs).toEqual(ours);
    expect(theirs).toMatchObject({ code: 5, stderr: "err\n", isOomKilled: false });
    expect(theirs.stdout).toMatch(/^1000\n10\nbox\n0\t2147483647\nCapEff:\t0{16}\n/);
  },
  PATIENCE,
);

test(
  "limits are the kernel's, and pause, update, exec, stats and kill reach it",
  async () => {
    const limits = { ...OTHER, Memory: 64 << 20, PidsLimit: 50 };
    const { id, pid } = await part.start(["sleep", "600"], limits);
    expect(await part.ask("GET", `/containers/${id}/json`)).toMatchObject({
      HostConfig: { Runtime: "other" },
    });
    const stats = await part.ask<{ memory_stats: { limit: number }; pids_stats: { limit: number } }>(
      "GET",
      `/containers/${id}/stats?stream=0&one-shot=1`,
    );
    expect(stats).toMatchObject({ memory_stats: { limit: 64 << 20 }, pids_stats: { limit: 50 } });
    await part.ask("POST", `/containers/${id}/update`, { Memory: 128 << 20, MemorySwap: 256 << 20 });
    await part.ask("POST", `/containers/${id}/pause`);
    expect((await part.inspect(id)).State).toMatchObject({ Status: "paused", Pid: pid });
    await part.ask("POST", `/containers/${id}/unpause`);
    expect(await part.exec(id, sh("pwd; exit 3"), { WorkingDir: "/tmp" })).toMatchObject({
      code: 3,
      stdout: "/tmp\n",
    });
    expect(await part.exec(id, ["nosuch"])).toMatchObject({ code: 127 });
    await part.ask("POST", `/containers/${id}/kill?signal=KILL`);
    expect((await part.ask<{ StatusCode: number }>("POST", `/containers/${id}/wait`)).StatusCode).toBe(137);
    await part.remove(id);
  },
  PATIENCE,
);

test(
  "it outlives the daemon, which finds it again, also when the runtime is not among the settings any more",
  async () => {
    const { id, pid } = await part.start(
      sh("trap 'exit 4' TERM; echo ready; while :; do sleep 0.05; done"),
      OTHER,
    );
    await until(
      () => part.logs(id),
      ({ stdout }) => stdout === "ready\n",
    );
    await part.daemon.kill();
    await part.daemon.start(["--add-runtime", "more=/nosuch/either"]);
    expect((await part.inspect(id)).State).toMatchObject({ Status: "running", Pid: pid });
    await part.ask("POST", `/containers/${id}/stop`);
    expect((await part.inspect(id)).State).toMatchObject({ Status: "exited", ExitCode: 4 });
    const again = await part.daemon.request("POST", `/containers/${id}/start`);
    expect(await again.text()).toContain("unknown or invalid runtime name: other");
    expect(again.status).toBe(400);
    await part.remove(id);
    await part.daemon.kill();
    await part.daemon.start(RUNTIMES);
  },
  PATIENCE,
);

test(
  "a supervisor that is killed takes its container along, and nothing is left of either",
  async () => {
    const { id, pid } = await part.start(["sleep", "600"], OTHER);
    process.kill(supervisorOf(pid), "SIGKILL");
    await until(
      () => part.inspect(id),
      ({ State }) => State.Status === "exited",
    );
    expect(processStartTicks(pid)).toBeUndefined();
    expect((await part.inspect(id)).State.ExitCode).toBe(137);
    await part.remove(id);
    const runtimes = `${part.daemon.execRoot}/runtimes/other`;
    expect([...readdirSync(`${runtimes}/state`), ...readdirSync(`${runtimes}/containers`)]).toEqual([]);
    expect(existsSync(`/sys/fs/cgroup/pids/${part.daemon.cgroupParent}/${id}`)).toBe(false);
  },
  PATIENCE,
);

test(
  "what cannot be is refused by name",
  async () => {
    const create = (HostConfig: object) =>
      part.daemon.request("POST", "/containers/create", { Image: "busybox", Cmd: ["true"], HostConfig });
    const unknown = await create({ Runtime: "nosuch" });
    expect(unknown.status).toBe(400);
    expect(await unknown.text()).toContain("unknown or invalid runtime name: nosuch");
    await expect(part.start(["true"], { ...OTHER, Init: true })).rejects.toThrow(/501.*own init.*init-path/);
    await expect(part.start(["true"], { Runtime: "gone" })).rejects.toThrow(
      /\/nosuch\/runtime is not an installed/,
    );
    await expect(part.start(["nosuch"], OTHER)).rejects.toThrow(/400.*executable file not found in \$PATH/);
    const info = await part.ask<{ Runtimes: object; DefaultRuntime: string }>("GET", "/info");
    expect(info).toMatchObject({ Runtimes: { native: {}, other: { path: RUNC } }, DefaultRuntime: "native" });
  },
  PATIENCE,
);
