import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { CAPABILITIES, type Capability, DEFAULT_CAPABILITIES, type SeccompProfile } from "#libcontainer";
import { actionValue } from "../../../src/libcontainer/seccomp/actions.ts";
import { compileFor } from "../../../src/libcontainer/seccomp/compile.ts";
import { conventionsOf, syscallNumbers } from "../../../src/libcontainer/seccomp/numbers.ts";
import { defaultProfile } from "../../../src/libcontainer/seccomp/profile.ts";
import { defaultSeccomp, resolveSeccomp } from "../../../src/libcontainer/seccomp/resolve.ts";
import { ALLOW, AUDIT, errno, KILL_PROCESS, runFilter } from "./seccomp-interpreter.ts";

const EPERM = errno(1);
const ENOSYS = errno(38);
const X64 = { architecture: "x64", kernel: [6, 18] } as const;
const ARM64 = { architecture: "arm64", kernel: [6, 18] } as const;
const X32_BIT = 0x4000_0000;
const REFERENCE = `${import.meta.dir}/../../../../shared/data/seccomp-default.json`;

/** What a profile says of a call, by the plainest reading of it. */
function judge(profile: SeccompProfile, name: string, args: readonly bigint[]): number {
  const rules = rulesByName(profile).get(name) ?? [];
  const settled = rules.find((rule) => rule.args.length === 0);
  const found =
    settled ?? rules.find((rule) => rule.args.every((test) => holds(test, args[test.index] ?? 0n)));
  if (found === undefined) return actionValue(profile.defaultAction, profile.defaultErrno);
  return actionValue(found.action, found.errno);
}

const indexes = new WeakMap<SeccompProfile, Map<string, SeccompProfile["syscalls"]>>();

function rulesByName(profile: SeccompProfile): ReadonlyMap<string, SeccompProfile["syscalls"]> {
  const index = indexes.get(profile) ?? new Map<string, SeccompProfile["syscalls"]>();
  indexes.set(profile, index);
  if (index.size > 0) return index;
  for (const rule of profile.syscalls)
    for (const name of rule.names) index.set(name, [...(index.get(name) ?? []), rule]);
  return index;
}

function holds(test: { op: string; value: bigint; valueTwo: bigint }, arg: bigint): boolean {
  const outcomes: Record<string, boolean> = {
    SCMP_CMP_EQ: arg === test.value,
    SCMP_CMP_NE: arg !== test.value,
    SCMP_CMP_LT: arg < test.value,
    SCMP_CMP_LE: arg <= test.value,
    SCMP_CMP_GT: arg > test.value,
    SCMP_CMP_GE: arg >= test.value,
    SCMP_CMP_MASKED_EQ: (arg & test.value) === test.valueTwo,
  };
  return outcomes[test.op] ?? false;
}

const ARGUMENTS = [
  0n,
  1n,
  8n,
  37n,
  38n,
  39n,
  40n,
  41n,
  0x11n,
  0x20000n,
  0x20008n,
  0x1000_0000n,
  0x7e02_0000n,
  0xffff_ffffn,
];

const CAPABILITY_SETS: readonly (readonly Capability[])[] = [
  [],
  DEFAULT_CAPABILITIES,
  CAPABILITIES,
  ...CAPABILITIES.map((one) => [one]),
  ...CAPABILITIES.map((one) => [...DEFAULT_CAPABILITIES, one]),
];

/** Every name of every table, and one that no kernel has. */
const NAMES = [
  ...new Set(
    ["x64", "arm64"].flatMap((architecture) =>
      conventionsOf(architecture).flatMap((convention) => [...syscallNumbers(convention).keys()]),
    ),
  ),
  "no_such_call",
];

