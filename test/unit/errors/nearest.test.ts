import { describe, expect, test } from "bun:test";
import { didYouMean, nearest } from "../../../src/errors/index.ts";

describe("the nearest known word", () => {
  test.each([
    ["allways", ["always", "missing", "never"], "always"],
    ["prviate", ["none", "private", "host"], "private"],
    ["BIND", ["bind", "volume"], "bind"],
    ["bnd", ["bind", "volume"], "bind"],
    ["bd", ["bind", "volume"], undefined],
    ["b", ["a", "bb"], undefined],
    ["bridge2x", ["bridge"], "bridge"],
    ["bridge2xy", ["bridge"], undefined],
    ["host", ["hosts", "host"], undefined],
    ["", ["a"], undefined],
    ["unless-stoped", ["no", "always", "unless-stopped"], "unless-stopped"],
    ["x".repeat(1_000_000), ["xx"], undefined],
  ])("to %.20p among %p is %p", (typed, known, expected) => {
    expect(nearest(typed, known)).toBe(expected);
    expect(didYouMean(typed, known)).toBe(expected === undefined ? "" : `; did you mean ${expected}?`);
  });
});
