import { Fault } from "#errors";
import type { NetlinkPatch, NetlinkStep } from "#oci";
import { type LogSink, type SinkOp, sinkStep } from "./log-sink.ts";
import type { Namespace, Plan, Step } from "./plan.ts";

/**
 * A plan as the launcher reads it: "BNK1", the length of the rest (u32), then the settings and the steps. A step is
 * its number (u32), the number of its arguments (u32), and each argument as its length (u32) and bytes. All numbers
 * are little endian; a u64 is an argument of eight bytes, a string ends with its only NUL, a list is many strings.
 * wire.c holds the other half of this agreement.
 */

/** What a supervisor must know besides the steps. Names are those of files in its state directory. */
export interface LaunchSettings {
  readonly stateDirectory: string;
  readonly socketName: string;
  /** Absent: no such file is written. */
  readonly pidFileName?: string;
  readonly exitFileName?: string;
  readonly terminal: boolean;
  readonly openStdin: boolean;
  readonly stdinOnce: boolean;
  readonly consoleSize?: { readonly rows: number; readonly columns: number };
  /** Absent: nothing is logged. */
  readonly log?: readonly LogSink[];
  /** The process whose namespaces are joined by descriptor, believed only together with its start time. */
  readonly target?: { readonly pid: number; readonly startTicks: string };
}

/** The numbers of step.h. */
export const OPS = {
  settings: 1,
  cgroup: 2,
  "cgroup-join": 3,
  write: 4,
  "device-filter": 5,
  "reserve-port": 6,
  join: 7,
  "id-map": 8,
  clone: 9,
  netlink: 10,
  root: 11,
  mount: 12,
  bind: 13,
  mkdir: 14,
  mknod: 15,
  symlink: 16,
  mask: 17,
  readonly: 18,
  pivot: 19,
  console: 20,
  hostname: 21,
  domainname: 22,
  sysctl: 23,
  rlimit: 24,
  "oom-score": 25,
  umask: 26,
  "no-new-privileges": 27,
  apparmor: 28,
  user: 29,
  capabilities: 30,
  chdir: 31,
  seccomp: 32,
  exec: 33,
  image: 34,
  "log-file": 35,
  "log-socket": 36,
  bundle: 37,
  runtime: 38,
} as const satisfies Readonly<Record<Step["op"] | SinkOp | "settings", number>>;

/** Source: clone(2). */
const CLONE_FLAGS: Readonly<Record<Namespace, number>> = {
  time: 0x80,
  mnt: 0x20000,
  cgroup: 0x2000000,
  uts: 0x4000000,
  ipc: 0x8000000,
  user: 0x10000000,
  pid: 0x20000000,
  net: 0x40000000,
};
const MS_PRIVATE = 1 << 18;
const RUNTIME_VERBS = { create: 1, start: 2, delete: 3, exec: 4 } as const;

/** A list of strings is told from bytes by being an array. */
type Argument = string | number | bigint | boolean | Uint8Array | readonly string[];

/** Everything the launcher needs for one program. Throws `invalid` when a text contains NUL. */
export function encodePlan(settings: LaunchSettings, plan: Plan): Uint8Array<ArrayBuffer> {
  const writer = new Writer();
  writer.step(OPS.settings, settingsArguments(settings));
  for (const step of plan) writer.step(OPS[step.op], stepArguments(step, settings));
  // Last, so that the steps of the plan count from where a report counts them.
  for (const { op, values } of (settings.log ?? []).map(sinkStep)) writer.step(OPS[op], values);
  return writer.finish();
}

/** Steps alone, for `launcher view`. */
export function encodeView(steps: Plan): Uint8Array<ArrayBuffer> {
  const writer = new Writer();
  for (const step of steps) writer.step(OPS[step.op], stepArguments(step));
  return writer.finish();
}

/** Netlink steps alone, for `launcher netlink`. */
export function encodeNetlink(steps: readonly NetlinkStep[]): Uint8Array<ArrayBuffer> {
  const writer = new Writer();
  for (const step of steps) writer.step(OPS.netlink, netlinkArguments(step));
  return writer.finish();
}

