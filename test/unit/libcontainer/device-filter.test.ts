import { describe, expect, test } from "bun:test";
import { DEFAULT_DEVICE_RULES, type DeviceRule, parseDeviceRule } from "#libcontainer";
import { compileDeviceFilter } from "../../../src/libcontainer/cgroups/device-filter.ts";

interface Request {
  readonly type: "b" | "c";
  readonly major: number;
  readonly minor: number;
  readonly access: string;
}

/** Runs a program of struct bpf_insn over a struct bpf_cgroup_dev_ctx, as far as these programs go. */
function answer(program: Uint8Array, request: Request): number {
  const code = new DataView(program.buffer, program.byteOffset, program.byteLength);
  const bits = [...request.access].reduce((sum, letter) => sum | ({ m: 1, r: 2, w: 4 }[letter] ?? 0), 0);
  const context = [(bits << 16) | (request.type === "b" ? 1 : 2), request.major, request.minor];
  const registers = new Array<number>(11).fill(0);
  for (let at = 0, steps = 0; steps < 10_000; at += 1, steps += 1) {
    if (at < 0 || at * 8 >= program.length) throw new Error("control left the program");
    const opcode = code.getUint8(at * 8);
    const destination = code.getUint8(at * 8 + 1) & 15;
    const source = code.getUint8(at * 8 + 1) >> 4;
    const offset = code.getInt16(at * 8 + 2, true);
    const value = code.getInt32(at * 8 + 4, true);
    const left = registers[destination] ?? 0;
    const right = registers[source] ?? 0;
    if (opcode === 0x95) return registers[0] ?? -1;
    if (opcode === 0x61) registers[destination] = context[offset / 4] ?? -1;
    else if (opcode === 0xbc) registers[destination] = right;
    else if (opcode === 0xb7) registers[destination] = value;
    else if (opcode === 0x54) registers[destination] = (left & value) >>> 0;
    else if (opcode === 0x74) registers[destination] = left >>> value;
    else if (opcode === 0x15) at += left === value ? offset : 0;
    else if (opcode === 0x55) at += left !== value ? offset : 0;
    else if (opcode === 0x5d) at += left !== right ? offset : 0;
    else throw new Error(`opcode ${opcode}`);
  }
  throw new Error("no end");
}

function ask(rules: readonly DeviceRule[], text: string): boolean {
  const [, type, major, minor, access = ""] = /^([bc]) (\d+):(\d+) ([rwm]+)$/.exec(text) ?? [];
  const program = compileDeviceFilter(rules);
  if (program === undefined) return true;
  return (
    answer(program, { type: type as "b" | "c", major: Number(major), minor: Number(minor), access }) === 1
  );
}

const rules = (...texts: string[]): DeviceRule[] =>
  texts.map((text) => ({ ...parseDeviceRule(text.replace(/^!/, "")), allow: !text.startsWith("!") }));

describe("the device filter", () => {
  for (const [request, expected] of [
    ["c 1:3 rwm", true],
    ["c 1:9 r", true],
    ["c 5:2 rw", true],
    ["c 136:17 rw", true],
    ["c 1:1 r", false],
    ["c 1:11 r", false],
    ["c 10:229 rw", false],
    ["c 10:200 rw", false],
    ["b 8:0 r", false],
    ["b 1:3 r", false],
    ["b 8:0 m", true],
    ["c 10:229 m", true],
    ["c 10:229 rm", false],
  ] as const)
    test(`with the default rules ${expected ? "allows" : "denies"} ${request}`, () =>
      expect(ask(DEFAULT_DEVICE_RULES, request)).toBe(expected));

  for (const [title, list, request, expected] of [
    ["a major with any minor", ["!a *:* rwm", "b 8:* r"], "b 8:17 r", true],
    ["no more than the access given", ["!a *:* rwm", "b 8:* r"], "b 8:17 rw", false],
    ["two rules for one device together", ["!a *:* rwm", "b 8:0 r", "b 8:0 w"], "b 8:0 rw", true],
    ["what was allowed and then denied", ["!a *:* rwm", "b 8:0 rw", "!b 8:0 w"], "b 8:0 w", false],
    ["what is left of it", ["!a *:* rwm", "b 8:0 rw", "!b 8:0 w"], "b 8:0 r", true],
    ["everything but one", ["a *:* rwm", "!c 10:229 rwm"], "c 10:200 rw", true],
    ["the one excepted", ["a *:* rwm", "!c 10:229 rwm"], "c 10:229 r", false],
    ["any part of what is excepted", ["a *:* rwm", "!b 8:0 w"], "b 8:0 rw", false],
    ["the other part", ["a *:* rwm", "!b 8:0 w"], "b 8:0 r", true],
    ["nothing without a rule", [], "c 1:3 r", false],
  ] as const)
    test(`decides ${title}`, () => expect(ask(rules(...list), request)).toBe(expected));

  test("is not needed when everything is allowed", () => {
    expect(compileDeviceFilter(rules("!a *:* rwm", "c 1:3 r", "a *:* rwm"))).toBeUndefined();
  });
});
