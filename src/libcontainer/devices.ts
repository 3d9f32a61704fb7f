import { readdirSync, statSync } from "node:fs";
import { Fault, sentenceOf } from "#errors";
import type { DeviceNode, DeviceRule } from "./spec.ts";

const NODE = { type: "c", fileMode: 0o666, uid: 0, gid: 0 } as const;

/** Made in every container's /dev. Numbers from Linux, Documentation/admin-guide/devices.txt. */
export const DEFAULT_DEVICES: readonly DeviceNode[] = [
  { ...NODE, path: "/dev/null", major: 1, minor: 3 },
  { ...NODE, path: "/dev/zero", major: 1, minor: 5 },
  { ...NODE, path: "/dev/full", major: 1, minor: 7 },
  { ...NODE, path: "/dev/random", major: 1, minor: 8 },
  { ...NODE, path: "/dev/urandom", major: 1, minor: 9 },
  { ...NODE, path: "/dev/tty", major: 5, minor: 0 },
];

/** Links in /dev that programs expect: target → to. `/dev/ptmx` must be the container's own devpts, never the host's. */
export const DEVICE_LINKS: readonly (readonly [string, string])[] = [
  ["/dev/fd", "/proc/self/fd"],
  ["/dev/stdin", "/proc/self/fd/0"],
  ["/dev/stdout", "/proc/self/fd/1"],
  ["/dev/stderr", "/proc/self/fd/2"],
  ["/dev/core", "/proc/kcore"],
  ["/dev/ptmx", "pts/ptmx"],
];

const character = (major: number, minor?: number): DeviceRule => ({
  allow: true,
  type: "c",
  major,
  ...(minor === undefined ? {} : { minor }),
  access: "rwm",
});

/** Nothing but the default nodes can be opened; any node can be made. */
export const DEFAULT_DEVICE_RULES: readonly DeviceRule[] = [
  { allow: false, type: "a", access: "rwm" },
  { allow: true, type: "c", access: "m" },
  { allow: true, type: "b", access: "m" },
  character(1, 3),
  character(1, 5),
  character(1, 7),
  character(1, 8),
  character(1, 9),
  character(5, 0),
  character(5, 1),
  character(5, 2),
  character(136),
];

/** Of privileged containers. */
export const ALL_DEVICE_RULES: readonly DeviceRule[] = [{ allow: true, type: "a", access: "rwm" }];

/** The numbers in a `dev_t`. Source: glibc, bits/sysmacros.h (gnu_dev_major, gnu_dev_minor). */
export function deviceNumbers(rdev: bigint): { readonly major: number; readonly minor: number } {
  return {
    major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n)),
    minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n)),
  };
}

/** How a device of the host is to appear in a container. */
export interface DeviceRequest {
  readonly hostPath: string;
  readonly containerPath: string;
  /** Of `rwm`. */
  readonly permissions: string;
}

/** `host[:container[:rwm]]`, as `--device` takes it. Throws `invalid`. */
export function parseDeviceRequest(text: string): DeviceRequest {
  const parts = text.split(":");
  const [hostPath = "", second, third] = parts;
  const isMode = second !== undefined && third === undefined && isAccess(second);
  const containerPath = second === undefined || second === "" || isMode ? hostPath : second;
  const permissions = third ?? (isMode ? second : "rwm");
  if (parts.length > 3 || hostPath === "" || !isAccess(permissions))
    throw new Fault("invalid", `invalid device specification: "${text}" is not host[:container[:rwm]]`);
  if (!hostPath.startsWith("/") || !containerPath.startsWith("/"))
    throw new Fault("invalid", `invalid device specification: the paths of "${text}" must be absolute`);
  return { hostPath, containerPath, permissions };
}

/** Any of r, w and m, each at most once. */
export function isAccess(text: string): boolean {
  return /^[rwm]{1,3}$/.test(text) && new Set(text).size === text.length;
}

/**
 * `c 1:3 rwm`, `b 8:* r`, `a *:* rwm`, as `--device-cgroup-rule` takes it. The kernel takes `a` as everything whatever
 * numbers follow, so no others may. Throws `invalid`.
 */
