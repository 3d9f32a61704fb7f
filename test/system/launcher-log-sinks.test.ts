import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { gunzipSync } from "node:zlib";
import { type LogLocation, type LogQuery, localAttributes, readLog } from "#container";
import type { LogFile, LogSink, LogSocket } from "#libcontainer";
import { inetAddress, unixAddress } from "../../src/jobs/container/log/socket-address.ts";
import { ALL_STREAMS, type Box, openBox } from "../fixtures/container-box.ts";
import { listenForDatagrams } from "../fixtures/datagrams.ts";
import { requirePackages } from "../fixtures/packages.ts";
import { cannotRun } from "../fixtures/runtime-spec.ts";

const reason = cannotRun === undefined ? "" : ` (skipped: ${cannotRun})`;
const PIECE = 16384;
const TELL = { stdout: true, stderr: true, tty: true, timestamps: false, details: false };
const counting = (count: number) => `i=0; while [ $i -lt ${count} ]; do echo line $i; i=$((i+1)); done`;
const counted = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => `line ${from + index}\n`).join("");

let box: Box;
let logs = 0;

async function run(script: string, log: readonly LogSink[]): Promise<void> {
  const { exit } = await box.run(["sh", "-c", script], { stdio: { log } });
  expect(exit.code).toBe(0);
}

async function told(location: LogLocation, query: Partial<LogQuery> = {}): Promise<string> {
  const pieces = await Array.fromAsync(readLog(location, { ...TELL, ...query }));
  return Buffer.concat(pieces).toString();
}

function file(kind: LogFile["kind"], more: Partial<LogFile> = {}): LogFile & LogLocation {
  return { kind, format: kind, path: `${box.path}/sink${logs++}`, maxFiles: 1, ...more };
}

function syslog(type: LogSocket["type"], address: Uint8Array, more: Partial<LogSocket> = {}): LogSocket {
  return {
    kind: "syslog",
    type,
    address,
    bufferBytes: 1 << 20,
    isBlocking: true,
    heads: { stdout: Buffer.from("<30>"), stderr: Buffer.from("<27>") },
    stamp: "short",
    tail: " tag[7]: ",
    ...more,
  };
}