function settingsArguments(settings: LaunchSettings): readonly Argument[] {
  const { consoleSize, target } = settings;
  return [
    settings.stateDirectory,
    settings.socketName,
    settings.pidFileName ?? "",
    settings.exitFileName ?? "",
    (settings.terminal ? 1 : 0) | (settings.openStdin ? 2 : 0) | (settings.stdinOnce ? 4 : 0),
    consoleSize?.rows ?? 0,
    consoleSize?.columns ?? 0,
    target?.pid ?? 0,
    target?.startTicks ?? "",
  ];
}

function stepArguments(step: Step, settings?: LaunchSettings): readonly Argument[] {
  switch (step.op) {
    case "cgroup":
    case "cgroup-join":
      return [step.path];
    case "write":
      return [step.path, step.value, step.optional ?? false];
    case "device-filter":
      return [step.path, step.program];
    case "reserve-port":
      return [step.family, step.protocol, step.address, step.port];
    case "join":
      return [CLONE_FLAGS[step.namespace], isOfTarget(step.path, settings?.target) ? "" : step.path];
    case "id-map":
      return [step.uid, step.gid];
    case "clone":
      return [cloneFlags(step.namespaces)];
    case "bundle":
      return [step.name, ...step.pieces, step.addsHome];
    case "runtime":
      return [RUNTIME_VERBS[step.verb], cloneFlags(step.namespaces), step.args];
    case "netlink":
      return netlinkArguments(step);
    default:
      return childArguments(step);
  }
}

const cloneFlags = (namespaces: readonly Namespace[]) =>
  namespaces.reduce((flags, name) => flags | CLONE_FLAGS[name], 0) >>> 0;

/** Such a namespace is joined through the target's own descriptor, together with its others. */
function isOfTarget(path: string, target: LaunchSettings["target"]): boolean {
  return target !== undefined && path.startsWith(`/proc/${target.pid}/ns/`);
}

type HostOp =
  | "cgroup"
  | "cgroup-join"
  | "write"
  | "device-filter"
  | "reserve-port"
  | "join"
  | "id-map"
  | "clone"
  | "bundle"
  | "runtime";
type ChildStep = Exclude<Step, { readonly op: HostOp | "netlink" }>;

function childArguments(step: ChildStep): readonly Argument[] {
  switch (step.op) {
    case "root": {
      const { type, source, flags, options, directory = "" } = step.mount;
      const { uid = "", gid = "" } = step.owners ?? {};
      const rest = [step.readonly, step.propagation ?? MS_PRIVATE, uid, gid];
      return [type, source, flags, options, directory, ...rest];
    }
    case "mount": {
      const mode = step.mode === undefined ? 0 : step.mode + 1;
      return [step.type, step.source, step.target, step.flags, step.data, mode];
    }
    case "bind": {
      const { source, target, recursive, readonly, recursiveReadonly, flags, propagation } = step;
      const { uid, gid } = step.owners;
      const how = [recursive, readonly, recursiveReadonly, flags, propagation];
      return [source, target, ...how, step.subpath, uid, gid];
    }
    case "image": {
      const { type, source, flags, options, directory = "" } = step.mount;
      const { uid = "", gid = "" } = step.owners ?? {};
      return [type, source, flags, options, directory, step.target, step.subpath, uid, gid];
    }
    case "mkdir":
      return [step.target, step.mode];
    case "mknod":
      return [step.target, step.mode, step.major, step.minor, step.uid, step.gid];
    case "symlink":
      return [step.target, step.to];
    case "pivot":
      return [step.propagation ?? MS_PRIVATE];
    case "mask":
    case "readonly":
      return [step.target];
    default:
      return processArguments(step);
  }
}

type FileOp =
  | "root"
  | "mount"
  | "bind"
  | "image"
  | "mkdir"
  | "mknod"
  | "symlink"
  | "mask"
  | "readonly"
  | "pivot";

function processArguments(step: Exclude<ChildStep, { readonly op: FileOp }>): readonly Argument[] {
  switch (step.op) {
    case "console":
    case "no-new-privileges":
      return [];
    case "hostname":
    case "domainname":
      return [step.name];
    case "sysctl":
      return [step.key, step.value];
    case "rlimit":
      return [step.resource, step.soft, step.hard, step.optional ?? false];
    case "oom-score":
      return [step.adjust];
    case "umask":
      return [step.mask];
    case "apparmor":
      return [step.profile];
    case "user":
      return [step.user, step.groups];
    case "capabilities":
      return [step.bounding, step.permitted, step.effective];
    case "chdir":
      return [step.target, step.make];
    case "seccomp":
      return [step.program, step.flags];
    case "exec":
      return [step.args, step.env, step.init];
  }
}

