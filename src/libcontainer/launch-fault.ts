import { constants } from "node:os";
import { Fault, type FaultKind } from "#errors";
import { errnoName } from "#host";
import type { NetlinkStep } from "#oci";
import type { Plan, Step } from "./plan.ts";
import type { Report } from "./wire.ts";

type Failure = Extract<Report, { readonly kind: "failed" }>;
type PlainStep = Exclude<Step, { readonly op: "exec" | "user" | "reserve-port" | "netlink" }>;
type StepOf<Op extends Step["op"]> = Extract<Step, { readonly op: Op }>;

const { errno } = constants;
const {
  ENOENT,
  ENOTDIR,
  EISDIR,
  EACCES,
  EPERM,
  ENOEXEC,
  EADDRINUSE,
  ENOSPC,
  EROFS,
  EINVAL,
  ELOOP,
  ESRCH,
  ECANCELED,
} = errno;

/** The kernel's own words where a client may look for them; other numbers are told by name. Source: errno(3). */
const WORDS: Readonly<Record<number, string>> = {
  [ENOENT]: "no such file or directory",
  [ENOTDIR]: "not a directory",
  [EISDIR]: "is a directory",
  [EACCES]: "permission denied",
  [EPERM]: "operation not permitted",
  [ENOEXEC]: "exec format error",
  [ENOSPC]: "no space left on device",
  [EROFS]: "read-only file system",
  [EINVAL]: "invalid argument",
  [ELOOP]: "too many levels of symbolic links",
  [errno.E2BIG]: "argument list too long",
  [errno.EAGAIN]: "resource temporarily unavailable",
  [errno.EBUSY]: "device or resource busy",
  [errno.EEXIST]: "file exists",
  [errno.ENAMETOOLONG]: "file name too long",
  [errno.ENODEV]: "no such device",
  [errno.ENOMEM]: "cannot allocate memory",
};

export const wordsOf = (number: number): string => WORDS[number] ?? errnoName(number);

/** One sentence about the step that failed: what could not be done, to what, and why. */
export function launchFault(failure: Failure, plan: Plan): Fault {
  const step = plan[failure.step];
  if (failure.errno === ECANCELED)
    return new Fault("cancelled", "Cannot start the container: it was called off");
  if (step === undefined) return settingsFault(failure);
  switch (step.op) {
    case "exec":
      return execFault(failure, step);
    case "user":
      return userFault(failure, step);
    case "reserve-port":
      return portFault(failure, step);
    case "netlink":
      return netlinkStepFault(failure, step);
    case "bind":
    case "image":
      return sourceFault(failure, step);
    case "root":
      if (failure.detail === "ids") return idsFault(failure);
      return failure.detail === "idmap" ? rootMapFault(failure, step) : plainFault(failure, step);
    default:
      return plainFault(failure, step);
  }
}

function plainFault(failure: Failure, step: PlainStep): Fault {
  return new Fault(kindOf(step, failure.errno), `Cannot ${purposeOf(step)}: ${reasonOf(failure)}`);
}

export function netlinkFault(failure: Failure, steps: readonly NetlinkStep[]): Fault {
  const step = steps[failure.step];
  return step === undefined ? settingsFault(failure) : netlinkStepFault(failure, step);
}

/** Docker's question. */
const MISMATCH =
  "not a directory: are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type";

/** Of a mount that shows a part of some other tree: the part may not be there, or not be fit for it. */
function sourceFault(failure: Failure, step: StepOf<"bind" | "image">): Fault {
  const number = failure.errno;
  const source = step.op === "bind" ? step.source : "the image";
  const say = (text: string) => new Fault(kindOf(step, number), text);
  if (failure.detail === "subpath")
    return number === errno.EXDEV
      ? say(
          `Cannot mount the subpath ${step.subpath} of ${source}: it leads outside, path escapes from parent`,
        )
      : say(`Cannot mount the subpath ${step.subpath} of ${source}: cannot access path: ${wordsOf(number)}`);
  if (failure.detail === "idmap") return say(idmapSentence(source, number));
  const isMismatch = failure.detail === "" && (number === EINVAL || number === ENOTDIR);
  return say(`Cannot ${purposeOf(step)}: ${isMismatch ? MISMATCH : reasonOf(failure)}`);
}

