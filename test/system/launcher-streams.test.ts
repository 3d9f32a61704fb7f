import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { ALL_STREAMS, type Box, jsonLog, openBox, readUntil } from "../fixtures/container-box.ts";
import { cannotRun } from "../fixtures/runtime-spec.ts";

const missing = cannotRun ?? (Bun.which("python3") === null ? "needs python3" : undefined);
const reason = missing === undefined ? "" : ` (skipped: ${missing})`;
const SIGKILL = 9;
/** More than a pipe, a socket and the supervisor take from somebody whose words nobody reads. */
const TOO_MUCH = 4 << 20;

let box: Box;

function supervisorOf(id: string): number {
  return Number(readFileSync(`${box.path}/run/containers/${id}/pid`, "utf8").split(" ")[0]);
}

/** Clock ticks on a processor. Source: proc(5), /proc/PID/stat, fields 14 and 15. */
function processorTicks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

/** A client of a container's output that reads nothing until it is told to, and then says how much there was. */
const LAZY = `
import socket, sys
lazy = socket.socket(socket.AF_UNIX)
lazy.connect(sys.argv[1])
lazy.sendall(b"A\\6\\0\\0\\0\\0\\0\\0")
print("there", flush=True)
sys.stdin.readline()
print(sum(iter(lambda: len(lazy.recv(65536)), 0)), flush=True)
`;

/** Settles when the client is there; the number is what it read once it was asked for. */
async function lazyClient(id: string): Promise<{ read(): Promise<number>; leave(): Promise<void> }> {
  const child = Bun.spawn(["python3", "-c", LAZY, `${box.path}/run/containers/${id}/attach.sock`], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  const reader = child.stdout.getReader();
  const line = async (said = ""): Promise<string> => {
    const { value, done } = await reader.read();
    const text = said + Buffer.from(value ?? []).toString();
    return done || text.endsWith("\n") ? text.trim() : line(text);
  };
  expect(await line()).toBe("there");
  return {
    async read() {
      child.stdin.write("now\n");
      child.stdin.flush();
      return Number(await line());
    },
    async leave() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

/** Settles when a file says the same as a moment ago: whoever writes it is held back. */
async function settled(path: string): Promise<string> {
  for (let before = ""; ; ) {
    const now = readFileSync(path, "utf8");
    if (now !== "" && now === before) return now.trim();
    before = now;
    await box.run(["sleep", "0.3"]);
  }
}

/** A small file system of its own for a log; unmounted when it is disposed. */
function smallDisk(name: string, options: string): Disposable & { readonly path: string } {
  const path = `${box.path}/${name}`;
  mkdirSync(path);
  expect(Bun.spawnSync(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path]).exitCode).toBe(0);
  return { path, [Symbol.dispose]: () => void Bun.spawnSync(["umount", "-l", path]) };
}

const logLines = (path: string): readonly string[] =>
  readFileSync(path, "utf8")
    .split("\n")
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as { readonly log: string }).log);

describe.skipIf(missing !== undefined)(`a supervisor${reason}`, () => {
  beforeAll(async () => {
    box = await openBox();
  });
  afterAll(() => box[Symbol.asyncDispose]());

  test("sleeps while a client that has vanished is still to be heard", async () => {
    const container = await box.start("vanished", ["sleep", "1000"], {
      stdio: { openStdin: true, stdinOnce: true },
    });
    const socket = await container.attach(ALL_STREAMS);
    socket.write(Buffer.alloc(TOO_MUCH, "x"));
    await box.run(["sleep", "0.3"]);
    socket.destroy();
    const supervisor = supervisorOf("vanished");
    const before = processorTicks(supervisor);
    await box.run(["sleep", "1"]);
    const ticks = processorTicks(supervisor) - before;
    await container.signal(SIGKILL);
    await container.exited;
    expect(ticks).toBeLessThan(10);
  });

  test("logs what an ended container left in its pipe, although a client does not read", async () => {
    const path = `${box.path}/unread.log`;
    const log = jsonLog(path);
    const line = "x".repeat(1000);
    const script = `i=0; while :; do i=$((i+1)); echo ${line} $i; echo $i > /count; done`;
    writeFileSync(`${box.root}/count`, "");
    await using prepared = await box.prepare("unread", ["sh", "-c", script], { stdio: { log } });
    const client = await lazyClient("unread");
    const container = await prepared.start();
    await settled(`${box.root}/count`);
    await container.signal(SIGKILL);
    await container.exited;
    await client.leave();
    const written = Number(readFileSync(`${box.root}/count`, "utf8"));
    const logged = logLines(path).map((text) => Number(text.split(" ")[1]));
    expect(logged.at(-1)).toBeGreaterThanOrEqual(written);
  }, 60_000);

  test("gives a client all that is queued for it after the end", async () => {
    const script = "head -c 900000 /dev/zero | tr '\\0' x";
    await using prepared = await box.prepare("late", ["sh", "-c", script]);
    const client = await lazyClient("late");
    const container = await prepared.start();
    await container.exited;
    await box.driver.forget("late");
    expect(await client.read()).toBeGreaterThan(900_000);
    await client.leave();
  });

  test("a full disk costs lines and nothing else, and what fits again is whole", async () => {
    using disk = smallDisk("full", "size=128k");
    const path = `${disk.path}/log`;
    const log = jsonLog(path);
    writeFileSync(`${disk.path}/ballast`, Buffer.alloc(64 << 10));
    const script = `i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo ${"x".repeat(1000)}; done; echo full >&2; read go; echo after`;
    await using prepared = await box.prepare("full", ["sh", "-c", script], {
      stdio: { log, openStdin: true, stdinOnce: true },
    });
    const socket = await prepared.attach(ALL_STREAMS);
    const full = readUntil(socket, (text) => text.includes("full\n"));
    const container = await prepared.start();
    await full;
    rmSync(`${disk.path}/ballast`);
    socket.write("go\n");
    socket.resume();
    expect((await container.exited).code).toBe(0);
    const lines = logLines(path);
    expect(lines.length).toBeLessThan(400);
    expect(lines.at(-1)).toBe("after\n");
    expect(lines.filter((line) => line !== `${"x".repeat(1000)}\n`)).not.toContainEqual(
      expect.stringMatching(/x/),
    );
  });

  test("a log that cannot be begun anew keeps what was there", async () => {
    using disk = smallDisk("inodes", "size=1m,nr_inodes=2");
    const path = `${disk.path}/log`;
    const log = jsonLog(path, { maxFiles: 3, maxBytes: 20_000 });
    const script = `i=0; while [ $i -lt 100 ]; do i=$((i+1)); echo ${"x".repeat(1000)}; done`;
    const { exit } = await box.run(["sh", "-c", script], { stdio: { log } });
    expect(exit.code).toBe(0);
    expect(readdirSync(disk.path)).toEqual(["log.1"]);
  });
});
