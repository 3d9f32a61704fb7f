import { describe, expect, test } from "bun:test";
import { closeSync, constants, openSync, readFileSync, readSync, writeSync } from "node:fs";
import { ClosedPipe, Outlet } from "../../../src/cli/outlet.ts";
import { scratch } from "../../fakes/scratch.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** Both ends of a pipe that is never waited for. */
async function pipe(folder: string): Promise<{ readonly reader: number; readonly writer: number }> {
  const path = `${folder}/${crypto.randomUUID()}`;
  await Bun.spawn(["mkfifo", path]).exited;
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return { reader, writer: openSync(path, constants.O_WRONLY | constants.O_NONBLOCK) };
}

/** All that lies in a pipe. */
function drained(reader: number): string {
  const piece = new Uint8Array(1 << 20);
  let text = "";
  for (;;)
    try {
      const length = readSync(reader, piece);
      if (length === 0) return text;
      text += new TextDecoder().decode(piece.subarray(0, length));
    } catch {
      return text;
    }
}

/** Fills a pipe to the last byte. */
function fill(writer: number): void {
  for (const size of [4096, 1])
    try {
      for (;;) writeSync(writer, new Uint8Array(size).fill(46));
    } catch {
      // It takes no more of that size.
    }
}

describe("what is written", () => {
  test("comes out of a pipe whole and in order, small and large", async () => {
    await using folder = await scratch();
    const { reader, writer } = await pipe(folder.path);
    const outlet = new Outlet(writer);
    for (const text of ["one ", "", "two ", "x".repeat(20_000)]) outlet.write(bytes(text));
    await outlet.settled();
    expect(drained(reader)).toBe(`one two ${"x".repeat(20_000)}`);
    for (const descriptor of [reader, writer]) closeSync(descriptor);
  });

  test("lies in a file when the call returns, behind what was there", async () => {
    await using folder = await scratch();
    await Bun.write(`${folder.path}/file`, "before ");
    const file = openSync(`${folder.path}/file`, "a");
    const outlet = new Outlet(file);
    outlet.write(bytes("one "));
    expect(readFileSync(`${folder.path}/file`, "utf8")).toBe("before one ");
    outlet.write(bytes("two"));
    expect(readFileSync(`${folder.path}/file`, "utf8")).toBe("before one two");
    closeSync(file);
  });

  test("waits in order for a reader whom others have kept busy, the program with it", async () => {
    await using folder = await scratch();
    const { reader, writer } = await pipe(folder.path);
    fill(writer);
    const outlet = new Outlet(writer);
    outlet.write(bytes("first "));
    const reused = bytes("second");
    outlet.write(reused);
    reused.fill(0);
    const settled = outlet.settled();
    expect(Bun.peek.status(settled)).toBe("pending");
    const before = drained(reader);
    await settled;
    expect((before + drained(reader)).replace(/^\.+/, "")).toBe("first second");
    for (const descriptor of [reader, writer]) closeSync(descriptor);
  });

  test("makes whoever has more wait while its reader is late, and then no more", async () => {
    await using folder = await scratch();
    const { reader, writer } = await pipe(folder.path);
    fill(writer);
    const outlet = new Outlet(writer);
    expect(outlet.busy).toBeUndefined();
    outlet.write(bytes("first "));
    const busy = outlet.busy;
    expect(busy).toBeInstanceOf(Promise);
    outlet.write(bytes("second"));
    const before = drained(reader);
    await outlet.settled();
    expect(before + drained(reader)).toMatch(/^\.+first second$/);
    expect(outlet.busy).toBeUndefined();
    for (const descriptor of [reader, writer]) closeSync(descriptor);
  });

  test("is not kept without end for a reader who does not read", async () => {
    await using folder = await scratch();
    const { reader, writer } = await pipe(folder.path);
    fill(writer);
    const outlet = new Outlet(writer);
    outlet.write(bytes("first"));
    expect(() => {
      for (let count = 0; count < 3; count++) outlet.write(new Uint8Array(8 << 20));
    }).toThrow("nobody reads it");
    closeSync(reader);
    expect(outlet.settled()).rejects.toBeInstanceOf(ClosedPipe);
    await outlet.settled().catch(() => undefined);
    closeSync(writer);
  });
});

describe("what cannot be written", () => {
  test.each([
    ["first", ["x"]],
    ["later", ["", "x".repeat(5000)]],
  ])("%s, because nobody reads any more, ends the program quietly", async (_, texts) => {
    await using folder = await scratch();
    const { reader, writer } = await pipe(folder.path);
    closeSync(reader);
    const outlet = new Outlet(writer);
    expect(() => {
      for (const text of texts) outlet.write(bytes(text));
    }).toThrow(ClosedPipe);
    closeSync(writer);
  });

  test("because of a full disk is a failure that says so", () => {
    const full = openSync("/dev/full", "w");
    expect(() => new Outlet(full).write(bytes("x"))).toThrow(/Cannot write the output: .*ENOSPC/);
    closeSync(full);
  });

  test("because the descriptor is closed is nobody's loss", () => {
    const closed = openSync("/dev/null", "w");
    closeSync(closed);
    new Outlet(closed).write(bytes("x"));
  });
});