describe("the default profile", () => {
  const isThere = existsSync(REFERENCE);
  const title = isThere ? "" : " (skipped: the reference profile is not beside the project)";
  test.skipIf(!isThere)(`equals Docker's in effect${title}`, () => {
    const json = readFileSync(REFERENCE, "utf8");
    const offences: string[] = [];
    for (const host of [X64, ARM64, { architecture: "x64", kernel: [4, 4] } as const]) {
      for (const capabilities of CAPABILITY_SETS) {
        const ours = defaultProfile(new Set(capabilities), host);
        const docker = resolveSeccomp(json, new Set(capabilities), host);
        for (const name of NAMES)
          for (const arg of ARGUMENTS)
            if (judge(ours, name, [arg]) !== judge(docker, name, [arg]))
              offences.push(`${capabilities} ${name} ${arg}`);
      }
    }
    expect(offences.slice(0, 10)).toEqual([]);
  });

  test.skipIf(!isThere)(`names the same calls as Docker's${title}`, () => {
    const names = (profile: SeccompProfile) => [...rulesByName(profile).keys()].sort();
    for (const host of [X64, ARM64])
      expect(names(defaultProfile(new Set(CAPABILITIES), host))).toEqual(
        names(resolveSeccomp(readFileSync(REFERENCE, "utf8"), new Set(CAPABILITIES), host)),
      );
  });

  test("is one object for one capability set, so that it is compiled once", () => {
    expect(defaultSeccomp(DEFAULT_CAPABILITIES)).toBe(defaultSeccomp(DEFAULT_CAPABILITIES.toReversed()));
    expect(defaultSeccomp([])).not.toBe(defaultSeccomp(DEFAULT_CAPABILITIES));
  });
});