export function parseDeviceRule(text: string): DeviceRule {
  const match = /^([acb]) ([0-9]+|\*):([0-9]+|\*) ([rwm]{1,3})$/.exec(text);
  const [, type = "", major = "", minor = "", access = ""] = match ?? [];
  const isEverything = major === "*" && minor === "*" && access.length === 3;
  if (match === null || !isAccess(access) || (type === "a" && !isEverything))
    throw new Fault(
      "invalid",
      `invalid device cgroup rule format: '${text}' is not like 'c 1:3 rwm' or 'b 8:* r'`,
    );
  return {
    allow: true,
    type: type as DeviceRule["type"],
    ...(major === "*" ? {} : { major: Number(major) }),
    ...(minor === "*" ? {} : { minor: Number(minor) }),
    access,
  };
}

export interface ResolvedDevices {
  readonly nodes: readonly DeviceNode[];
  readonly rules: readonly DeviceRule[];
}

/** The nodes and rules for devices of this host, a directory standing for all in it. Throws `invalid` when one is not there. */
export function resolveDevices(requests: readonly DeviceRequest[]): ResolvedDevices {
  const nodes = requests.flatMap((request) => nodesBelow(request).map((node) => ({ node, request })));
  return {
    nodes: nodes.map(({ node }) => node),
    rules: nodes.map(({ node, request }) => ({
      allow: true,
      type: node.type === "b" ? "b" : "c",
      major: node.major,
      minor: node.minor,
      access: request.permissions,
    })),
  };
}

/** Every device node of the host's /dev, for privileged containers; what a container makes itself is left out. */
export function hostDevices(directory = "/dev"): readonly DeviceNode[] {
  return walk({ hostPath: directory, containerPath: directory, permissions: "rwm" }, SKIPPED_IN_DEV);
}

/** Of /dev, but the container's own: file systems mounted there, and the console. */
const SKIPPED_IN_DEV: ReadonlySet<string> = new Set(
  "pts shm fd mqueue .lxc .lxd-mounts .udev console ptmx".split(" "),
);

function nodesBelow(request: DeviceRequest): readonly DeviceNode[] {
  const node = nodeAt(request);
  if (node !== undefined) return [node];
  const nodes = walk(request, new Set());
  if (nodes.length === 0)
    throw new Fault(
      "invalid",
      `error gathering device information while adding custom device "${request.hostPath}": not a device node`,
    );
  return nodes;
}

function walk(request: DeviceRequest, skipped: ReadonlySet<string>): readonly DeviceNode[] {
  const found: DeviceNode[] = [];
  for (const entry of entriesOf(request.hostPath)) {
    if (skipped.has(entry.name)) continue;
    const below = {
      hostPath: `${request.hostPath}/${entry.name}`,
      containerPath: `${request.containerPath}/${entry.name}`,
      permissions: request.permissions,
    };
    if (entry.isDirectory()) found.push(...walk(below, skipped));
    else if (entry.isCharacterDevice() || entry.isBlockDevice()) {
      const node = nodeAt(below);
      if (node !== undefined) found.push(node);
    }
  }
  return found;
}

/** Empty when it is no directory or has just gone, as device folders come and go with their hardware. */
function entriesOf(path: string) {
  try {
    return readdirSync(path, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch {
    return [];
  }
}

function nodeAt(request: DeviceRequest): DeviceNode | undefined {
  const stat = statOf(request.hostPath);
  const type = stat.isCharacterDevice() ? "c" : stat.isBlockDevice() ? "b" : undefined;
  if (type === undefined) return undefined;
  return {
    path: request.containerPath,
    type,
    ...deviceNumbers(stat.rdev),
    fileMode: Number(stat.mode & 0o7777n),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
  };
}

function statOf(path: string) {
  try {
    return statSync(path, { bigint: true });
  } catch (cause) {
    const isMissing = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
    throw new Fault(
      "invalid",
      `error gathering device information while adding custom device "${path}": ${isMissing ? "no such file or directory" : sentenceOf(cause)}`,
      { cause },
    );
  }
}