/** Source: user_namespaces(7). */
function idsFault({ errno: number }: Failure): Fault {
  const reason =
    number === ENOSPC
      ? "no more of them may be made, see the sysctl user.max_user_namespaces"
      : wordsOf(number);
  return new Fault("unavailable", `Cannot make the container's user namespace: ${reason}`);
}

/** Source: mount_setattr(2), "Errors"; layers of an overlay can be mapped since Linux 5.19. */
function rootMapFault({ errno: number }: Failure, { mount }: StepOf<"root">): Fault {
  const reason =
    number === EINVAL || number === EPERM
      ? mount.type === "overlay"
        ? "it needs Linux 5.19 and a file system that can do so (ext4, xfs, btrfs) below the data root"
        : "the file system that the graph driver puts it on cannot do that"
      : wordsOf(number);
  return new Fault(
    "unsupported",
    `Cannot map the owners of the container's root for its user namespace: ${reason}; --userns host runs it without one`,
  );
}

/** Source: mount_setattr(2), "Errors". */
function idmapSentence(source: string, number: number): string {
  const reason =
    number === EINVAL
      ? "its file system cannot do that; bind it without idmap, or from another file system"
      : number === EPERM
        ? "the kernel does not permit it: the file system may be mapped already, or belong to another user namespace"
        : number === ENOSPC
          ? "no more user namespaces may be made, see the sysctl user.max_user_namespaces"
          : wordsOf(number);
  return `Cannot map the owners of ${source} (idmap): ${reason}`;
}

function reasonOf({ errno: number, detail }: Failure): string {
  return detail === "" ? wordsOf(number) : `${detail}: ${wordsOf(number)}`;
}

function settingsFault(failure: Failure): Fault {
  if (failure.errno === ESRCH)
    return new Fault("conflict", "Cannot run a program in the container: it is not running");
  return new Fault("internal", `Cannot prepare the supervisor: ${reasonOf(failure)}`);
}

/** With the phrases by which Docker's clients tell exit codes 126 and 127. Source: docker run reference, exit status. */
function execFault({ errno: number, detail }: Failure, { args: [name = ""] }: StepOf<"exec">): Fault {
  const quoted = JSON.stringify(name);
  const say = (text: string) => new Fault("invalid", `Cannot start the program: ${text}`);
  if (detail === "find") {
    if (!name.includes("/")) return say(`exec: ${quoted}: executable file not found in $PATH`);
    if (number === ENOENT || number === ENOTDIR)
      return say(`exec: ${quoted}: stat ${name}: ${wordsOf(number)}`);
    // Older clients know exit code 126 by the first of these phrases alone.
    return say(
      `exec: ${quoted}: ${number === EISDIR ? "permission denied: it is a directory" : wordsOf(number)}`,
    );
  }
  if (detail === "seccomp")
    return new Fault("internal", `Cannot install the seccomp filter: ${wordsOf(number)}`);
  if (detail === "exec") return say(`exec ${name}: ${wordsOf(number)}`);
  // Source: user_namespaces(7), "Set-user-ID and set-group-ID programs": an id that is not mapped cannot be taken.
  if (number === EINVAL)
    return say("the container's user namespace does not have its user or its groups; choose others");
  return new Fault("internal", `Cannot give ${quoted} its identity: ${wordsOf(number)}`);
}

function userFault(failure: Failure, { user }: StepOf<"user">): Fault {
  const [, file, name] = /^(passwd|group):(.*)$/s.exec(failure.detail) ?? [];
  if (file === "passwd")
    return new Fault("invalid", `unable to find user ${name}: no matching entries in passwd file`);
  if (file === "group")
    return new Fault("invalid", `unable to find group ${name}: no matching entries in group file`);
  if (failure.detail === "range")
    return new Fault("invalid", `Cannot run as ${user}: uids and gids must be in range 0-2147483647`);
  const reason =
    failure.errno === EINVAL
      ? "it is not a regular file"
      : failure.errno === errno.EFBIG
        ? "it is over 1 MiB"
        : wordsOf(failure.errno);
  return new Fault(
    "invalid",
    `Cannot look up user ${JSON.stringify(user)} in the container's ${failure.detail}: ${reason}`,
  );
}