describe("a compiled program", () => {
  for (const [architecture, audits] of [
    ["x64", { SCMP_ARCH_X86_64: AUDIT.x64, SCMP_ARCH_X86: AUDIT.i386, SCMP_ARCH_X32: AUDIT.x64 }],
    ["arm64", { SCMP_ARCH_AARCH64: AUDIT.arm64, SCMP_ARCH_ARM: AUDIT.arm }],
  ] as const) {
    for (const [label, capabilities] of [
      ["no capability", []],
      ["the default capabilities", DEFAULT_CAPABILITIES],
      ["all capabilities", CAPABILITIES],
    ] as const) {
      test(`says what the profile says of every call of ${architecture} with ${label}`, () => {
        const profile = defaultProfile(new Set(capabilities), { architecture, kernel: [6, 18] });
        const program = compileFor(profile, architecture);
        const offences: string[] = [];
        for (const convention of conventionsOf(architecture)) {
          const audit = (audits as Record<string, number>)[convention.name] ?? 0;
          const known = [...syscallNumbers(convention)];
          const named = known.filter(([name]) => profile.syscalls.some(({ names }) => names.includes(name)));
          const newest = Math.max(...named.map(([, number]) => number).filter((number) => number < 0xf0000));
          for (const [name, number] of known) {
            const names = known.filter(([, other]) => other === number).map(([other]) => other);
            for (const arg of ARGUMENTS) {
              const outcomes = names.map((one) => judge(profile, one, [arg]));
              const expected =
                number > newest && number < 0xf0000 ? ENOSYS : outcomes.includes(ALLOW) ? ALLOW : outcomes[0];
              const got = runFilter(program, { audit, number: number + convention.numberBit, args: [arg] });
              if (got !== expected)
                offences.push(`${convention.name} ${name} ${arg}: ${got} for ${expected}`);
            }
          }
        }
        expect(offences.slice(0, 10)).toEqual([]);
      });
    }
  }

  const program = compileFor(defaultProfile(new Set(DEFAULT_CAPABILITIES), X64), "x64");
  const [native, i386, x32] = conventionsOf("x64").map(syscallNumbers);
  const cases: readonly (readonly [string, number, number | undefined, readonly bigint[], number])[] = [
    ["socket(AF_INET)", AUDIT.x64, native?.get("socket"), [2n, 1n, 0n], ALLOW],
    ["socket(AF_ALG)", AUDIT.x64, native?.get("socket"), [38n, 5n, 0n], EPERM],
    ["socket(AF_VSOCK)", AUDIT.x64, native?.get("socket"), [40n, 1n, 0n], EPERM],
    ["socket(AF_KCM)", AUDIT.x64, native?.get("socket"), [41n, 1n, 0n], ALLOW],
    [
      "socket(AF_ALG) with rubbish in the high half",
      AUDIT.x64,
      native?.get("socket"),
      [(1n << 32n) | 38n, 5n, 0n],
      EPERM,
    ],
    ["socket(AF_ALG) by x32", AUDIT.x64, X32_BIT + (x32?.get("socket") ?? 0), [38n, 5n, 0n], EPERM],
    ["socket(AF_VSOCK) on i386", AUDIT.i386, i386?.get("socket"), [40n, 1n, 0n], EPERM],
    ["clone for a thread", AUDIT.x64, native?.get("clone"), [0x3d0f00n], ALLOW],
    ["clone for a user namespace", AUDIT.x64, native?.get("clone"), [0x1000_0011n], EPERM],
    [
      "clone for a user namespace by x32",
      AUDIT.x64,
      X32_BIT + (x32?.get("clone") ?? 0),
      [0x1000_0011n],
      EPERM,
    ],
    ["clone for a user namespace on i386", AUDIT.i386, i386?.get("clone"), [0x1000_0011n], EPERM],
    ["clone3", AUDIT.x64, native?.get("clone3"), [], ENOSYS],
    ["clone3 on i386", AUDIT.i386, i386?.get("clone3"), [], ENOSYS],
    ["unshare", AUDIT.x64, native?.get("unshare"), [0n], EPERM],
    ["keyctl", AUDIT.x64, native?.get("keyctl"), [], EPERM],
    ["keyctl on i386", AUDIT.i386, i386?.get("keyctl"), [], EPERM],
    ["keyctl by x32", AUDIT.x64, X32_BIT + (x32?.get("keyctl") ?? 0), [], EPERM],
    ["add_key", AUDIT.x64, native?.get("add_key"), [], EPERM],
    ["bpf", AUDIT.x64, native?.get("bpf"), [], EPERM],
    ["io_uring_setup", AUDIT.x64, native?.get("io_uring_setup"), [], EPERM],
    ["mount", AUDIT.x64, native?.get("mount"), [], EPERM],
    ["chroot", AUDIT.x64, native?.get("chroot"), [], ALLOW],
    ["open_by_handle_at", AUDIT.x64, native?.get("open_by_handle_at"), [], EPERM],
    ["personality(PER_LINUX)", AUDIT.x64, native?.get("personality"), [0n], ALLOW],
    ["personality(ADDR_NO_RANDOMIZE)", AUDIT.x64, native?.get("personality"), [0x40000n], EPERM],
    [
      "personality with rubbish in the high half",
      AUDIT.x64,
      native?.get("personality"),
      [(1n << 32n) | 8n],
      EPERM,
    ],
    ["a call from the future", AUDIT.x64, 600, [], ENOSYS],
    ["a call from the future on i386", AUDIT.i386, 600, [], ENOSYS],
    ["a call from the future by x32", AUDIT.x64, X32_BIT + 600, [], ENOSYS],
    ["the number -1, which a tracer may leave", AUDIT.x64, -1, [], ENOSYS],
    ["a foreign architecture", AUDIT.arm, 1, [], KILL_PROCESS],
  ];
  for (const [title, audit, number, args, expected] of cases)
    test(`answers ${title}`, () => {
      expect(number).toBeDefined();
      expect(runFilter(program, { audit, number: number ?? 0, args })).toBe(expected);
    });

  test("compares all 64 bits with every operator", () => {
    const edges = [
      0n,
      1n,
      0xffff_ffffn,
      1n << 32n,
      (1n << 32n) + 1n,
      0x1234_5678_9abc_def0n,
      (1n << 64n) - 1n,
    ];
    for (const op of ["EQ", "NE", "LT", "LE", "GT", "GE", "MASKED_EQ"])
      for (const value of edges)
        for (const valueTwo of op === "MASKED_EQ" ? [0n, value, 1n << 32n, 1n] : [0n]) {
          const test = { index: 3, op: `SCMP_CMP_${op}`, value, valueTwo };
          const profile: SeccompProfile = {
            defaultAction: "SCMP_ACT_ERRNO",
            defaultErrno: 1,
            syscalls: [{ names: ["read"], action: "SCMP_ACT_ALLOW", args: [test] }],
          };
          const compiled = compileFor(profile, "x64");
          for (const arg of edges)
            expect([
              op,
              value,
              arg,
              runFilter(compiled, { audit: AUDIT.x64, number: 0, args: [0n, 0n, 0n, arg] }),
            ]).toEqual([op, value, arg, holds(test, arg) ? ALLOW : EPERM]);
        }
  });

  test("wants all conditions of a rule, and any of several rules", () => {
    const compiled = compileFor(
      {
        defaultAction: "SCMP_ACT_ERRNO",
        defaultErrno: 1,
        syscalls: [
          {
            names: ["write"],
            action: "SCMP_ACT_ALLOW",
            args: [
              { index: 0, op: "SCMP_CMP_EQ", value: 1n, valueTwo: 0n },
              { index: 2, op: "SCMP_CMP_LE", value: 10n, valueTwo: 0n },
            ],
          },
          {
            names: ["write"],
            action: "SCMP_ACT_KILL_PROCESS",
            args: [{ index: 0, op: "SCMP_CMP_EQ", value: 9n, valueTwo: 0n }],
          },
        ],
      },
      "x64",
    );
    const write = (...args: bigint[]) => runFilter(compiled, { audit: AUDIT.x64, number: 1, args });
    expect([write(1n, 0n, 10n), write(1n, 0n, 11n), write(2n, 0n, 1n), write(9n, 0n, 1n)]).toEqual([
      ALLOW,
      EPERM,
      EPERM,
      KILL_PROCESS,
    ]);
  });

  test("jumps further than a byte can say", () => {
    const names = [...(native ?? new Map()).keys()];
    const profile: SeccompProfile = {
      defaultAction: "SCMP_ACT_ALLOW",
      defaultErrno: 1,
      syscalls: names.map((name: string, index) => ({
        names: [name],
        action: "SCMP_ACT_ERRNO",
        errno: index + 100,
        args: [{ index: 1, op: "SCMP_CMP_GT", value: BigInt(index) << 33n, valueTwo: 0n }],
      })),
    };
    const compiled = compileFor({ ...profile, architectures: [] }, "x64");
    expect(compiled.length / 8).toBeGreaterThan(1000);
    for (const [index, name] of names.entries()) {
      const number = native?.get(name) ?? 0;
      const ask = (arg: bigint) => runFilter(compiled, { audit: AUDIT.x64, number, args: [0n, arg] });
      expect([name, ask((BigInt(index) << 33n) + 1n), ask(BigInt(index) << 33n)]).toEqual([
        name,
        errno(index + 100),
        ALLOW,
      ]);
    }
  });

  test("kills what uses a convention that the profile leaves out", () => {
    const compiled = compileFor(
      { defaultAction: "SCMP_ACT_ALLOW", defaultErrno: 1, architectures: [], syscalls: [] },
      "x64",
    );
    expect(runFilter(compiled, { audit: AUDIT.x64, number: 0, args: [] })).toBe(ALLOW);
    expect(runFilter(compiled, { audit: AUDIT.i386, number: 0, args: [] })).toBe(KILL_PROCESS);
    expect(runFilter(compiled, { audit: AUDIT.x64, number: X32_BIT, args: [] })).toBe(KILL_PROCESS);
  });
});

