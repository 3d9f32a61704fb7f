import { expect, test } from "bun:test";
import { readlinkSync } from "node:fs";
import { processStartTicks } from "#host";
import { HeldNamespace } from "../../../src/network/held-namespace.ts";

const self = { pid: process.pid, startTicks: processStartTicks(process.pid) ?? "" };
const there = (path: string) => {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
};

test("a namespace is held until it is let go of, however often", () => {
  const namespace = HeldNamespace.find(self);
  const path = namespace?.path ?? "";
  expect(there(path)).toBe(readlinkSync("/proc/self/ns/net"));
  namespace?.[Symbol.dispose]();
  expect(there(path)).toBeUndefined();
  const other = HeldNamespace.find(self);
  namespace?.[Symbol.dispose]();
  expect(there(other?.path ?? "")).toBe(readlinkSync("/proc/self/ns/net"));
  other?.[Symbol.dispose]();
});

test("a pid that is another's by now, and one that is nobody's, hold nothing", () => {
  expect(HeldNamespace.find({ ...self, startTicks: "1" })).toBeUndefined();
  expect(HeldNamespace.find({ pid: 2 ** 30, startTicks: "1" })).toBeUndefined();
});
