import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import type { ExecDriverKind, ExecRequest } from "#exec";
import { processStartTicks } from "#host";
import {
  ALL_STREAMS,
  type Box,
  collect,
  groupsNamed,
  openBox,
  readUntil,
} from "../fixtures/container-box.ts";
import { cannotRun, processSpec } from "../fixtures/runtime-spec.ts";

const SIGTERM = 15;
const SIGKILL = 9;
const SLEEP = ["sleep", "1000"] as const;

const command = (
  execId: string,
  args: readonly string[],
  changes: Partial<ExecRequest> = {},
): ExecRequest => ({
  execId,
  process: processSpec(args),
  stdin: false,
  privileged: false,
  ...changes,
});

/** What every way of running containers must do, whoever does it. */
export async function execDriverConformance(kind: ExecDriverKind): Promise<void> {
  const verdict = await kind.probe({ stateDirectory: "/run/bunker", cgroupParent: "bunker" });
  const reason = cannotRun ?? (verdict.usable ? undefined : verdict.reason);
  const title = reason === undefined ? kind.name : `${kind.name} (skipped: ${reason})`;
  describe.skipIf(reason !== undefined)(`exec driver ${title}`, () => {
    let box: Box;
    beforeAll(async () => {
      box = await openBox(kind);
    });
    afterAll(() => box[Symbol.asyncDispose]());
    suite(() => box);
  });
}

function suite(box: () => Box): void {
  endings(box);
  streams(box);
  commands(box);
  lives(box);
}

function endings(box: () => Box): void {
  test.each([
    ["exit 0", { code: 0 }],
    ["exit 7", { code: 7 }],
    ["kill -TERM $$; exit 1", { code: 1 }],
  ])("the exit of a first process is told: %s", async (script, expected) => {
    const { exit } = await box().run(["sh", "-c", script]);
    expect(exit).toMatchObject({ ...expected, outOfMemory: false });
    expect(exit.time).toBeGreaterThan(1_600_000_000_000_000_000n);
  });

  test("a signal that ends the first process is told as 128 and its number", async () => {
    const container = await box().start("signalled", SLEEP);
    await container.signal(SIGKILL);
    expect(await container.exited).toMatchObject({ code: 137, signal: 9 });
    await expect(container.signal(SIGTERM)).rejects.toMatchObject({ kind: "conflict" });
  });

  test.each([
    [["nosuch"], /executable file not found in \$PATH/],
    [["/nosuch"], /no such file or directory/],
    [["/etc/passwd"], /permission denied/],
    [["/bin"], /is a directory|permission denied/],
  ])("a program that cannot be run is refused in Docker's words: %p", async (args, words) => {
    const start = async () => {
      await using prepared = await box().prepare("unrunnable", args);
      await prepared.start();
    };
    await expect(start()).rejects.toThrow(words);
  });

  test("disposing what is prepared leaves neither process nor group", async () => {
    const prepared = await box().prepare("disposed", SLEEP);
    expect(groupsNamed(`${box().parent}/disposed`)).not.toBeEmpty();
    await prepared[Symbol.asyncDispose]();
    expect(processStartTicks(prepared.pid)).toBeUndefined();
    expect(groupsNamed(`${box().parent}/disposed`)).toBeEmpty();
  });

  test("an ended container leaves no group", async () => {
    const container = await box().start("ended", ["true"]);
    await container.exited;
    expect(groupsNamed(`${box().parent}/ended`)).toBeEmpty();
  });
}

function streams(box: () => Box): void {
  test("an attach before the start misses nothing, and streams are told apart", async () => {
    const { stdout, stderr } = await box().run(["sh", "-c", "echo out; echo err >&2"]);
    expect({ stdout, stderr }).toEqual({ stdout: "out\n", stderr: "err\n" });
  });

  test("the end of a client's writing is the end of the input, and the output still comes", async () => {
    const stdio = { openStdin: true, stdinOnce: true };
    await using prepared = await box().prepare("half-close", ["sh", "-c", "cat; echo done"], { stdio });
    const socket = await prepared.attach(ALL_STREAMS);
    await prepared.start();
    socket.end("hello\n");
    expect((await collect(socket)).stdout).toBe("hello\ndone\n");
  });

  test("without stdinOnce the input outlives its clients", async () => {
    const container = await box().start("many-clients", ["cat"], { stdio: { openStdin: true } });
    const first = await container.attach(ALL_STREAMS);
    first.write("one\n");
    await readUntil(first, (text) => text.includes("one"));
    first.destroy();
    const second = await container.attach(ALL_STREAMS);
    second.write("two\n");
    expect(await readUntil(second, (text) => text.includes("two"))).toContain("two\n");
    await container.signal(SIGKILL);
    await container.exited;
  });

  test("megabytes pass both ways unharmed", async () => {
    const stdio = { openStdin: true, stdinOnce: true };
    await using prepared = await box().prepare("bulk", ["cat"], { stdio });
    const socket = await prepared.attach(ALL_STREAMS);
    const container = await prepared.start();
    const sent = Buffer.alloc(8 << 20, "0123456789abcdef\n");
    const received = collect(socket);
    socket.end(sent);
    expect((await received).stdout).toBe(sent.toString("latin1"));
    expect(await container.exited).toMatchObject({ code: 0 });
  });

  test("a terminal has its size, can be resized, and is not framed", async () => {
    const stdio = { terminal: true, openStdin: true, consoleSize: { rows: 33, columns: 77 } };
    const script = "stty size; read line; stty size";
    const process = { terminal: true };
    await using prepared = await box().prepare("terminal", ["sh", "-c", script], { stdio, process });
    const socket = await prepared.attach(ALL_STREAMS);
    const container = await prepared.start();
    await readUntil(socket, (text) => text.includes("33 77\r\n"));
    await container.resize({ rows: 40, columns: 100 });
    socket.write("\n");
    await readUntil(socket, (text) => text.includes("40 100\r\n"));
    expect(await container.exited).toMatchObject({ code: 0 });
  });

  test("resizing what has no terminal is refused", async () => {
    const container = await box().start("no-terminal", SLEEP);
    await expect(container.resize({ rows: 1, columns: 1 })).rejects.toMatchObject({ kind: "conflict" });
    await container.signal(SIGKILL);
    await container.exited;
  });
}