describe("a profile from outside", () => {
  const resolve = (profile: unknown) =>
    resolveSeccomp(
      typeof profile === "string" ? profile : JSON.stringify(profile),
      new Set(["CAP_CHOWN"]),
      X64,
    );

  test("keeps 64-bit values to the last digit", () => {
    const json = `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_ERRNO","args":[{"index":0,"value":18446744073709551615,"op":"SCMP_CMP_EQ"}]}]}`;
    expect(resolve(json).syscalls[0]?.args[0]?.value).toBe(0xffff_ffff_ffff_ffffn);
  });

  test("keeps rules by capability, architecture and kernel", () => {
    const rule = (name: string, more: object) => ({ names: [name], action: "SCMP_ACT_ALLOW", ...more });
    const { syscalls } = resolve({
      defaultAction: "SCMP_ACT_ERRNO",
      syscalls: [
        rule("in1", { includes: { caps: ["CAP_CHOWN"] } }),
        rule("out1", { includes: { caps: ["CAP_CHOWN", "CAP_KILL"] } }),
        rule("out2", { excludes: { caps: ["CAP_CHOWN"] } }),
        rule("in2", { includes: { arches: ["arm64", "amd64"] } }),
        rule("out3", { includes: { arches: ["s390x"] } }),
        rule("out4", { excludes: { arches: ["amd64"] } }),
        rule("in3", { includes: { minKernel: "4.8" } }),
        rule("out5", { includes: { minKernel: "7.0" } }),
        rule("in4", { excludes: { minKernel: "7.0" } }),
      ],
    });
    expect(syscalls.flatMap(({ names }) => names)).toEqual(["in1", "in2", "in3", "in4"]);
  });

  test("takes several conditions on one argument as alternatives", () => {
    const args = [
      { index: 0, value: 1, op: "SCMP_CMP_EQ" },
      { index: 0, value: 2, op: "SCMP_CMP_EQ" },
    ];
    const { syscalls } = resolve({
      defaultAction: "SCMP_ACT_ERRNO",
      syscalls: [{ names: ["read"], action: "SCMP_ACT_ALLOW", args }],
    });
    expect(syscalls.map((rule) => rule.args.map(({ value }) => value))).toEqual([[1n], [2n]]);
  });

  test("names the companions of this architecture", () => {
    const archMap = [{ architecture: "SCMP_ARCH_X86_64", subArchitectures: ["SCMP_ARCH_X86"] }];
    expect(resolve({ defaultAction: "SCMP_ACT_ALLOW", archMap }).architectures).toEqual([
      "SCMP_ARCH_X86_64",
      "SCMP_ARCH_X86",
    ]);
    expect(resolve({ defaultAction: "SCMP_ACT_ALLOW" }).architectures).toEqual([]);
  });

  for (const [title, profile, words] of [
    ["no JSON", "{", "Decoding seccomp profile failed"],
    ["no default action", {}, "defaultAction"],
    ["an unknown action", { defaultAction: "SCMP_ACT_SHRUG" }, "SCMP_ACT_SHRUG"],
    [
      "an unknown action of a rule",
      { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["read"], action: "x" }] },
      '"x"',
    ],
    [
      "name and names",
      { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ name: "a", names: ["b"], action: "SCMP_ACT_TRAP" }] },
      "both name and names",
    ],
    [
      "architectures and archMap",
      { defaultAction: "SCMP_ACT_ALLOW", architectures: ["a"], archMap: [{ architecture: "b" }] },
      "both",
    ],
    [
      "an argument that no call has",
      {
        defaultAction: "SCMP_ACT_ALLOW",
        syscalls: [
          { names: ["a"], action: "SCMP_ACT_TRAP", args: [{ index: 6, value: 1, op: "SCMP_CMP_EQ" }] },
        ],
      },
      "index",
    ],
    ["a listener", { defaultAction: "SCMP_ACT_ALLOW", listenerPath: "/x" }, "listenerPath"],
  ] as const)
    test(`with ${title} is refused`, () => {
      expect(() => resolve(profile)).toThrow(words);
    });
});
