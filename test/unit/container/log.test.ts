import { afterAll, describe, expect, test } from "bun:test";
import { appendFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { type LogQuery, readLog } from "#container";
import { scratch } from "../../fakes/scratch.ts";

const START = Date.parse("2026-01-02T03:04:00Z");

function line(second: number, log: string, stream = "stdout"): string {
  const time = new Date(START + second * 1000).toISOString().replace("Z", "000001Z");
  return `${JSON.stringify({ log, stream, time })}\n`;
}

function at(second: number): bigint {
  return BigInt(START + second * 1000) * 1_000_000n + 1n;
}

const roots: AsyncDisposable[] = [];
afterAll(() => Promise.all(roots.map((root) => root[Symbol.asyncDispose]())));

async function logged(files: Readonly<Record<string, string | Uint8Array>>) {
  const root = await scratch();
  roots.push(root);
  const path = `${root.path}/x-json.log`;
  for (const [suffix, text] of Object.entries(files)) await writeFile(path + suffix, text);
  return path;
}

/** As the supervisor packs it. Source: RFC 1952, "Extra field". */
function packed(text: string, inode: number): Buffer {
  const plain = gzipSync(text);
  const extra = Buffer.from([12, 0, 0x42, 0x4b, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  extra.writeBigUInt64LE(BigInt(inode), 6);
  const head = Buffer.from(plain.subarray(0, 10));
  head[3] = 4;
  return Buffer.concat([head, extra, plain.subarray(10)]);
}

type Wish = Partial<LogQuery>;
const ALL = { stdout: true, stderr: true, tty: false, timestamps: false, details: false };
const entriesOf = (path: string, wish: Wish = {}) =>
  unframed(readLog({ format: "json-file", path }, { ...ALL, ...wish }));

/** One entry after the other, as `stream text`'s two parts. */
async function* unframed(pieces: AsyncIterable<Uint8Array>) {
  for await (const piece of pieces) {
    const bytes = Buffer.from(piece);
    for (let at = 0; at < bytes.length; ) {
      const end = at + 8 + bytes.readUInt32BE(at + 4);
      yield { stream: bytes[at], text: bytes.toString("utf8", at + 8, end) };
      at = end;
    }
  }
}

async function read(path: string, wish: Wish = {}): Promise<string[]> {
  return (await Array.fromAsync(entriesOf(path, wish))).map(({ text }) => text);
}

const THREE = line(1, "one\n") + line(2, "two\n", "stderr") + line(3, "three\n");

describe("a log", () => {
  test("is read in order across rotated files", async () => {
    const path = await logged({ "": line(3, "c\n"), ".1": line(2, "b\n"), ".2": line(1, "a\n") });
    expect(await read(path)).toEqual(["a\n", "b\n", "c\n"]);
  });

  test("is read whole while its files are being renamed, which leaves one number without a file", async () => {
    const path = await logged({ "": line(3, "c\n"), ".2": line(2, "b\n"), ".4": line(1, "a\n") });
    expect(await read(path)).toEqual(["a\n", "b\n", "c\n"]);
  });

  test("is read once where a file is seen plain and packed, and whole where another has got its number", async () => {
    const path = await logged({ "": line(3, "c\n"), ".1": line(2, "b\n") });
    const { ino, mtime } = await stat(`${path}.1`);
    await writeFile(`${path}.2.gz`, packed(line(2, "b\n"), ino));
    await utimes(`${path}.2.gz`, mtime, mtime);
    await utimes(`${path}.1`, mtime, mtime);
    await writeFile(`${path}.3.gz`, packed(line(1, "a\n"), (await stat(path)).ino));
    await utimes(`${path}.3.gz`, mtime, mtime);
    expect(await read(path)).toEqual(["a\n", "b\n", "c\n"]);
  });

  test("is read from its newest file on where the end is asked for: older ones are left alone", async () => {
    const path = await logged({
      "": line(3, "c\n"),
      ".1": line(2, "b\n"),
      ".2.gz": "damaged, and not needed",
    });
    expect(await read(path, { tail: 2 })).toEqual(["b\n", "c\n"]);
    expect(await read(path, { tail: 0 })).toEqual([]);
    await expect(read(path, { tail: 3 })).rejects.toThrow();
  });

  test("gives stream, time in nanoseconds and attributes", async () => {
    const path = await logged({
      "": `{"log":"x\\n","stream":"stderr","attrs":{"tag":"t"},"time":"2026-01-02T03:04:01.000000001Z"}\n`,
    });
    const [entry] = await Array.fromAsync(entriesOf(path, { timestamps: true, details: true }));
    expect(entry).toEqual({ stream: 2, text: "2026-01-02T03:04:01.000000001Z tag=t x\n" });
  });

  test("keeps bytes that are more than one character", async () => {
    const path = await logged({ "": line(1, "grün €\n") });
    expect(await read(path)).toEqual(["grün €\n"]);
  });

  test("skips what is no entry", async () => {
    const path = await logged({ "": `{"log":"hal\nnull\n[]\n${line(1, "whole\n")}` });
    expect(await read(path)).toEqual(["whole\n"]);
  });

  test("ends where it ended when the reading began, also while it grows", async () => {
    const path = await logged({ "": line(1, "a\n") + line(1, "b\n") });
    const entries = entriesOf(path);
    await entries.next();
    await appendFile(path, line(2, "later\n").repeat(5000));
    const rest = await Array.fromAsync(entries);
    expect(rest.length).toBe(1);
  });

  test.each([
    ['quotes " and \\ and / and &<>', "\u0000\u0001\u001b[0m\t\r"],
    ["é€𝄞", "\u2028\u2029\ufffd\ud800 alone"],
    ["", "\\u0041 is no escape"],
  ])("gives back %j and %j as they were said, however they are escaped", async (one, two) => {
    const asAscii = (text: string) =>
      text.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
    const lines = line(1, `${one}\n`) + line(2, two, "stderr");
    const said = [`${one}\n`, Buffer.from(two).toString()];
    expect(await read(await logged({ "": lines }))).toEqual(said);
    expect(await read(await logged({ "": asAscii(lines) }))).toEqual(said);
    expect(await read(await logged({ "": lines }), { details: true })).toEqual(
      said.map((text) => ` ${text}`),
    );
  });

  test("that does not exist is empty", async () => {
    expect(await read("/nonexistent/x-json.log")).toEqual([]);
  });

  const ranges = [
    [{ since: at(2) }, ["two\n", "three\n"]],
    [{ until: at(2) }, ["one\n", "two\n"]],
    [{ since: at(2), until: at(2) }, ["two\n"]],
    [{ since: at(9) }, []],
  ] as const;
  for (const [query, expected] of ranges)
    test(`between ${Object.keys(query).join(" and ")} gives ${expected.length}`, async () => {
      expect(await read(await logged({ "": THREE }), query)).toEqual([...expected]);
    });
});

describe("the tail of a log", () => {
  for (const [tail, expected] of [
    [0, []],
    [1, ["three\n"]],
    [2, ["two\n", "three\n"]],
    [3, ["one\n", "two\n", "three\n"]],
    [9, ["one\n", "two\n", "three\n"]],
  ] as const)
    test(`of ${tail} messages`, async () => {
      expect(await read(await logged({ "": THREE }), { tail })).toEqual([...expected]);
    });

  test("reaches into rotated files", async () => {
    const path = await logged({ "": line(3, "c\n"), ".1": line(2, "b\n"), ".2": line(1, "a\n") });
    expect(await read(path, { tail: 2 })).toEqual(["b\n", "c\n"]);
  });

  test("counts a long line once, all its parts", async () => {
    const path = await logged({ "": line(1, "a\n") + line(2, "long-") + line(2, "er-") + line(2, "line\n") });
    expect(await read(path, { tail: 1 })).toEqual(["long-", "er-", "line\n"]);
  });

  const crossed = [
    line(1, "one\n"),
    line(2, "long-"),
    line(2, "err 1\n", "stderr"),
    line(2, "er-"),
    line(2, "err 2\n", "stderr"),
    line(2, "line\n"),
    line(3, "end\n"),
  ].join("");
  for (const [tail, first] of [
    [1, "end\n"],
    [2, "long-"],
    [4, "long-"],
    [5, "one\n"],
  ] as const)
    test(`of ${tail} has every part of a line that the other stream crosses`, async () => {
      const plain = await read(await logged({ "": crossed }), { tail });
      expect(plain[0]).toBe(first);
      expect(plain.at(-1)).toBe("end\n");
      expect(await read(await logged({ "": "", ".1.gz": packed(crossed, 1) }), { tail })).toEqual(plain);
    });

  test.each([1, 2, 3])("of %d is the same packed and not where messages have no end yet", async (tail) => {
    const text = [
      line(1, "one\n"),
      line(2, "begun-"),
      line(2, "err 1\n", "stderr"),
      line(3, "err 2", "stderr"),
      line(3, "err 2\n", "stderr"),
    ].join("");
    const plain = await read(await logged({ "": text }), { tail });
    expect(plain.length).toBe([2, 3, 4][tail - 1] ?? 0);
    expect(await read(await logged({ "": "", ".1.gz": packed(text, 1) }), { tail })).toEqual(plain);
  });

  test("looks only so far back for the parts of a message", async () => {
    const lines = Array.from({ length: 5000 }, (_, index) => line(1, `${index}\n`)).join("");
    const path = await logged({ "": line(1, "begun, ", "stderr") + lines + line(2, "ended\n", "stderr") });
    expect(await read(path, { tail: 1 })).toEqual(["ended\n"]);
  });

  test("counts a line without its end", async () => {
    const path = await logged({ "": line(1, "a\n") + line(2, "prompt> ") });
    expect(await read(path, { tail: 1 })).toEqual(["prompt> "]);
  });

  test("is found across many blocks", async () => {
    const lines = Array.from({ length: 5000 }, (_, index) => line(1, `${index} ${"x".repeat(index % 97)}\n`));
    const texts = await read(await logged({ "": lines.join("") }), { tail: 2500 });
    expect(texts.length).toBe(2500);
    expect(texts[0]).toStartWith("2500 ");
    expect(texts.at(-1)).toStartWith("4999 ");
  });
});

describe("following a log", () => {
  function follow(path: string, query: Wish = {}) {
    let isOver = false;
    const { promise, resolve } = Promise.withResolvers<void>();
    const entries = entriesOf(path, { ...query, follow: { isOver: () => isOver, ended: promise } });
    const next = async () => {
      const { value } = await entries.next();
      return value?.text;
    };
    const end = () => {
      isOver = true;
      resolve();
    };
    return { entries, next, end };
  }

  test("shows what is written later, and ends when the container has", async () => {
    const path = await logged({ "": line(1, "a\n") });
    const { next, end } = follow(path);
    expect(await next()).toBe("a\n");
    const second = next();
    await appendFile(path, line(2, "b\n"));
    expect(await second).toBe("b\n");
    await appendFile(path, line(3, "last\n"));
    end();
    expect(await next()).toBe("last\n");
    expect(await next()).toBeUndefined();
  });

  test("waits for a file that is not there yet", async () => {
    const path = await logged({});
    const { next, end } = follow(path);
    const first = next();
    await writeFile(path, line(1, "a\n"));
    expect(await first).toBe("a\n");
    end();
    expect(await next()).toBeUndefined();
  });

  test("misses nothing and doubles nothing across two rotations at once", async () => {
    const path = await logged({ "": line(1, "a\n") });
    const { next, end } = follow(path);
    expect(await next()).toBe("a\n");
    await appendFile(path, line(2, "b\n"));
    await rename(path, `${path}.1`);
    await writeFile(path, line(3, "c\n"));
    await rename(`${path}.1`, `${path}.2`);
    await rename(path, `${path}.1`);
    await writeFile(path, line(4, "d\n"));
    expect([await next(), await next(), await next()]).toEqual(["b\n", "c\n", "d\n"]);
    end();
    expect(await next()).toBeUndefined();
  });

  test("goes on from a packed file to one that has got the number of what was packed", async () => {
    const path = await logged({ ".aside": line(2, "b\n") });
    await writeFile(`${path}.1.gz`, packed(line(1, "a\n"), (await stat(`${path}.aside`)).ino));
    const { next, end } = follow(path);
    expect(await next()).toBe("a\n");
    const second = next();
    await rename(`${path}.aside`, path);
    expect(await second).toBe("b\n");
    end();
    expect(await next()).toBeUndefined();
  });

  test("joins an entry that was half written when it was read", async () => {
    const path = await logged({ "": "" });
    const { next, end } = follow(path);
    const whole = line(1, "joined\n");
    const first = next();
    await appendFile(path, whole.slice(0, 20));
    await appendFile(path, whole.slice(20));
    expect(await first).toBe("joined\n");
    end();
    expect(await next()).toBeUndefined();
  });

  test("goes on with the new file when somebody has removed the log, and repeats nothing", async () => {
    const path = await logged({ "": line(2, "b\n"), ".1": line(1, "a\n") });
    const past = new Date(Date.now() - 10_000);
    await utimes(`${path}.1`, past, past);
    const { next, end } = follow(path);
    expect([await next(), await next()]).toEqual(["a\n", "b\n"]);
    await rm(path);
    await writeFile(path, line(3, "c\n"));
    end();
    expect(await next()).toBe("c\n");
    expect(await next()).toBeUndefined();
  });

  test("goes on when somebody has emptied the file", async () => {
    const path = await logged({ "": line(1, "a\n") + line(2, "b\n") });
    const { next, end } = follow(path);
    expect([await next(), await next()]).toEqual(["a\n", "b\n"]);
    await writeFile(path, line(3, "c\n"));
    expect(await next()).toBe("c\n");
    end();
    expect(await next()).toBeUndefined();
  });

  test("begins at the tail", async () => {
    const path = await logged({ "": THREE });
    const { next, end } = follow(path, { tail: 1 });
    expect(await next()).toBe("three\n");
    end();
    expect(await next()).toBeUndefined();
  });

  test("ends when its reader goes", async () => {
    const controller = new AbortController();
    const { next } = follow(await logged({ "": "" }), { signal: controller.signal });
    const pending = next();
    controller.abort();
    expect(await pending).toBeUndefined();
  });
});