function commands(box: () => Box): void {
  test("a command runs in the container's namespaces and tells its own exit", async () => {
    const container = await box().start("exec", SLEEP);
    await using prepared = await container.exec(
      command("one", ["sh", "-c", "hostname; cat; exit 5"], { stdin: true }),
    );
    const socket = await prepared.attach(ALL_STREAMS);
    const running = await prepared.start();
    socket.end("typed\n");
    expect((await collect(socket)).stdout).toBe("box\ntyped\n");
    expect(await running.exited).toMatchObject({ code: 5 });
    expect(container.pid).toBe((await container.processes())[0] ?? 0);
    await container.signal(SIGKILL);
    await container.exited;
  });

  test("a command ends with its container", async () => {
    const container = await box().start("exec-ends", SLEEP);
    await using prepared = await container.exec(command("two", SLEEP));
    const running = await prepared.start();
    expect(await container.processes()).toContain(prepared.pid);
    await container.signal(SIGKILL);
    expect(await running.exited).toMatchObject({ code: 137 });
  });

  test("a command that cannot be run is refused, and one in an ended container too", async () => {
    const container = await box().start("exec-refused", SLEEP);
    await using prepared = await container.exec(command("three", ["nosuch"]));
    await expect(prepared.start()).rejects.toThrow(/executable file not found in \$PATH/);
    await container.signal(SIGKILL);
    await container.exited;
    await expect(container.exec(command("four", ["true"]))).rejects.toMatchObject({ kind: "conflict" });
  });

  test("a command can have a terminal", async () => {
    const container = await box().start("exec-terminal", SLEEP);
    const request = command("five", ["sh", "-c", "tty; stty size"], {
      consoleSize: { rows: 5, columns: 50 },
    });
    const process = { ...request.process, terminal: true };
    await using prepared = await container.exec({ ...request, process });
    const socket = await prepared.attach(ALL_STREAMS);
    await prepared.start();
    expect((await collect(socket, true)).stdout).toMatch(/^\/dev\/pts\/\d+\r\n5 50\r\n$/);
    await container.signal(SIGKILL);
    await container.exited;
  });
}

function lives(box: () => Box): void {
  test("a paused container is known as paused and does not run", async () => {
    const container = await box().start("paused", SLEEP);
    await container.pause();
    expect(await container.isPaused()).toBe(true);
    await container.resume();
    expect(await container.isPaused()).toBe(false);
    await container.signal(SIGKILL);
    expect(await container.exited).toMatchObject({ code: 137 });
  });

  test("a driver that is opened anew finds what runs, what has ended and what is lost", async () => {
    const script = 'trap "exit 3" TERM; echo ready; while :; do sleep 0.01; done';
    await using prepared = await box().prepare("found", ["sh", "-c", script]);
    const ready = readUntil(await prepared.attach(ALL_STREAMS), (text) => text.includes("ready"));
    await prepared.start();
    await ready;
    const again = await box().reopen();
    const found = await again.find("found");
    if (found.state !== "running") throw new Error(`The container is ${found.state}`);
    await found.container.signal(SIGTERM);
    expect(await found.container.exited).toMatchObject({ code: 3 });
    expect(await again.find("found")).toMatchObject({ state: "ended", exit: { code: 3 } });
    await again.forget("found");
    expect(await again.find("found")).toEqual({ state: "lost" });
  });

  test("a sweep ends and removes what nobody knows, and nothing else", async () => {
    const known = await box().start("known", SLEEP);
    const stranger = await box().start("stranger", SLEEP);
    expect(await box().driver.sweep(new Set(["known"]))).toContain("stranger");
    expect(await stranger.exited).toMatchObject({ code: 137 });
    expect(groupsNamed(`${box().parent}/stranger`)).toBeEmpty();
    expect(existsSync(`/proc/${known.pid}`)).toBe(true);
    await known.signal(SIGKILL);
    await known.exited;
  });
}
