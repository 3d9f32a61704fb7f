import type { SeccompProfile } from "../spec.ts";
import { isLenient } from "./actions.ts";

type Rule = SeccompProfile["syscalls"][number];

/**
 * FS_IOC_FSSETXATTR, FS_IOC_SETFLAGS and FS_IOC32_SETFLAGS: the owner of a file may give it to another project, and
 * of a directory also what is made in it later. Source: ioctl_fsxattr(2), ioctl_iflags(2); Linux, fileattr_set_prepare().
 */
const PROJECT_COMMANDS = [0x401c_5820n, 0x4008_6602n, 0x4004_6602n];
/**
 * BTRFS_IOC_SNAP_CREATE, BTRFS_IOC_SUBVOL_CREATE and their second versions: whoever may make a directory may make a
 * subvolume, whose size counts for itself alone. Source: include/uapi/linux/btrfs.h.
 */
const SUBVOLUME_COMMANDS = [0x5000_9401n, 0x5000_940en, 0x5000_9417n, 0x5000_9418n];
const COMMANDS = [...PROJECT_COMMANDS, ...SUBVOLUME_COMMANDS];
/** Does the same since Linux 6.17. */
const CALL = "file_setattr";
/** The kernel looks at the low half of a command only. */
const LOW_HALF = 0xffff_ffffn;
const EPERM = 1;
const ENOSYS = 38;

const guarded = new WeakMap<SeccompProfile, SeccompProfile>();

/**
 * The profile, but that no file can be taken out of the project or the subvolume that its size counts for. Outside user namespaces the
 * kernel leaves that to a file's owner. The same object for the same profile, so that it is compiled once.
 */
export function keepProjects(profile: SeccompProfile): SeccompProfile {
  const known = guarded.get(profile) ?? guard(profile);
  guarded.set(profile, known);
  return known;
}

function guard(profile: SeccompProfile): SeccompProfile {
  const isOpen = isLenient(profile.defaultAction);
  return {
    ...profile,
    syscalls: [
      ...COMMANDS.map((command) => refuse("ioctl", EPERM, commandIs(LOW_HALF, command))),
      // Where it is not named it is refused already.
      ...(isOpen ? [refuse(CALL, ENOSYS, [])] : []),
      ...profile.syscalls.flatMap(split),
    ],
  };
}

/** A rule without conditions would outweigh those that have some: `ioctl` gets one that always holds. */
function split(rule: Rule): readonly Rule[] {
  const names = rule.names.filter((name) => name !== CALL && (name !== "ioctl" || rule.args.length > 0));
  if (names.length === rule.names.length) return [rule];
  const rest = names.length > 0 ? [{ ...rule, names }] : [];
  const isAboutCommands = rule.args.length === 0 && rule.names.includes("ioctl");
  return isAboutCommands ? [...rest, { ...rule, names: ["ioctl"], args: commandIs(0n, 0n) }] : rest;
}

const commandIs = (mask: bigint, value: bigint): Rule["args"] => [
  { index: 1, op: "SCMP_CMP_MASKED_EQ", value: mask, valueTwo: value },
];

function refuse(name: string, errno: number, args: Rule["args"]): Rule {
  return { names: [name], action: "SCMP_ACT_ERRNO", errno, args };
}
