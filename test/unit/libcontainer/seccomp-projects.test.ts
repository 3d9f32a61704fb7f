import { describe, expect, test } from "bun:test";
import { DEFAULT_CAPABILITIES, keepProjects, type SeccompProfile } from "#libcontainer";
import { compileFor } from "../../../src/libcontainer/seccomp/compile.ts";
import { conventionsOf, syscallNumbers } from "../../../src/libcontainer/seccomp/numbers.ts";
import { defaultProfile } from "../../../src/libcontainer/seccomp/profile.ts";
import { ALLOW, errno, runFilter } from "./seccomp-interpreter.ts";

const EPERM = errno(1);
const ENOSYS = errno(38);
const HOST = { architecture: "x64", kernel: [6, 18] } as const;
const DEFAULT = defaultProfile(new Set(DEFAULT_CAPABILITIES), HOST);
const TCGETS = 0x5401n;
/**
 * FS_IOC_FSSETXATTR, FS_IOC_SETFLAGS, FS_IOC32_SETFLAGS, and the first with a high half that no kernel looks at; then
 * BTRFS_IOC_SNAP_CREATE, BTRFS_IOC_SUBVOL_CREATE and both in their second version.
 */
const BARRED = [
  ...[0x401c_5820n, 0x4008_6602n, 0x4004_6602n, 0x1_401c_5820n],
  ...[0x5000_9401n, 0x5000_940en, 0x5000_9417n, 0x5000_9418n],
];

const open = (...syscalls: SeccompProfile["syscalls"]): SeccompProfile => ({
  defaultAction: "SCMP_ACT_ALLOW",
  defaultErrno: 1,
  syscalls,
});
const allow = (...names: string[]) => ({ names, action: "SCMP_ACT_ALLOW", args: [] });

/** What each calling convention of this architecture says of a call. */
function verdicts(profile: SeccompProfile, name: string, command = 0n): readonly number[] {
  const program = compileFor(keepProjects(profile), "x64");
  return conventionsOf("x64").flatMap((convention) => {
    const number = syscallNumbers(convention).get(name);
    if (number === undefined) return [];
    const call = { audit: convention.audit, number: number + convention.numberBit, args: [3n, command] };
    return [runFilter(program, call)];
  });
}

describe.each([
  ["the default", DEFAULT],
  ["one that allows everything", open()],
  ["one that names ioctl", open(allow("read", "ioctl"), allow("ioctl"))],
])("under %s", (_name, profile) => {
  test.each(BARRED)("the command %d is refused", (command) => {
    expect(new Set(verdicts(profile, "ioctl", command))).toEqual(new Set([EPERM]));
  });

  test("other commands and calls are as before", () => {
    expect(new Set(verdicts(profile, "ioctl", TCGETS))).toEqual(new Set([ALLOW]));
    expect(new Set(verdicts(profile, "read"))).toEqual(new Set([ALLOW]));
  });

  test("the younger call for the same is refused", () => {
    expect(verdicts(profile, "file_setattr").filter((verdict) => verdict === ALLOW)).toEqual([]);
  });
});

test("of one that refuses everything nothing becomes more", () => {
  const profile = {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrno: 1,
    syscalls: [allow("read", "file_setattr")],
  };
  expect(verdicts(profile, "ioctl", TCGETS).includes(ALLOW)).toBe(false);
  expect(verdicts(profile, "file_setattr").filter((verdict) => ![EPERM, ENOSYS].includes(verdict))).toEqual(
    [],
  );
});

test("the same profile stays the same object", () => {
  expect(keepProjects(DEFAULT)).toBe(keepProjects(DEFAULT));
});
