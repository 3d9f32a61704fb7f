import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import type { ExecDriver, RunningContainer } from "#exec";
import {
  type CAPABILITIES,
  DEFAULT_CAPABILITIES,
  detectCgroups,
  type RuntimeSpec,
  removeParentGroup,
} from "#libcontainer";
import { nativeKind } from "../../src/exec/native.ts";
import { bindRoot, cannotRun, makeBusyboxRoot, processSpec, runtimeSpec } from "../fixtures/runtime-spec.ts";

const PARENT = `confinement-test-${process.pid}`;
const compiler = Bun.which("musl-gcc") ?? Bun.which("cc");
const reason = cannotRun ?? (compiler === null ? "needs a C compiler" : undefined);
const title = (name: string) => (reason === undefined ? name : `${name} (skipped: ${reason})`);

let directory: string;
let driver: ExecDriver;

beforeAll(async () => {
  if (reason !== undefined || compiler === null) return;
  directory = mkdtempSync(`${tmpdir()}/confinement-`);
  mkdirSync(`${directory}/root`);
  makeBusyboxRoot(`${directory}/root`);
  const source = `${import.meta.dir}/../fixtures/syscalls.c`;
  const built = Bun.spawnSync([compiler, "-static", "-O1", "-o", `${directory}/root/bin/syscalls`, source]);
  if (built.exitCode !== 0) throw new Error(built.stderr.toString());
  driver = await nativeKind.open({ stateDirectory: `${directory}/run`, cgroupParent: PARENT });
});

afterAll(async () => {
  if (directory === undefined) return;
  await driver.sweep(new Set());
  removeParentGroup(detectCgroups(), PARENT);
  rmSync(directory, { recursive: true, force: true });
});

async function launch(
  id: string,
  args: readonly string[],
  change: (spec: RuntimeSpec) => RuntimeSpec = (spec) => spec,
) {
  const spec = change(runtimeSpec(id, bindRoot(`${directory}/root`), { process: processSpec(args) }));
  await using prepared = await driver.prepare({
    id,
    spec: { ...spec, linux: { ...spec.linux, cgroupsPath: id } },
    host: { links: [], ports: [] },
    stdio: {
      terminal: false,
      openStdin: false,
      stdinOnce: false,
      log: [{ kind: "json-file", path: `${directory}/${id}.log`, maxFiles: 1 }],
    },
  });
  return await prepared.start();
}

async function outputOf(container: RunningContainer): Promise<string> {
  await container.exited;
  const lines = (await Bun.file(`${directory}/${container.id}.log`).text()).trim().split("\n");
  return lines
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line).log as string)
    .join("");
}

async function calls(
  id: string,
  change?: (spec: RuntimeSpec) => RuntimeSpec,
): Promise<Record<string, string>> {
  const text = await outputOf(await launch(id, ["/bin/syscalls"], change));
  return Object.fromEntries(
    text
      .trim()
      .split("\n")
      .map((line) => line.split(" ")),
  );
}

const withCapabilities = (capabilities: typeof CAPABILITIES) => (spec: RuntimeSpec) => {
  const { seccomp, ...linux } = runtimeSpec("x", spec.root.mount, {
    process: { ...spec.process, capabilities },
  }).linux;
  return {
    ...spec,
    process: { ...spec.process, capabilities },
    linux: { ...linux, ...(seccomp && { seccomp }) },
  };
};

describe.skipIf(reason !== undefined)(title("the default filter, in a container (A11, A12)"), () => {
  test("refuses what it must by every door, and nothing else", async () => {
    const { i386, "x32-keyctl": x32, ...answers } = await calls("default");
    const refused =
      "socket-alg socket-vsock socket-alg-with-high-bits clone-new-user unshare setns keyctl add_key bpf mount io_uring_setup userfaultfd open_by_handle_at perf_event_open";
    for (const name of refused.split(" ")) expect([name, answers[name]]).toEqual([name, "EPERM"]);
    expect(answers).toMatchObject({ "socket-inet": "done", clone3: "ENOSYS", "from-the-future": "ENOSYS" });
    for (const name of [
      "x32-socket-alg",
      "i386-keyctl",
      "i386-socket-alg",
      "i386-socket-vsock",
      "i386-mount",
    ])
      expect(["EPERM", undefined]).toContain(answers[name]);
    expect(["EPERM", undefined]).toContain(x32);
    expect(["ENOSYS", undefined]).toContain(answers["i386-clone3"]);
  });

  test("opens a group of calls with its capability", async () => {
    const answers = await calls("admin", withCapabilities([...DEFAULT_CAPABILITIES, "CAP_SYS_ADMIN"]));
    expect(answers).toMatchObject({
      clone3: "other",
      mount: "other",
      bpf: "other",
      keyctl: "EPERM",
      "socket-alg": "EPERM",
    });
  });
});

describe.skipIf(reason !== undefined)(title("devices, in a container (A14)"), () => {
  const script = `mknod /tmp/d c 10 229; mknod /tmp/m c 1 1; mknod /tmp/k c 1 11; mknod /tmp/l b 7 0
for d in d m k l; do cat /tmp/$d >/tmp/out 2>&1; tail -c 24 /tmp/out; done; head -c 1 /dev/zero | wc -c; head -c 1 /dev/urandom | wc -c`;

  test("can be made and not opened, except those listed", async () => {
    const tmp = { destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["dev"] };
    const container = await launch("devices", ["sh", "-c", script], (spec) => ({
      ...spec,
      mounts: [...spec.mounts, tmp],
    }));
    const refusal = "Operation not permitted\n";
    expect(await outputOf(container)).toBe(`${refusal.repeat(4)}1\n1\n`);
  });
});

describe.skipIf(reason !== undefined)(title("shared memory of two containers"), () => {
  test("is one place when one joins the other", async () => {
    await using stack = new AsyncDisposableStack();
    const first = await launch("donor", ["sh", "-c", "exec sleep 600"]);
    stack.defer(async () => {
      await first.signalAll(9);
      await first.exited;
    });
    await using writer = await first.exec({
      execId: "writer",
      process: processSpec(["sh", "-c", "echo shared > /dev/shm/x"]),
      stdin: false,
      privileged: false,
    });
    expect((await (await writer.start()).exited).code).toBe(0);
    const shm = {
      destination: "/dev/shm",
      type: "bind",
      source: `/proc/${first.pid}/root/dev/shm`,
      options: ["rbind", "rprivate"],
    };
    const second = await launch("guest", ["cat", "/dev/shm/x"], (spec) => ({
      ...spec,
      mounts: [...spec.mounts.filter(({ destination }) => destination !== "/dev/shm"), shm],
    }));
    expect(await outputOf(second)).toBe("shared\n");
  });
});
