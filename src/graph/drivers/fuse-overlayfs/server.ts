import { readdirSync, readFileSync, readlinkSync, statfsSync, statSync } from "node:fs";
import { mkdir, statfs } from "node:fs/promises";
import { Fault, sentenceOf } from "#errors";
import { MS_BIND, MS_RDONLY, projectOf, run, unmount } from "#host";
import type { MountSpec } from "#oci";
import type { ServedStack } from "../overlay/form.ts";

export const PROGRAM = "fuse-overlayfs";
/** Source: linux/magic.h. */
const FUSE_SUPER_MAGIC = 0x65735546;
/** ext4 lets whoever has the capability write beyond a limit. The kernel's own overlay forgoes it as well. */
export const LIMITER = "setpriv";
const HELD_TO_LIMITS = [LIMITER, "--bounding-set", "-sys_resource"];
const PATIENCE_MILLISECONDS = 30_000;

/**
 * Servers of merged trees, each of which mounts its tree on the host. They put themselves into sessions of their own
 * and outlive the daemon; each ends when the last mount of its tree is gone, wherever that is.
 */
export class Servers {
  readonly #starting = new Map<string, Promise<void>>();

  /** Has the stack shown at `merged`, by the server that does so already if there is one. */
  async serve(stack: ServedStack, merged: string): Promise<MountSpec> {
    const starting = this.#starting.get(merged) ?? this.#ensure(stack, merged);
    this.#starting.set(merged, starting);
    try {
      await starting;
    } finally {
      this.#starting.delete(merged);
    }
    const flags = stack.upper === undefined ? MS_BIND | MS_RDONLY : MS_BIND;
    return { type: "bind", source: merged, flags, options: [] };
  }

  async #ensure(stack: ServedStack, merged: string): Promise<void> {
    await mkdir(merged, { recursive: true, mode: 0o700 }).catch(unlessDead);
    if (await isServed(merged)) return;
    unmount(merged);
    await startServer(stack, merged);
  }
}

/** Returns when the tree can be seen. What is in the upper directory is always all that was written. */
export async function startServer({ root, lowers, upper }: ServedStack, merged: string): Promise<void> {
  const options = [
    `lowerdir=${lowers.map((short) => `${root}/${short}`).join(":")}`,
    ...(upper === undefined ? [] : [`upperdir=${root}/${upper}/diff`, `workdir=${root}/${upper}/work`]),
    "writeback=0",
    "allow_other",
    "dev",
    "suid",
  ];
  const signal = AbortSignal.timeout(PATIENCE_MILLISECONDS);
  const isLimited = upper !== undefined && projectOf(`${root}/${upper}`) !== 0;
  const command = [PROGRAM, "-o", options.join(","), merged];
  await run(isLimited ? [...HELD_TO_LIMITS, ...command] : command, { signal }).catch((thrown) => {
    throw new Fault("internal", `Cannot mount ${PROGRAM} on ${merged}: ${sentenceOf(thrown)}`);
  });
}

/** Of a server that died a mount is left, and looking at it fails with ENOTCONN. */
async function isServed(merged: string): Promise<boolean> {
  return statfs(merged).then(({ type }) => type === FUSE_SUPER_MAGIC, unlessDead);
}

function unlessDead(thrown: unknown): false {
  if (isDead(thrown)) return false;
  throw thrown;
}

const isDead = (thrown: unknown) =>
  thrown instanceof Error &&
  "code" in thrown &&
  (thrown.code === "ENOTCONN" || thrown.code === "ECONNABORTED");

/** Whether the server of a mount has died. */
export async function hasDied(merged: string): Promise<boolean> {
  return statfs(merged).then(() => false, isDead);
}

/** Whether a container stands on what is mounted there and alive. */
export function isInUse(merged: string): boolean {
  try {
    if (statfsSync(merged).type !== FUSE_SUPER_MAGIC) return false;
    return isMountedElsewhere(deviceNumber(statSync(merged).dev), merged);
  } catch {
    return false;
  }
}

/** Source: makedev(3), as mountinfo prints it. */
function deviceNumber(device: number): string {
  const [major, minor] = [(device >>> 8) & 0xfff, (device & 0xff) | ((device >>> 12) & 0xfff00)];
  return `${major}:${minor}`;
}

/** A namespace that was only copied from ours has it at the same place; a container has it elsewhere. */
function isMountedElsewhere(device: string, merged: string): boolean {
  const own = readlinkSync("/proc/self/ns/mnt");
  const seen = new Set([own]);
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const mounts = mountsUnlessSeen(pid, seen);
    for (const line of mounts.split("\n")) {
      const [, , number, , target] = line.split(" ");
      if (number === device && target !== merged) return true;
    }
  }
  return false;
}

function mountsUnlessSeen(pid: string, seen: Set<string>): string {
  try {
    const namespace = readlinkSync(`/proc/${pid}/ns/mnt`);
    if (seen.has(namespace)) return "";
    const mounts = readFileSync(`/proc/${pid}/mountinfo`, "utf8");
    seen.add(namespace);
    return mounts;
  } catch {
    return "";
  }
}
