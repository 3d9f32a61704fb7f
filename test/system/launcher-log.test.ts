import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import type { LogFile } from "#libcontainer";
import { type Box, type BoxOptions, collect, jsonLog, openBox } from "../fixtures/container-box.ts";
import { cannotRun } from "../fixtures/runtime-spec.ts";

const reason = cannotRun === undefined ? "" : ` (skipped: ${cannotRun})`;
const PIECE = 16384;

interface Line {
  readonly log: string;
  readonly stream: string;
  readonly time: string;
}

let box: Box;
let logs = 0;

const linesOf = (text: string): readonly Line[] =>
  text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line);

/** Runs a script whose standard output and error are logged, and gives the log's path. */
async function logged(
  script: string,
  limits: Partial<LogFile> = {},
  options: BoxOptions = {},
): Promise<string> {
  const path = `${box.path}/log${logs++}`;
  const log = jsonLog(path, limits);
  await box.run(["sh", "-c", script], { ...options, stdio: { ...options.stdio, log } });
  return path;
}

async function linesFrom(
  bytes: string | Uint8Array,
): Promise<{ readonly raw: string; readonly lines: readonly Line[] }> {
  writeFileSync(`${box.root}/input`, bytes);
  const raw = readFileSync(await logged("cat /input"), "utf8");
  return { raw, lines: linesOf(raw) };
}

