import { readFileSync } from "node:fs";

/** One mounted v1 hierarchy. */
export interface Hierarchy {
  readonly mountpoint: string;
  /** `["cpu", "cpuacct"]`, or `["name=systemd"]`. */
  readonly controllers: readonly string[];
}

/** How this host's groups are laid out. A hybrid host is a version 1 host: its v2 tree holds no controllers. */
export type Cgroups =
  | {
      readonly version: 1;
      readonly hierarchies: readonly Hierarchy[];
      /** Where a hybrid host's second version is, into which other programs put containers as well. */
      readonly unified?: string;
    }
  | { readonly version: 2; readonly mountpoint: string }
  /** No group file system is mounted: containers run without limits, counts and pause. */
  | { readonly version: 0 };

/** Words in a v1 superblock's options that are no controllers. Source: Linux, kernel/cgroup/cgroup-v1.c, cgroup1_show_options. */
const NO_CONTROLLERS = /^(rw|ro|xattr|noprefix|clone_children|cpuset_v2_mode|favordynmods|release_agent=.*)$/;

/** Reads the layout from the text of /proc/self/mountinfo. Source: proc_pid_mountinfo(5). */
export function parseCgroupMounts(mountinfo: string): Cgroups {
  const hierarchies: Hierarchy[] = [];
  let unified: string | undefined;
  for (const line of mountinfo.split("\n")) {
    const [left = "", right = ""] = line.split(" - ");
    const [type = "", , superOptions = ""] = right.split(" ");
    const mountpoint = unescapeOctal(left.split(" ")[4] ?? "");
    if (type === "cgroup2") unified ??= mountpoint;
    if (type !== "cgroup") continue;
    const controllers = superOptions.split(",").filter((word) => !NO_CONTROLLERS.test(word));
    const isKnown = hierarchies.some((known) => known.controllers[0] === controllers[0]);
    if (controllers.length > 0 && !isKnown) hierarchies.push({ mountpoint, controllers });
  }
  if (hierarchies.some(({ controllers }) => !controllers[0]?.startsWith("name=")))
    return { version: 1, hierarchies, ...(unified === undefined ? {} : { unified }) };
  return unified === undefined ? { version: 0 } : { version: 2, mountpoint: unified };
}

/** The kernel writes space, tab, newline and backslash in a path as `\040` and the like. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

let detected: Cgroups | undefined;

/** This host's layout, read once: nobody remounts it under a running engine. */
export function detectCgroups(): Cgroups {
  detected ??= parseCgroupMounts(readFileSync("/proc/self/mountinfo", "utf8"));
  return detected;
}

/** Where each hierarchy keeps the process, from the text of /proc/PID/cgroup: controllers joined by commas (empty for v2) → path. */
export function parseProcessGroups(text: string): ReadonlyMap<string, string> {
  const groups = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, controllers, path] = /^[0-9]+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers !== undefined && path !== undefined) groups.set(controllers, path);
  }
  return groups;
}

/** The mount point of the hierarchy that has a controller; undefined when there is none. */
export function hierarchyOf(cgroups: Cgroups, controller: string): string | undefined {
  if (cgroups.version === 2) return cgroups.mountpoint;
  if (cgroups.version === 0) return undefined;
  return cgroups.hierarchies.find(({ controllers }) => controllers.includes(controller))?.mountpoint;
}
