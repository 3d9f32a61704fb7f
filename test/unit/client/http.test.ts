import { describe, expect, test } from "bun:test";
import { Demultiplexer } from "../../../src/client/frames.ts";
import { ChunkDecoder, endOfHead, framingOf, parseHead } from "../../../src/client/http.ts";
import { linesOf, valuesOf } from "../../../src/client/lines.ts";
import { frame } from "../../fakes/fake-daemon.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** Feeds the bytes in pieces of every size from one byte to all at once. */
function inEverySplit(all: Uint8Array, check: (pieces: Uint8Array[]) => void): void {
  for (let size = 1; size <= all.length; size++) {
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < all.length; at += size) pieces.push(all.slice(at, at + size));
    check(pieces);
  }
}

describe("chunked transfer coding", () => {
  test("gives the same content however the bytes arrive, and the bytes that follow", () => {
    const coded = bytes("4\r\nWiki\r\n6;a=b\r\npedia \r\n0\r\nTrailer: x\r\n\r\nNEXT");
    inEverySplit(coded, (pieces) => {
      const decoder = new ChunkDecoder();
      let content = "";
      let rest = "";
      for (const piece of pieces) {
        const left = decoder.push(piece, (part) => {
          content += Buffer.from(part).toString();
        });
        rest += Buffer.from(left).toString();
      }
      expect([content, rest, decoder.isDone]).toEqual(["Wikipedia ", "NEXT", true]);
    });
  });

  test.each(["x\r\n", "4\r\nWikiX\r\n", "-1\r\n", "\r\n", `${"0".repeat(5000)}`])(
    "%p is refused",
    (coded) => {
      expect(() => new ChunkDecoder().push(bytes(coded), () => undefined)).toThrow("broken chunk");
    },
  );
});

describe("the head of a reply", () => {
  test("ends at the first empty line", () => {
    expect(endOfHead(bytes("HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody"))).toBe(25);
    expect(endOfHead(bytes("HTTP/1.1 200 OK\nA: b\n\nbody"))).toBe(22);
    expect(endOfHead(bytes("HTTP/1.1 200 OK\r\nA: b\r\n"))).toBe(-1);
  });

  test("has a status and fields in lower case", () => {
    const { status, reason, fields } = parseHead(
      bytes("HTTP/1.1 404 Not Found\r\nContent-TYPE:  a:b \r\n\r\n"),
    );
    expect([status, reason, fields.get("content-type")]).toEqual([404, "Not Found", "a:b"]);
  });

  test("of another protocol is refused", () => {
    expect(() => parseHead(bytes("SSH-2.0-OpenSSH\r\n\r\n"))).toThrow("Cannot understand the daemon's reply");
  });

  test.each([
    ["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "GET", { kind: "sized", bytes: 5 }],
    ["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "GET", { kind: "none" }],
    ["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD", { kind: "none" }],
    ["HTTP/1.1 204 No Content\r\n\r\n", "POST", { kind: "none" }],
    ["HTTP/1.1 304 Not Modified\r\n\r\n", "POST", { kind: "none" }],
    [
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
      "GET",
      { kind: "chunked" },
    ],
    ["HTTP/1.1 200 OK\r\n\r\n", "GET", { kind: "untilClose" }],
  ] as const)("%p to %s tells how the body ends", (head, method, framing) => {
    expect(framingOf(parseHead(bytes(head)), method)).toEqual(framing);
  });
});

describe("frames", () => {
  const all = Buffer.concat([frame(1, "out"), frame(2, ""), frame(2, "err"), frame(1, "more")]);

  test("are told apart however the bytes arrive", () => {
    inEverySplit(all, (pieces) => {
      const got = { stdout: "", stderr: "" };
      const frames = new Demultiplexer((stream, content) => {
        got[stream] += Buffer.from(content).toString();
      });
      for (const piece of pieces) frames.push(piece);
      expect(got).toEqual({ stdout: "outmore", stderr: "err" });
    });
  });

  test("tell an exit code once it is whole, however it arrives", () => {
    inEverySplit(Buffer.concat([frame(1, "out"), frame(4, "127")]), (pieces) => {
      const frames = new Demultiplexer(() => undefined, { tellsExit: true });
      const told = pieces.map((piece) => {
        frames.push(piece);
        return frames.exitCode;
      });
      expect(new Set(told.slice(0, -1))).toEqual(new Set(told.length === 1 ? [] : [undefined]));
      expect(told.at(-1)).toBe(127);
    });
  });

  test("of no known stream are refused", () => {
    expect(() => new Demultiplexer(() => undefined).push(frame(9, "x"))).toThrow(
      "Unrecognized input header: 9",
    );
  });

  test("that carry the daemon's own failure end with its sentence", () => {
    expect(() => new Demultiplexer(() => undefined).push(frame(3, "disk gone"))).toThrow("disk gone");
  });
});

async function* source(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield bytes(text);
}

describe("lines", () => {
  test("come whole, whatever the pieces and their ends", async () => {
    const lines: string[] = [];
    for await (const line of linesOf(source('{"a', '":1}\r', '\n\n{"b":2}\n{"c"', ":3}"))) lines.push(line);
    expect(lines).toEqual(['{"a":1}', '{"b":2}', '{"c":3}']);
  });

  test("that are no JSON are refused", async () => {
    const read = async () => {
      for await (const _ of valuesOf(source("<html>\n")));
    };
    await expect(read()).rejects.toThrow("a line is not JSON");
  });
});