function portFault({ errno: number }: Failure, step: StepOf<"reserve-port">): Fault {
  const host = step.family === 6 ? `[${step.address}]` : step.address;
  const where = `${host}:${step.port}/${step.protocol}`;
  if (number === EADDRINUSE)
    return new Fault(
      "conflict",
      `Bind for ${host}:${step.port} failed: port is already allocated (${step.protocol})`,
    );
  if (number === errno.EADDRNOTAVAIL)
    return new Fault("invalid", `Cannot publish ${where}: this host has no such address`);
  return new Fault("internal", `Cannot publish ${where}: ${wordsOf(number)}`);
}

function netlinkStepFault(failure: Failure, { purpose }: NetlinkStep): Fault {
  return new Fault("internal", `Cannot ${purpose}: ${reasonOf(failure)}`);
}

/** What is the caller's doing is `invalid`: a mount point or working directory that cannot be. */
function kindOf({ op }: Step, number: number): FaultKind {
  const isUsers =
    op === "bind" || op === "image" || op === "mount" || op === "chdir" || op === "sysctl" || op === "rlimit";
  if (number === ENOSPC) return "unavailable";
  return isUsers && number !== errno.ENOMEM ? "invalid" : "internal";
}

/** Completes "Cannot …". */
function purposeOf(step: PlainStep): string {
  switch (step.op) {
    case "cgroup":
      return `make the group ${step.path}`;
    case "cgroup-join":
      return `join the group ${step.path}`;
    case "write":
      return `write ${JSON.stringify(step.value)} to ${step.path}`;
    case "device-filter":
      return `filter the devices of ${step.path}`;
    case "join":
      return `join the ${step.namespace} namespace ${step.path}`;
    case "id-map":
      return "map the ids of the user namespace";
    case "clone":
      return `make the namespaces ${step.namespaces.join(", ")}`;
    case "bundle":
      return `write ${step.name} of the bundle`;
    case "runtime":
      return `${step.verb} the container with ${step.args[0]}`;
    case "root":
      return `mount the container's root (${step.mount.type})`;
    case "mount":
      return `mount ${step.type} on ${step.target}`;
    case "bind":
      return `bind ${step.source} to ${step.target}`;
    case "image":
      return `mount the image on ${step.target}`;
    default:
      return childPurposeOf(step);
  }
}

type ChildOp =
  | "mkdir"
  | "mknod"
  | "symlink"
  | "mask"
  | "readonly"
  | "pivot"
  | "console"
  | "hostname"
  | "domainname"
  | "sysctl"
  | "rlimit"
  | "oom-score"
  | "umask"
  | "no-new-privileges"
  | "apparmor"
  | "capabilities"
  | "chdir"
  | "seccomp";

function childPurposeOf(step: StepOf<ChildOp>): string {
  switch (step.op) {
    case "mkdir":
    case "mknod":
    case "symlink":
      return `make ${step.target} in the container`;
    case "mask":
      return `mask ${step.target}`;
    case "readonly":
      return `make ${step.target} read-only`;
    case "pivot":
      return "enter the container's root";
    case "console":
      return "open a terminal in the container";
    case "hostname":
    case "domainname":
      return `set the ${step.op} ${JSON.stringify(step.name)}`;
    case "sysctl":
      return `set the sysctl ${step.key} to ${JSON.stringify(step.value)}`;
    case "rlimit":
      return `set resource limit ${step.resource} to ${step.soft}:${step.hard}`;
    case "oom-score":
      return `set the OOM score adjustment to ${step.adjust}`;
    case "apparmor":
      return `use the AppArmor profile ${step.profile}`;
    case "chdir":
      return `enter the working directory ${step.target}`;
    default:
      return `set the ${step.op} of the program`;
  }
}
