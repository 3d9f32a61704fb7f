import { statSync } from "node:fs";
import { z } from "zod";
import { Fault, sentenceOf } from "#errors";
import {
  attachLoop,
  errnoName,
  failedWith,
  MS_BIND,
  MS_RDONLY,
  MS_REC,
  MS_REMOUNT,
  mountRaw,
  mountsBelow,
  selfCommand,
  unmountRaw,
} from "#host";
import { withAddress } from "./address.ts";
import type { LocalMount } from "./options.ts";

/** Those that the kernel makes at once, with no disk and no other host to ask. */
const INSTANT = ["tmpfs", "ramfs"];
/** How long a disk or another host may take. Milliseconds. */
const PATIENCE = 120_000;
const UNMOUNT_PATIENCE = 10_000;
/** Source: umount2(2). */
const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;

/** What people look for in the message. Source: errno(3), in the words that Docker's clients know. */
const WORDS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory",
  ENODEV: "no such device",
  ENOTBLK: "block device required",
  EINVAL: "invalid argument",
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  EBUSY: "device or resource busy",
  ENOTDIR: "not a directory",
  ETIMEDOUT: "connection timed out",
  ECONNREFUSED: "connection refused",
  EHOSTUNREACH: "no route to host",
  ENETUNREACH: "network is unreachable",
  ENXIO: "no such device or address",
  EROFS: "read-only file system",
};

const Call = z.object({
  type: z.string(),
  device: z.string(),
  flags: z.number(),
  options: z.array(z.string()).readonly(),
  target: z.string(),
});

export function isMounted(root: string, target: string): boolean {
  return mountsBelow(root).includes(target);
}

/** Mounts it, and waits no longer than is decent for disks and other hosts: the daemon goes on meanwhile. */
export async function mountLocal(mount: LocalMount, target: string): Promise<void> {
  const call = { ...(await withAddress(mount)), target };
  const result = isInstant(call)
    ? mountNow(call)
    : await inChild(["mount", JSON.stringify(call)], PATIENCE).catch((thrown) => {
        throw refused(call, sentenceOf(thrown));
      });
  if (result < 0) throw refused(call, reasonOf(call, result));
}

function isInstant({ type, flags }: Pick<LocalMount, "type" | "flags">): boolean {
  return INSTANT.includes(type) || (flags & MS_BIND) !== 0;
}

/** What hangs or is busy is detached, so that it goes with its last user. `mount`: what is known of it. */
export async function unmountLocal(target: string, mount?: LocalMount): Promise<void> {
  const result =
    mount !== undefined && isInstant(mount)
      ? unmountRaw(target, UMOUNT_NOFOLLOW)
      : await inChild(["unmount", target], UNMOUNT_PATIENCE).catch(() => undefined);
  if (result !== undefined && (result >= 0 || isNothing(result))) return;
  const detached = unmountRaw(target, UMOUNT_NOFOLLOW | MNT_DETACH);
  if (detached >= 0 || isNothing(detached)) return;
  throw new Fault("internal", `Cannot unmount ${target}: ${errnoName(detached)}`);
}

function isNothing(result: number): boolean {
  return failedWith(result, "EINVAL") || failedWith(result, "ENOENT");
}

/** `bunker internal:volume`: calls that may take long, in a process of their own. Prints what the kernel answered. */
export function serveVolume([verb = "", word = ""]: readonly string[]): void {
  try {
    if (verb === "mount") process.stdout.write(String(mountNow(Call.parse(JSON.parse(word)))));
    else if (verb === "unmount") process.stdout.write(String(unmountRaw(word, UMOUNT_NOFOLLOW)));
    else throw new Fault("invalid", `Cannot serve "${verb}": the volume room knows no such verb`);
  } catch (thrown) {
    process.stderr.write(sentenceOf(thrown));
    process.exitCode = 1;
  }
}

/** A read-only bind takes a second call: the first keeps the flags of what is bound. Source: mount(2). */
function mountNow(call: z.infer<typeof Call>): number {
  const { type, device, flags, options, target } = call;
  const data = options.join(",");
  const isBind = (flags & MS_BIND) !== 0;
  using loop =
    !isBind && isFile(device) ? attachLoop(device, { isReadonly: (flags & MS_RDONLY) !== 0 }) : undefined;
  const source = loop?.path ?? device;
  const result = mountRaw({ source, target, type, flags, data });
  if (result < 0 || !isBind || (flags & ~(MS_BIND | MS_REC)) === 0) return result;
  const again = mountRaw({ source: "", target, type: "", flags: (flags & ~MS_REC) | MS_REMOUNT, data: "" });
  if (again < 0) unmountRaw(target, UMOUNT_NOFOLLOW | MNT_DETACH);
  return again;
}

function isFile(device: string): boolean {
  return device.startsWith("/") && (statSync(device, { throwIfNoEntry: false })?.isFile() ?? false);
}

/** What the kernel answered. Throws the bare reason. */
async function inChild(words: readonly string[], patience: number): Promise<number> {
  const child = Bun.spawn(selfCommand(["internal:volume", ...words]), {
    stdio: ["ignore", "pipe", "pipe"],
    env: {},
  });
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    child.kill("SIGKILL");
  }, patience);
  try {
    const [stdout, stderr, code] = await Promise.all([
      child.stdout.text(),
      child.stderr.text(),
      child.exited,
    ]);
    if (code === 0) return Number(stdout);
    if (isLate) throw new Fault("unavailable", `it took longer than ${patience / 1000} seconds`);
    throw new Fault("unsupported", stderr || `the child process ended with ${child.signalCode ?? code}`);
  } finally {
    clearTimeout(timer);
  }
}

function reasonOf({ type }: LocalMount, result: number): string {
  const name = errnoName(result);
  const hint = name === "ENODEV" ? `; the kernel of this host does not know the file system ${type}` : "";
  return `${WORDS[name] ?? name}${hint}`;
}

/** In Docker's words; the options stay out of it, since there may be a password among them. */
function refused({ device, target, flags }: z.infer<typeof Call>, reason: string): Fault {
  const shown = flags === 0 ? "" : `, flags: 0x${flags.toString(16)}`;
  return new Fault(
    "internal",
    `error while mounting volume '${target}': failed to mount local volume: mount ${device}:${target}${shown}: ${reason}`,
  );
}
