import { readFileSync } from "node:fs";
import { Fault } from "#errors";
import { errnoName, failedWith, mountRaw, unmountRaw } from "./syscalls.ts";

/** Source: mount(2), umount2(2). */
export const MS_RDONLY = 1;
export const MS_NOSUID = 2;
export const MS_NODEV = 4;
export const MS_NOEXEC = 8;
export const MS_REMOUNT = 32;
export const MS_BIND = 4096;
export const MS_REC = 16384;
export const MS_PRIVATE = 1 << 18;
const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;
/** The kernel copies one page of options. */
const OPTIONS_LIMIT = 4095;

export interface MountRequest {
  readonly type: string;
  readonly source: string;
  readonly target: string;
  /** MS_* flags. */
  readonly flags: number;
  /** `lowerdir+=a`, `lowerdir+=b` are joined to the `lowerdir=a:b` that every kernel knows. */
  readonly options: readonly string[];
  /** Where relative paths among the options start. */
  readonly directory?: string;
}

/** Mounts in this process's own mount namespace. `target` must be absolute and no symbolic link. */
export function mount(request: MountRequest): void {
  const data = joinOptions(request.options);
  if (data.length > OPTIONS_LIMIT)
    throw new Fault(
      "unsupported",
      `Cannot mount ${request.target}: its options exceed one page (${data.length})`,
    );
  const { source, target, type, flags } = request;
  const result = within(request.directory, () => mountRaw({ source, target, type, flags, data }));
  if (result < 0) throw new Fault("internal", `Cannot mount ${type} on ${target}: ${errnoName(result)}`);
}

/** Nothing mounted there is success. A busy mount is detached, so that it goes with its last user. */
export function unmount(target: string): void {
  const result = unmountRaw(target, UMOUNT_NOFOLLOW);
  if (result >= 0 || failedWith(result, "EINVAL") || failedWith(result, "ENOENT")) return;
  const detached = unmountRaw(target, UMOUNT_NOFOLLOW | MNT_DETACH);
  if (detached < 0) throw new Fault("internal", `Cannot unmount ${target}: ${errnoName(detached)}`);
}

/** Where something is mounted below a directory, innermost first. */
export function mountsBelow(directory: string): readonly string[] {
  return ownMounts()
    .map(({ path }) => path)
    .filter((target) => target.startsWith(`${directory}/`))
    .reverse();
}

/** A mount of this process's namespace, and whether it shares mounts with others or gets theirs. */
export interface HostMount {
  readonly path: string;
  readonly isShared: boolean;
  readonly isSlave: boolean;
}

/** The mount that a path, which holds no links, is on. */
export function mountHolding(path: string): HostMount {
  const holds = (target: string) => target === "/" || path === target || path.startsWith(`${target}/`);
  const longest = ownMounts()
    .filter((mount) => holds(mount.path))
    // Of several at one place the last covers the others.
    .reduce<HostMount | undefined>(
      (best, mount) => (best === undefined || mount.path.length >= best.path.length ? mount : best),
      undefined,
    );
  return longest ?? { path: "/", isShared: false, isSlave: false };
}

/** Source: proc(5), /proc/PID/mountinfo; names are UTF-8 with some bytes as three octal digits. */
function ownMounts(): readonly HostMount[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [fields = ""] = line.split(" - ", 1);
      const [, , , , path = "", , ...tags] = fields.split(" ");
      return {
        path: path.replace(/\\(\d{3})/g, (_, code) => String.fromCharCode(parseInt(code, 8))),
        isShared: tags.some((tag) => tag.startsWith("shared:")),
        isSlave: tags.some((tag) => tag.startsWith("master:")),
      };
    });
}

/** The data string of mount(2) for a list of options. */
export function joinOptions(options: readonly string[]): string {
  const lower = options.filter((option) => option.startsWith("lowerdir+="));
  const rest = options.filter((option) => !option.startsWith("lowerdir+="));
  if (lower.length === 0) return rest.join(",");
  const stack = lower.map((option) => option.slice("lowerdir+=".length)).join(":");
  return [`lowerdir=${stack}`, ...rest].join(",");
}

/** Nothing else of this process runs between the two changes of directory: the call between is synchronous. */
function within<T>(directory: string | undefined, call: () => T): T {
  if (directory === undefined) return call();
  const before = process.cwd();
  process.chdir(directory);
  try {
    return call();
  } finally {
    process.chdir(before);
  }
}
