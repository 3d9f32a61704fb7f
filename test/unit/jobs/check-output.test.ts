import { describe, expect, test } from "bun:test";
import { CheckOutput } from "../../../src/jobs/container/check-output.ts";

/** Docker's frame: stream, three zeros, length in big-endian. */
function frame(stream: number, text: string): Buffer {
  const content = Buffer.from(text);
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(content.length, 4);
  return Buffer.concat([header, content]);
}

function heard(bytes: Buffer, pieceBytes: number): { readonly text: string; readonly isWanted: boolean } {
  const output = new CheckOutput();
  let isWanted = true;
  for (let at = 0; at < bytes.length; at += pieceBytes)
    isWanted = output.push(bytes.subarray(at, at + pieceBytes));
  return { text: output.text, isWanted };
}

describe("the output of a check", () => {
  const full = "x".repeat(4096);

  test.each([
    ["nothing", [], "", true],
    ["an empty frame", [frame(1, "")], "", true],
    [
      "both streams, as they come",
      [frame(1, "one "), frame(2, "two "), frame(1, "three")],
      "one two three",
      true,
    ],
    ["as much as is kept", [frame(1, full)], full, true],
    ["a byte more", [frame(1, `${full}y`)], `${full}...`, false],
    ["a frame more", [frame(1, full), frame(2, "y")], `${full}...`, false],
    ["a letter cut in two", [frame(1, `${"x".repeat(4095)}ä`)], `${"x".repeat(4095)}\uFFFD...`, false],
  ] as const)("is %s, however it is cut", (_what, frames, text, isWanted) => {
    const bytes = Buffer.concat([...frames]);
    for (const piece of [1, 3, 7, 8, 9, 100_000]) expect(heard(bytes, piece)).toEqual({ text, isWanted });
  });
});
