import { expect, test } from "bun:test";
import { settled } from "../../../src/daemon/environment.ts";

const OWN = { BUN_GC_TIMER_DISABLE: "1" };

test.each([
  [{}, OWN],
  [{ A: "1" }, { A: "1", ...OWN }],
  [
    { A: "1", BUN_OPTIONS: "--inspect", NODE_OPTIONS: "-r x" },
    { A: "1", ...OWN },
  ],
  [{ BUN_GC_TIMER_DISABLE: "0" }, OWN],
  [{ ...OWN, BUN_BE_BUN: "1" }, OWN],
  [{ ...OWN, A: "1", NODE_OPTIONS_X: "kept" }, undefined],
])("a daemon's environment of %j becomes %j", (environment, expected) => {
  expect(settled(environment)).toEqual(expected);
  if (expected !== undefined) expect(settled(expected)).toBeUndefined();
});
