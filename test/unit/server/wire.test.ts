import { describe, expect, test } from "bun:test";
import { splitPath } from "../../../src/server/app.ts";
import { DetachFilter, parseDetachKeys } from "../../../src/server/detach-keys.ts";
import { completed } from "../../../src/server/front.ts";
import { parseJson, toJson } from "../../../src/server/json.ts";
import { mayHijack, mayUpgrade, parseChunked } from "../../../src/server/upgrade.ts";

describe("a path", () => {
  test.each([
    ["http://d/v1.41/containers/json", "/containers/json", "1.41"],
    ["http://d/containers/json?all=1", "/containers/json", undefined],
    ["http://d//v1.41//containers/json/", "/containers/json", "1.41"],
    ["http://d/v1.41", "/", "1.41"],
    ["http://d/version", "/version", undefined],
    ["http://d/v1.41x/version", "/v1.41x/version", undefined],
    ["http://d/images/localhost:5000/a/b/json", "/images/localhost:5000/a/b/json", undefined],
    ["http://d/containers/web%2F", "/containers/web", undefined],
    ["http://d", "/", undefined],
  ])("%p is %p of version %p", (url, path, version) => {
    expect(splitPath(url)).toEqual({ path, ...(version !== undefined && { version }) });
  });
});

describe("JSON", () => {
  test("keeps every digit of a bigint", () => {
    expect(toJson({ time: 1700000000123456789n })).toBe('{"time":1700000000123456789}');
  });

  test("keeps to int64 what a double has rounded up", () => {
    expect(toJson({ hard: Number("9223372036854775807") })).toBe('{"hard":9223372036854775807}');
  });

  test("refuses a second value behind the first, and nothing is nothing", () => {
    expect(() => parseJson("{} {}")).toThrow("Invalid JSON");
    expect(parseJson(" \n")).toBeUndefined();
  });
});

describe("detach keys", () => {
  test.each([
    [undefined, [16, 17]],
    ["", [16, 17]],
    ["ctrl-a,d", [1, 100]],
    ["ctrl-@,ctrl-[,ctrl-_", [0, 27, 31]],
    ["X", [88]],
  ])("%p are the bytes %p", (text, bytes) => {
    expect(parseDetachKeys(text)).toEqual(bytes);
  });

  test.each(["ctrl-", "ctrl-1", "ab", "a,,b", "ctrl-ab"])("%p are refused", (text) => {
    expect(() => parseDetachKeys(text)).toThrow("Invalid detach keys");
  });

  async function typed(keys: readonly number[], chunks: readonly (readonly number[])[]) {
    const filter = new DetachFilter(keys);
    let isDetached = false;
    filter.on("detach", () => {
      isDetached = true;
    });
    const passed: number[] = [];
    filter.on("data", (chunk: Buffer) => passed.push(...chunk));
    const ended = new Promise((resolve) => filter.once("end", resolve));
    for (const chunk of chunks) filter.write(Buffer.from(chunk));
    filter.end();
    await ended;
    return { passed, isDetached };
  }

  test.each([
    ["in one piece", [[97, 16, 17]], [97], true],
    [
      "in two pieces",
      [
        [97, 16],
        [17, 98],
      ],
      [97],
      true,
    ],
    ["begun and not ended", [[97, 16], [98]], [97, 16, 98], false],
    ["begun at the end of the input", [[97, 16]], [97, 16], false],
    ["begun twice", [[16, 16, 17]], [16], true],
    ["not there", [[1, 2, 3]], [1, 2, 3], false],
  ])("%s", async (_name, chunks, passed, isDetached) => {
    expect(await typed([16, 17], chunks)).toEqual({ passed, isDetached });
  });
});

describe("a request that takes its connection over", () => {
  test.each([
    ["POST", "/containers/web/attach?stream=1", true],
    ["POST", "/v1.41/containers/web/attach", true],
    ["POST", "//v1.41//exec/abc/start", true],
    ["GET", "/containers/web/attach", false],
    ["POST", "/containers/web/start", false],
    ["POST", "/containers/create", false],
    ["POST", "/containers/web/attach/ws", false],
  ])("%s %s: %p", (method, target, expected) => {
    expect(mayHijack(method, target)).toBe(expected);
  });

  test.each([
    ["GET", "/containers/web/attach/ws", true],
    ["GET", "/v1.41//containers/web/attach/ws?stream=1", true],
    ["POST", "/containers/web/attach", true],
    ["GET", "/containers/web/attach", false],
    ["POST", "/containers/web/attach/ws", false],
  ])("%s %s may ask for it: %p", (method, target, expected) => {
    expect(mayUpgrade(method, target)).toBe(expected);
  });

  test("gets the Upgrade it did not ask for, and its bytes stay as they are", () => {
    const head = "POST /containers/web/attach HTTP/1.1\r\nHost: d\r\n\r\nstdin\x00\xff";
    const text = completed(Buffer.from(head, "latin1")).toString("latin1");
    expect(text).toContain("attach HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: bunker-raw\r\nHost: d\r\n");
    expect(text.endsWith("\r\n\r\nstdin\x00\xff")).toBe(true);
  });

  test.each([
    "POST /containers/web/attach HTTP/1.1\r\nHost: d\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n\r\n",
    "POST /containers/web/start HTTP/1.1\r\nHost: d\r\n\r\n",
    "garbage",
  ])("%j passes unchanged", (head) => {
    expect(completed(Buffer.from(head)).toString()).toBe(head);
  });
});

describe("a chunked body", () => {
  test.each([
    ["5\r\n{abc}\r\n0\r\n\r\nrest", "{abc}", "rest"],
    ["2\r\n{a\r\n2;x=y\r\nb}\r\n0\r\n\r\n", "{ab}", ""],
    ["0\r\n\r\nrest", "", "rest"],
    ["1\r\nx\r\n0\r\nTrailer: y\r\n\r\nrest", "x", "rest"],
  ])("%j", (bytes, body, rest) => {
    const parsed = parseChunked(Buffer.from(bytes));
    expect([Buffer.from(parsed?.body ?? []).toString(), parsed?.rest.toString()]).toEqual([body, rest]);
  });

  test.each(["", "5", "5\r\n{ab", "5\r\n{abc}", "5\r\n{abc}\r\n0\r\n"])("%j is not whole yet", (bytes) => {
    expect(parseChunked(Buffer.from(bytes))).toBeUndefined();
  });

  test("that is none is refused", () => {
    expect(() => parseChunked(Buffer.from("zz\r\n"))).toThrow("malformed");
  });
});