describe.skipIf(cannotRun !== undefined)(`a supervisor's log${reason}`, () => {
  beforeAll(async () => {
    await requirePackages(["python3-minimal"]);
    box = await openBox();
  }, 600_000);
  afterAll(() => box[Symbol.asyncDispose]());

  test("in Docker's local format is told as it was said, long lines and half ones too", async () => {
    const log = file("local", { attributes: localAttributes({ tier: "web", zone: "a b" }) });
    const long = `head -c ${2 * PIECE + 5} /dev/zero | tr '\\0' x; echo; printf rest`;
    await run("echo zero >&2", [log]);
    await run(`echo one; ${long}`, [log]);
    const expected = `one\n${"x".repeat(2 * PIECE + 5)}\nrest`;
    expect(await told(log, { stderr: false })).toBe(expected);
    expect(await told(log, { stdout: false, details: true })).toBe("tier=web,zone=a%20b zero\n");
    expect(await told(log, { tail: 2 })).toBe(expected.slice(4));
    expect(await told(log, { timestamps: true, tail: 1 })).toMatch(/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{9}Z rest$/);
  });

  test("in json has the attributes where Docker has them", async () => {
    const log = file("json-file", { attributes: Buffer.from('{"a":"b"}') });
    await run("echo hi", [log]);
    expect(readFileSync(log.path, "utf8")).toMatch(
      /^\{"log":"hi\\n","stream":"stdout","attrs":\{"a":"b"\},"time":"[^"]+"\}\n$/,
    );
    expect(await told(log, { details: true })).toBe("a=b hi\n");
  });

  test.each([
    ["json-file", Buffer.from(JSON.stringify({ a: "b".repeat(300_000) }))],
    ["local", localAttributes({ a: "b".repeat(300_000) })],
  ] as const)("in %s has room for attributes of any size with each entry", async (kind, attributes) => {
    const log = file(kind, { attributes });
    await run("seq 8", [log]);
    expect(await told(log)).toBe("1\n2\n3\n4\n5\n6\n7\n8\n");
  });

  test.each(["json-file", "local"] as const)(
    "in %s is packed when it is rotated, and told whole",
    async (kind) => {
      const log = file(kind, { maxBytes: 20_000, maxFiles: 50, compress: true });
      await run(counting(3000), [log]);
      const packed = readdirSync(box.path).filter((name) => `${box.path}/${name}`.startsWith(`${log.path}.`));
      expect(packed.length).toBeGreaterThan(3);
      expect(packed.filter((name) => !name.endsWith(".gz"))).toEqual([]);
      expect(gunzipSync(readFileSync(`${log.path}.2.gz`)).length).toBeGreaterThanOrEqual(20_000);
      expect(await told(log)).toBe(counted(0, 3000));
      expect(await told(log, { tail: 2000 })).toBe(counted(1000, 3000));
    },
  );

  test("that is packed keeps as many files as it may, and the newest of what was said", async () => {
    const log = file("local", { maxBytes: 10_000, maxFiles: 3, compress: true });
    await run(counting(3000), [log]);
    const names = readdirSync(box.path).filter((name) => `${box.path}/${name}`.startsWith(log.path));
    expect(names.length).toBe(3);
    const text = await told(log);
    const first = Number(/^line (\d+)/.exec(text)?.[1]);
    expect(text).toBe(counted(first, 3000));
  });

  test("is followed across rotations that pack it", async () => {
    const log = file("json-file", { maxBytes: 30_000, maxFiles: 1000, compress: true });
    const container = await box.start("follow", ["sh", "-c", counting(5000)], { stdio: { log: [log] } });
    let isOver = false;
    const ended = container.exited.then(() => {
      isOver = true;
    });
    expect(await told(log, { follow: { isOver: () => isOver, ended } })).toBe(counted(0, 5000));
    await box.driver.forget("follow");
  });

  test.each(["json-file", "local"] as const)(
    "in %s that was torn by a crash goes on after it",
    async (kind) => {
      const log = file(kind);
      await run("echo one; echo two", [log]);
      const whole = readFileSync(log.path);
      await Bun.write(log.path, Buffer.concat([whole, whole.subarray(0, 30)]));
      await run("echo three", [log]);
      expect(await told(log)).toBe("one\ntwo\nthree\n");
      expect(await told(log, { tail: 1 })).toBe("three\n");
    },
  );

  test("that somebody has removed is begun anew", async () => {
    const log = file("json-file");
    await using prepared = await box.prepare("removed", ["sh", "-c", "echo one; read word; echo two"], {
      stdio: { log: [log], openStdin: true, stdinOnce: true },
    });
    const client = await prepared.attach(ALL_STREAMS);
    const container = await prepared.start();
    await new Promise((resolve) => client.once("data", resolve));
    rmSync(log.path);
    client.write("go\n");
    await container.exited;
    client.destroy();
    expect(existsSync(log.path)).toBe(true);
    expect(await told(log)).toBe("two\n");
  });

  test("to the journal has the container's fields, and tells the parts of a long line", async () => {
    const path = `${box.path}/journal`;
    await using journal = await listenForDatagrams(path);
    const head = (priority: number) => Buffer.from(`PRIORITY=${priority}\nCONTAINER_NAME=web\n`);
    const log: LogSocket = {
      ...syslog("datagram", unixAddress(path)),
      kind: "journal",
      heads: { stdout: head(6), stderr: head(3) },
    };
    await run(`echo hi; head -c ${PIECE + 1} /dev/zero | tr '\\0' x; echo; sleep 0.2; echo bad >&2`, [log]);
    const time = "SYSLOG_TIMESTAMP=[^\n]+Z\n";
    expect(await journal.next()).toMatch(new RegExp(`^PRIORITY=6\nCONTAINER_NAME=web\n${time}MESSAGE=hi\n$`));
    const first = await journal.next();
    expect(first).toContain("CONTAINER_PARTIAL_MESSAGE=true\n");
    expect(first).toContain("CONTAINER_PARTIAL_ORDINAL=1\nCONTAINER_PARTIAL_LAST=false\n");
    const [, id] = /CONTAINER_PARTIAL_ID=([0-9a-f]{64})\n/.exec(first) ?? [];
    const second = await journal.next();
    expect(second).not.toContain("CONTAINER_PARTIAL_MESSAGE");
    expect(second).toContain(
      `CONTAINER_PARTIAL_ID=${id}\nCONTAINER_PARTIAL_ORDINAL=2\nCONTAINER_PARTIAL_LAST=true\n`,
    );
    expect(second).toEndWith("MESSAGE=x\n");
    expect(await journal.next()).toMatch(
      new RegExp(`^PRIORITY=3\nCONTAINER_NAME=web\n${time}MESSAGE=bad\n$`),
    );
  });

  test("to the journal goes by a file when it is larger than a datagram", async () => {
    const path = `${box.path}/journal2`;
    await using journal = await listenForDatagrams(path);
    const head = Buffer.from(`PRIORITY=6\nBIG=${"y".repeat(400_000)}\n`);
    await run("echo hi", [
      { ...syslog("datagram", unixAddress(path)), kind: "journal", heads: { stdout: head, stderr: head } },
    ]);
    const message = await journal.next();
    expect(message.length).toBeGreaterThan(400_000);
    expect(message).toEndWith("MESSAGE=hi\n");
  });

  test.each([
    ["short", /^<30>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d tag\[7\]: out\n$/],
    ["seconds", /^<30>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d) tag\[7\]: out\n$/],
    ["microseconds", /^<30>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d) tag\[7\]: out\n$/],
  ] as const)("to syslog over UDP with a time in %s, and a copy to be read", async (stamp, expected) => {
    const got = Promise.withResolvers<string>();
    await using server = await udpServer((text) => got.resolve(text));
    const copy = file("local");
    await run("echo out", [copy, syslog("datagram", inetAddress("127.0.0.1", server.port), { stamp })]);
    expect(await got.promise).toMatch(expected);
    expect(await told(copy)).toBe("out\n");
  });

  test("to syslog over a unix socket that takes datagrams", async () => {
    const path = `${box.path}/devlog`;
    await using server = await listenForDatagrams(path);
    await run("echo bad >&2", [syslog("datagram", unixAddress(path))]);
    expect(await server.next()).toMatch(/^<27>.* tag\[7\]: bad\n$/);
  });

  test("to syslog over TCP survives the server's restart, and messages wait for it", async () => {
    const path = `${box.path}/tcp.sock`;
    const before = await streamServer(path);
    await using prepared = await box.prepare(
      "syslog",
      ["sh", "-c", "echo one; read w; echo two; read w; echo three"],
      {
        stdio: { log: [syslog("stream", unixAddress(path))], openStdin: true, stdinOnce: true },
      },
    );
    const client = await prepared.attach(ALL_STREAMS);
    const container = await prepared.start();
    expect(await before.next()).toEndWith("one\n");
    await before[Symbol.asyncDispose]();
    const said = new Promise((resolve) => client.on("data", (part) => part.includes("two") && resolve(part)));
    client.write("go\n");
    await said;
    await using after = await streamServer(path);
    expect(await after.next()).toEndWith("two\n");
    client.write("go\n");
    expect(await after.next()).toEndWith("three\n");
    await container.exited;
    client.destroy();
    await box.driver.forget("syslog");
  });

  test("to nobody, not blocking, costs the messages and holds nothing back", async () => {
    const copy = file("local");
    const nowhere = syslog("stream", unixAddress(`${box.path}/nowhere`), {
      isBlocking: false,
      bufferBytes: 1,
    });
    await run(counting(20_000), [copy, nowhere]);
    expect(await told(copy)).toBe(counted(0, 20_000));
  });
});

async function udpServer(heard: (text: string) => void) {
  const socket = await Bun.udpSocket({
    hostname: "127.0.0.1",
    socket: { data: (_, data) => heard(data.toString()) },
  });
  return { port: socket.port, [Symbol.asyncDispose]: async () => socket.close() };
}

/** A server that forgets whoever is connected when it ends. */
async function streamServer(path: string) {
  const waiting: ((text: string) => void)[] = [];
  const messages: string[] = [];
  const clients: Socket[] = [];
  const server = createServer((client) => {
    clients.push(client);
    client.on("data", (part) => {
      for (const line of part.toString().split(/(?<=\n)/)) {
        const take = waiting.shift();
        if (take === undefined) messages.push(line);
        else take(line);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    next: () => {
      const message = messages.shift();
      return message === undefined ? new Promise<string>((resolve) => waiting.push(resolve)) : message;
    },
    [Symbol.asyncDispose]: async () => {
      for (const client of clients) client.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
