import type { DeviceRule } from "../spec.ts";

/** struct bpf_insn: opcode, registers (destination in the low half), signed offset, signed immediate. */
type Instruction = readonly [
  code: number,
  destination: number,
  source: number,
  offset: number,
  immediate: number,
];

/** Source: Linux, include/uapi/linux/bpf.h and Documentation/bpf/standardization/instruction-set.rst. */
const LOAD_WORD = 0x61;
const MOVE_REGISTER = 0xbc;
const MOVE_VALUE = 0xb7;
const AND_VALUE = 0x54;
const SHIFT_RIGHT = 0x74;
const JUMP_EQUAL = 0x15;
const JUMP_NOT_EQUAL = 0x55;
const JUMP_REGISTERS_DIFFER = 0x5d;
const EXIT = 0x95;

/** Source: include/uapi/linux/bpf.h, BPF_DEVCG_*. */
const TYPES = { b: 1, c: 2 } as const;
const ACCESSES: Readonly<Record<string, number>> = { m: 1, r: 2, w: 4 };
const EVERY_ACCESS = 7;

/** What a list of rules comes to, by the same reckoning as the v1 controller's: a behaviour, and exceptions from it. */
interface DevicePolicy {
  readonly allowsByDefault: boolean;
  readonly exceptions: readonly Exception[];
}

interface Exception {
  readonly type: "b" | "c";
  readonly major?: number;
  readonly minor?: number;
  readonly access: number;
}

/** Rules in order; `a` sets the behaviour and forgets all exceptions. Source: Linux, security/device_cgroup.c. */
export function devicePolicy(rules: readonly DeviceRule[]): DevicePolicy {
  let allowsByDefault = false;
  let exceptions = new Map<string, Exception>();
  for (const { allow, type, major, minor, access } of rules) {
    if (type === "a") {
      allowsByDefault = allow;
      exceptions = new Map();
      continue;
    }
    const key = `${type} ${major ?? "*"}:${minor ?? "*"}`;
    const mask = [...access].reduce((bits, letter) => bits | (ACCESSES[letter] ?? 0), 0);
    const held = exceptions.get(key)?.access ?? 0;
    const next = allow === allowsByDefault ? held & ~mask : held | mask;
    if (next === 0) exceptions.delete(key);
    else
      exceptions.set(key, {
        type,
        ...(major === undefined ? {} : { major }),
        ...(minor === undefined ? {} : { minor }),
        access: next,
      });
  }
  return { allowsByDefault, exceptions: [...exceptions.values()] };
}

/**
 * An array of struct bpf_insn for BPF_PROG_TYPE_CGROUP_DEVICE that answers 1 for what the rules allow and 0 for the
 * rest; undefined when everything is allowed, which needs no program.
 */
export function compileDeviceFilter(rules: readonly DeviceRule[]): Uint8Array | undefined {
  const policy = devicePolicy(rules);
  if (policy.allowsByDefault && policy.exceptions.length === 0) return undefined;
  return encode([
    // r2: type, r3: access, r4: major, r5: minor, from struct bpf_cgroup_dev_ctx in r1.
    [LOAD_WORD, 2, 1, 0, 0],
    [MOVE_REGISTER, 3, 2, 0, 0],
    [AND_VALUE, 2, 0, 0, 0xffff],
    [SHIFT_RIGHT, 3, 0, 0, 16],
    [LOAD_WORD, 4, 1, 4, 0],
    [LOAD_WORD, 5, 1, 8, 0],
    ...policy.exceptions.flatMap((exception) => block(exception, policy.allowsByDefault)),
    [MOVE_VALUE, 0, 0, 0, policy.allowsByDefault ? 1 : 0],
    [EXIT, 0, 0, 0, 0],
  ]);
}

/** Answers when the exception applies, and falls through to the next one otherwise. */
function block(exception: Exception, allowsByDefault: boolean): readonly Instruction[] {
  const tests: Instruction[] = [[JUMP_NOT_EQUAL, 2, 0, 0, TYPES[exception.type]]];
  if (exception.access !== EVERY_ACCESS) {
    tests.push([MOVE_REGISTER, 1, 3, 0, 0], [AND_VALUE, 1, 0, 0, exception.access]);
    // An allowance must cover all that is wanted; a refusal applies to any part of it.
    tests.push(allowsByDefault ? [JUMP_EQUAL, 1, 0, 0, 0] : [JUMP_REGISTERS_DIFFER, 1, 3, 0, 0]);
  }
  if (exception.major !== undefined) tests.push([JUMP_NOT_EQUAL, 4, 0, 0, exception.major]);
  if (exception.minor !== undefined) tests.push([JUMP_NOT_EQUAL, 5, 0, 0, exception.minor]);
  const isJump = (code: number) =>
    code === JUMP_NOT_EQUAL || code === JUMP_REGISTERS_DIFFER || code === JUMP_EQUAL;
  return [
    ...tests.map(([code, destination, source, , immediate], index): Instruction => {
      const offset = isJump(code) ? tests.length - index + 1 : 0;
      return [code, destination, source, offset, immediate];
    }),
    [MOVE_VALUE, 0, 0, 0, allowsByDefault ? 0 : 1],
    [EXIT, 0, 0, 0, 0],
  ];
}

function encode(program: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [index, [code, destination, source, offset, immediate]] of program.entries()) {
    view.setUint8(index * 8, code);
    view.setUint8(index * 8 + 1, (source << 4) | destination);
    view.setInt16(index * 8 + 2, offset, true);
    view.setInt32(index * 8 + 4, immediate, true);
  }
  return bytes;
}
