import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { processStartTicks } from "#host";
import type { Step } from "#libcontainer";
import { launch } from "../../src/libcontainer/launch.ts";
import { ALL_STREAMS, type Box, groupsNamed, openBox, readUntil } from "../fixtures/container-box.ts";
import { bindRoot, cannotRun } from "../fixtures/runtime-spec.ts";

const reason = cannotRun === undefined ? "" : ` (skipped: ${cannotRun})`;
const SIGKILL = 9;

let box: Box;

/** The supervisor of a container, from what it wrote about itself. */
function supervisorOf(id: string): number {
  return Number(readFileSync(`${box.path}/run/containers/${id}/pid`, "utf8").split(" ")[0]);
}

/** Settles when the process has gone: its descriptor in /proc is looked at, there is no event to await. */
async function gone(pid: number): Promise<void> {
  while (processStartTicks(pid) !== undefined) await Bun.sleep(1);
}

function stateOf(id: string): readonly string[] {
  const directory = `${box.path}/run/containers/${id}`;
  return existsSync(directory) ? readdirSync(directory) : [];
}

describe.skipIf(cannotRun !== undefined)(`what a launcher made${reason}`, () => {
  beforeAll(async () => {
    box = await openBox();
  });
  afterAll(() => box[Symbol.asyncDispose]());

  test("is gone when its parent is killed before the start", async () => {
    const script = `
      import { openBox } from ${JSON.stringify(`${import.meta.dir}/../fixtures/container-box.ts`)};
      const box = await openBox();
      const prepared = await box.prepare("orphan", ["sleep", "1000"]);
      console.log(JSON.stringify({ pid: prepared.pid, parent: box.parent, path: box.path }));
      await new Promise(() => setInterval(() => {}, 1000));`;
    const parent = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "inherit" });
    const { value } = await parent.stdout.getReader().read();
    const told = JSON.parse(Buffer.from(value ?? []).toString()) as Record<"pid" | "parent" | "path", string>;
    const supervisor = Number(readFileSync(`${told.path}/run/containers/orphan/pid`, "utf8").split(" ")[0]);
    parent.kill("SIGKILL");
    await parent.exited;
    await gone(supervisor);
    expect(processStartTicks(Number(told.pid))).toBeUndefined();
    expect(groupsNamed(`${told.parent}/orphan`)).toBeEmpty();
    expect(readdirSync(`${told.path}/run/containers/orphan`)).toEqual([]);
    for (const group of groupsNamed(told.parent))
      Bun.spawnSync(["find", group, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+"]);
    Bun.spawnSync(["rm", "-rf", told.path]);
  });

  test("is gone when the request is cancelled meanwhile", async () => {
    const controller = new AbortController();
    const preparing = box.prepare("cancelled", ["true"], { signal: controller.signal });
    controller.abort();
    await expect(preparing).rejects.toThrow(/abort/i);
    expect(groupsNamed(`${box.parent}/cancelled`)).toBeEmpty();
    expect(stateOf("cancelled")).toEqual([]);
  });

  test("dies with its supervisor, and the container's end is told", async () => {
    const container = await box.start("unsupervised", ["sleep", "1000"]);
    process.kill(supervisorOf("unsupervised"), "SIGKILL");
    expect(await container.exited).toMatchObject({ code: 137, signal: SIGKILL });
    expect(processStartTicks(container.pid)).toBeUndefined();
    expect(groupsNamed(`${box.parent}/unsupervised`)).toBeEmpty();
    expect(await (await box.reopen()).find("unsupervised")).toEqual({ state: "lost" });
  });

  test("dies with its supervisor although it has no pid namespace of its own", async () => {
    const namespaces = (["mnt", "net", "ipc", "uts"] as const).map((type) => ({ type }));
    const script = "sleep 1000 & echo ready; wait";
    await using prepared = await box.prepare("hosts-pids", ["sh", "-c", script], { linux: { namespaces } });
    const ready = readUntil(await prepared.attach(ALL_STREAMS), (text) => text.includes("ready"));
    const container = await prepared.start();
    await ready;
    const pids = await container.processes();
    expect(pids.length).toBe(2);
    process.kill(supervisorOf("hosts-pids"), "SIGKILL");
    await container.exited;
    for (const pid of pids) expect(processStartTicks(pid)).toBeUndefined();
  });

  test("is found and removed when the supervisor was killed while it still made things", async () => {
    const state = `${box.path}/run/containers/half-made`;
    const group = `/sys/fs/cgroup/${existsSync("/sys/fs/cgroup/pids") ? "pids/" : ""}${box.parent}/half-made`;
    const settings = { socketName: "attach.sock", pidFileName: "pid", terminal: false } as const;
    Bun.spawnSync(["mkdir", "-p", state]);
    Bun.spawnSync(["mkfifo", `${box.path}/never-read`]);
    const plan: Step[] = [
      { op: "cgroup", path: group },
      { op: "write", path: `${box.path}/never-read`, value: "1" },
      { op: "clone", namespaces: ["pid"] },
    ];
    const launching = launch(
      { settings: { ...settings, stateDirectory: state, openStdin: false, stdinOnce: false }, plan },
      { label: "half-made" },
    ).catch((thrown: unknown) => thrown);
    while (!existsSync(group)) await Bun.sleep(1);
    process.kill(supervisorOf("half-made"), "SIGKILL");
    expect(await launching).toBeInstanceOf(Error);
    expect(existsSync(group)).toBe(true);
    expect(await (await box.reopen()).find("half-made")).toEqual({ state: "lost" });
    expect(existsSync(group)).toBe(false);
  });

  test("is found gone by a daemon that comes after both were killed", async () => {
    const container = await box.start("both-gone", ["sleep", "1000"]);
    const supervisor = supervisorOf("both-gone");
    process.kill(supervisor, "SIGKILL");
    await container.exited;
    const again = await box.reopen();
    expect(await again.find("both-gone")).toEqual({ state: "lost" });
    await again.forget("both-gone");
    expect(existsSync(`${box.path}/run/containers/both-gone`)).toBe(false);
  });

  const FAILING: readonly (readonly [string, Step])[] = [
    ["write", { op: "write", path: "/sys/fs/cgroup/no/such/file", value: "1" }],
    ["join", { op: "join", namespace: "net", path: "/no/such/namespace" }],
    ["mount", { op: "mount", type: "nosuchfs", source: "x", target: "/mnt", flags: 0, data: "" }],
    [
      "bind",
      {
        op: "bind",
        source: "/no/such/source",
        target: "/mnt",
        recursive: true,
        readonly: false,
        recursiveReadonly: false,
        flags: 0,
        propagation: 0,
        subpath: "",
        owners: { uid: "", gid: "" },
      },
    ],
    ["sysctl", { op: "sysctl", key: "net.no.such", value: "1" }],
    ["seccomp", { op: "seccomp", program: Uint8Array.of(1, 2, 3), flags: 0 }],
    ["user", { op: "user", user: "nobody-known", groups: [] }],
  ];

  test.each(FAILING)("is undone when step %s fails, and the step is named", async (name, step) => {
    const group = `/sys/fs/cgroup/${existsSync("/sys/fs/cgroup/pids") ? "pids/" : ""}${box.parent}/failing`;
    const host: Step[] = [
      { op: "cgroup", path: group },
      { op: "cgroup-join", path: group },
    ];
    const clone: Step = { op: "clone", namespaces: ["mnt", "pid", "net"] };
    const root: Step = { op: "root", mount: bindRoot(box.root), readonly: false };
    const exec: Step = { op: "exec", args: ["true"], env: ["PATH=/bin"], init: false };
    const isHost = name === "write" || name === "join";
    const plan = isHost ? [...host, step, clone, root, exec] : [...host, clone, root, step, exec];
    const state = `${box.path}/state-${name}`;
    Bun.spawnSync(["mkdir", state]);
    const settings = {
      stateDirectory: state,
      socketName: "s",
      pidFileName: "pid",
      terminal: false,
      openStdin: false,
      stdinOnce: false,
    };
    const start = async () => {
      await using launched = await launch({ settings, plan }, { label: "failing" });
      await launched.start();
    };
    const words =
      name === "user" ? /nobody-known/ : name === "seccomp" ? /seccomp/ : /no\/such|nosuchfs|net\.no\.such/;
    await expect(start()).rejects.toThrow(words);
    expect(existsSync(group)).toBe(false);
    expect(readdirSync(state)).toEqual([]);
  });

  test("reserves ports until the container ends, and says which is taken", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const port = (server.address() as { readonly port: number }).port;
    const ports = [{ family: 4, protocol: "tcp", address: "127.0.0.1", port } as const];
    await expect(box.prepare("ports", ["true"], { host: { ports } })).rejects.toThrow(
      `127.0.0.1:${port} failed: port is already allocated`,
    );
    await new Promise((resolve) => server.close(resolve));
    const container = await box.start("ports", ["sleep", "1000"], { host: { ports } });
    await expect(box.prepare("ports-too", ["true"], { host: { ports } })).rejects.toThrow(
      /already allocated/,
    );
    await container.signal(SIGKILL);
    await container.exited;
    expect((await box.run(["true"], { host: { ports } })).exit.code).toBe(0);
  });

  test("a state directory whose path is longer than a socket's may be", async () => {
    const id = `long${"x".repeat(120)}`;
    const container = await box.start(id, ["cat"], { stdio: { openStdin: true } });
    const socket = await container.attach(ALL_STREAMS);
    socket.write("hello\n");
    expect(await readUntil(socket, (text) => text.includes("hello"))).toContain("hello\n");
    await container.signal(SIGKILL);
    await container.exited;
    expect(stateOf(id)).toEqual(["exit"]);
  });

  test("a process that took the pid of an ended container is left alone", async () => {
    const container = await box.start("recycled", ["true"]);
    await container.exited;
    const innocent = Bun.spawn(["sleep", "1000"]);
    try {
      Object.defineProperty(container, "pid", { value: innocent.pid });
      await expect(container.signal(SIGKILL)).rejects.toMatchObject({ kind: "conflict" });
      expect(processStartTicks(innocent.pid)).toBeDefined();
    } finally {
      innocent.kill("SIGKILL");
      await innocent.exited;
    }
  });
});