function netlinkArguments(step: NetlinkStep): readonly Argument[] {
  const tolerate = new Uint8Array(Uint32Array.from(step.tolerate).buffer);
  return [step.netns, step.message, patchBytes(step.patches), tolerate, step.purpose];
}

/** Offset (u32), kind (u32: 1 the index of the link named, 2 the child's namespace), the name, NUL. */
function patchBytes(patches: readonly NetlinkPatch[]): Uint8Array {
  const parts = patches.flatMap((patch) => {
    const head = Buffer.alloc(8);
    head.writeUInt32LE(patch.offset, 0);
    head.writeUInt32LE(patch.kind === "index" ? 1 : 2, 4);
    return [head, Buffer.from(`${patch.kind === "index" ? patch.name : ""}\0`)];
  });
  return Buffer.concat(parts);
}

/** Grows by doubling; one plan is some ten to forty kilobytes. */
class Writer {
  #bytes = Buffer.alloc(32 * 1024);
  #length = 8;

  step(op: number, values: readonly Argument[]): void {
    this.#number(op);
    this.#number(values.length);
    for (const value of values) this.#argument(value);
  }

  finish(): Uint8Array<ArrayBuffer> {
    this.#bytes.write("BNK1", 0, "latin1");
    this.#bytes.writeUInt32LE(this.#length - 8, 4);
    return this.#bytes.subarray(0, this.#length);
  }

  #argument(value: Argument): void {
    if (value instanceof Uint8Array) this.#data(value);
    else if (typeof value === "string") this.#text([value]);
    else if (typeof value === "object") this.#text(value);
    else this.#u64(BigInt.asUintN(64, BigInt(value)));
  }

  #u64(value: bigint): void {
    this.#number(8);
    this.#room(8);
    this.#bytes.writeBigUInt64LE(value, this.#length);
    this.#length += 8;
  }

  #data(data: Uint8Array): void {
    this.#number(data.byteLength);
    this.#room(data.byteLength);
    this.#bytes.set(data, this.#length);
    this.#length += data.byteLength;
  }

  #text(texts: readonly string[]): void {
    const forbidden = texts.find((text) => text.includes("\0"));
    if (forbidden !== undefined)
      throw new Fault(
        "invalid",
        `Cannot pass ${JSON.stringify(forbidden)} to a program: it contains a NUL character`,
      );
    this.#data(Buffer.from(texts.map((text) => `${text}\0`).join("")));
  }

  #number(value: number): void {
    this.#room(4);
    this.#bytes.writeUInt32LE(value, this.#length);
    this.#length += 4;
  }

  #room(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const grown = Buffer.alloc(Math.max(this.#bytes.length * 2, this.#length + more));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}

/** What the launcher says while it starts a program. `step` counts from 0 in the plan; -1 stands for the settings. */
export type Report =
  | { readonly kind: "cloned" | "ready" | "running"; readonly pid: number; readonly startTicks: string }
  | {
      readonly kind: "failed";
      readonly step: number;
      readonly op: number;
      readonly errno: number;
      readonly detail: string;
    };

/** struct report of step.h. */
export const REPORT_BYTES = 128;
const KINDS = ["cloned", "ready", "running", "failed"] as const;

/** Throws `internal` when the bytes are not a report. */
export function decodeReport(bytes: Uint8Array): Report {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kind = bytes.byteLength === REPORT_BYTES ? KINDS[view.readUInt32LE(0) - 1] : undefined;
  if (kind === undefined)
    throw new Fault("internal", "Cannot read what the launcher reports: it is malformed");
  const text = (from: number, to: number) => view.toString("utf8", from, to).split("\0", 1)[0] ?? "";
  if (kind !== "failed") return { kind, pid: view.readUInt32LE(16), startTicks: text(20, 44) };
  const step = view.readUInt32LE(4) - 1;
  return {
    kind,
    step,
    op: view.readUInt32LE(8),
    errno: view.readInt32LE(12),
    detail: text(44, REPORT_BYTES),
  };
}