describe.skipIf(cannotRun !== undefined)(`the log of a supervisor${reason}`, () => {
  beforeAll(async () => {
    box = await openBox();
  });
  afterAll(() => box[Symbol.asyncDispose]());

  test("tells streams, times and lines as Docker's does", async () => {
    const raw = readFileSync(await logged("echo one; echo two >&2; printf three"), "utf8");
    const lines = linesOf(raw);
    const of = (stream: string) => lines.filter((line) => line.stream === stream).map(({ log }) => log);
    expect(of("stdout")).toEqual(["one\n", "three"]);
    expect(of("stderr")).toEqual(["two\n"]);
    for (const { time } of lines) expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/);
    expect(raw).toMatch(/^\{"log":"[^"]*","stream":"std(out|err)","time":"[^"]*"\}$/m);
  });

  test.each([
    ["tab, quote, backslash, return", '\t"\\\r\n', '\\u0009\\"\\\\\\r\\n'],
    ["markup", "<a>&\n", "\\u003ca\\u003e\\u0026\\n"],
    ["control characters", "\u0001\u001b[0m\n", "\\u0001\\u001b[0m\\n"],
    ["letters beyond ASCII", "é€𝄞\n", "é€𝄞\\n"],
    ["line separators", "\u2028\u2029\n", "\\u2028\\u2029\\n"],
    ["an empty line", "\n", "\\n"],
    [
      "special ones among many",
      `${"a".repeat(21)}"${"b".repeat(13)}\n`,
      `${"a".repeat(21)}\\"${"b".repeat(13)}\\n`,
    ],
  ])("escapes %s", async (_what, input, expected) => {
    const { raw } = await linesFrom(input);
    expect(raw.slice(0, raw.indexOf('","stream"'))).toBe(`{"log":"${expected}`);
  });

  test.each([
    ["a lone continuation", [0x61, 0x80, 0x62], "a\ufffdb"],
    ["a sequence that is cut off", [0xe2, 0x82, 0x61], "\ufffd\ufffda"],
    ["an overlong form", [0xc0, 0xaf], "\ufffd\ufffd"],
    ["a surrogate", [0xed, 0xa0, 0x80], "\ufffd\ufffd\ufffd"],
    ["beyond the last character", [0xf4, 0x90, 0x80, 0x80], "\ufffd\ufffd\ufffd\ufffd"],
    ["bytes that never occur", [0xff, 0xfe], "\ufffd\ufffd"],
  ])("replaces what is not UTF-8: %s", async (_what, bytes, expected) => {
    const { lines } = await linesFrom(Uint8Array.from([...bytes, 0x0a]));
    expect(lines.map(({ log }) => log)).toEqual([`${expected}\n`]);
  });

  test.each([
    [PIECE - 1, [PIECE - 1 + 1]],
    [PIECE, [PIECE, 1]],
    [PIECE + 1, [PIECE, 2]],
    [3 * PIECE + 5, [PIECE, PIECE, PIECE, 6]],
  ])(
    "cuts a line of %d bytes into pieces, and only the last ends with a newline",
    async (length, expected) => {
      const { lines } = await linesFrom(`${"x".repeat(length)}\nnext\n`);
      expect(lines.slice(0, -1).map(({ log }) => log.length)).toEqual(expected);
      expect(lines.map(({ log }) => log).join("")).toBe(`${"x".repeat(length)}\nnext\n`);
    },
  );

  test("keeps every line of megabytes in order", async () => {
    const script = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done";
    const lines = linesOf(readFileSync(await logged(script), "utf8"));
    expect(lines.map(({ log }) => log).join("")).toBe(
      Array.from({ length: 20000 }, (_, index) => `line ${index}\n`).join(""),
    );
  });

  test("a new run appends to it", async () => {
    const path = `${box.path}/appended`;
    for (const word of ["one", "two"]) await box.run(["echo", word], { stdio: { log: jsonLog(path) } });
    expect(linesOf(readFileSync(path, "utf8")).map(({ log }) => log)).toEqual(["one\n", "two\n"]);
  });

  test("is rotated by size, and the oldest file falls off", async () => {
    const script = "i=100; while [ $i -lt 400 ]; do echo line $i; i=$((i+1)); done";
    const path = await logged(script, { maxBytes: 8192, maxFiles: 3 });
    const files = [`${path}.2`, `${path}.1`, path];
    const lines = files.flatMap((file) => linesOf(readFileSync(file, "utf8")));
    const numbers = lines.map(({ log }) => Number(log.slice(5)));
    expect(numbers.at(-1)).toBe(399);
    expect(numbers).toEqual(
      Array.from({ length: numbers.length }, (_, index) => 400 - numbers.length + index),
    );
    for (const file of files) expect(statSync(file).size).toBeLessThan(8192 + 200);
    expect(existsSync(`${path}.3`)).toBe(false);
  });

  test("with one file is begun anew when it is full", async () => {
    const path = await logged("i=0; while [ $i -lt 300 ]; do echo line $i; i=$((i+1)); done", {
      maxBytes: 4096,
    });
    expect(statSync(path).size).toBeLessThan(4096 + 200);
    expect(existsSync(`${path}.1`)).toBe(false);
    expect(linesOf(readFileSync(path, "utf8")).at(-1)?.log).toBe("line 299\n");
  });

  test("of a terminal is all standard output, with its carriage returns", async () => {
    const options = { process: { terminal: true }, stdio: { terminal: true } };
    const lines = linesOf(readFileSync(await logged("echo out; echo err >&2", {}, options), "utf8"));
    expect(lines.map(({ log, stream }) => `${stream} ${log}`)).toEqual(["stdout out\r\n", "stdout err\r\n"]);
  });

  test("is whole although nobody reads an attached client", async () => {
    const path = `${box.path}/unread`;
    const lines = 60_000;
    const script = `i=0; while [ $i -lt ${lines} ]; do echo 0123456789012345678901234567890; i=$((i+1)); done`;
    await using prepared = await box.prepare("unread", ["sh", "-c", script], {
      stdio: { log: jsonLog(path) },
    });
    const silent = await prepared.attach({ stdin: false, stdout: true, stderr: true });
    // Nobody listens on it yet, so that it fills up and holds the container back; then it is read to the end.
    const container = await prepared.start();
    const { stdout } = await collect(silent);
    expect(stdout.length).toBe(lines * 32);
    await container.exited;
    expect(linesOf(readFileSync(path, "utf8")).length).toBe(lines);
  });

  test("goes on when an attached client is cut off without a word", async () => {
    const path = `${box.path}/cut`;
    const script = "i=0; while [ $i -lt 60000 ]; do echo 0123456789012345678901234567890; i=$((i+1)); done";
    await using prepared = await box.prepare("cut", ["sh", "-c", script], {
      stdio: { log: jsonLog(path) },
    });
    const client = await prepared.attach({ stdin: false, stdout: true, stderr: true });
    const container = await prepared.start();
    client.destroy();
    expect(await container.exited).toMatchObject({ code: 0 });
    expect(linesOf(readFileSync(path, "utf8")).length).toBe(60_000);
  });

  test("of what is left running by the first process is not waited for", async () => {
    const namespaces = (["mnt", "net", "ipc", "uts"] as const).map((type) => ({ type }));
    const { exit } = await box.run(["sh", "-c", "sleep 1000 & exit 4"], { linux: { namespaces } });
    expect(exit.code).toBe(4);
  });
});
