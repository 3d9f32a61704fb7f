import type { RuntimeMount } from "./spec.ts";

/** Source of all lists here: the runtime defaults of Docker, which images and clients rely on. */

/** Covered, because what they show is the host's or speaks of its secrets. */
export const DEFAULT_MASKED_PATHS: readonly string[] = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/sys/devices/virtual/powercap",
  "/sys/firmware",
];

let thermal: readonly string[] | undefined;

/** How often each processor was throttled tells what its neighbours compute; one path a processor that has the counters. */
export function thermalPaths(): readonly string[] {
  thermal ??= [
    ...new Bun.Glob("cpu[0-9]*/thermal_throttle").scanSync({
      cwd: "/sys/devices/system/cpu",
      onlyFiles: false,
    }),
  ]
    .sort()
    .map((path) => `/sys/devices/system/cpu/${path}`);
  return thermal;
}

export const DEFAULT_READONLY_PATHS: readonly string[] = [
  "/proc/bus",
  "/proc/fs",
  "/proc/irq",
  "/proc/sys",
  "/proc/sysrq-trigger",
];

export const DEFAULT_SHM_BYTES = 64 * 1024 * 1024;

/** The mounts of every container, in the order in which they must be made; a `shmBytes` of undefined leaves /dev/shm out. */
export function defaultMounts(options: {
  readonly shmBytes: number | undefined;
  readonly hasMqueue: boolean;
  readonly isSysWritable: boolean;
  /** Absent: as /sys. */
  readonly isCgroupWritable?: boolean;
}): readonly RuntimeMount[] {
  const access = (isWritable: boolean) => (isWritable ? "rw" : "ro");
  const hidden = ["nosuid", "noexec", "nodev"];
  const mounts: RuntimeMount[] = [
    { destination: "/proc", type: "proc", source: "proc", options: hidden },
    {
      destination: "/dev",
      type: "tmpfs",
      source: "tmpfs",
      options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    {
      destination: "/dev/pts",
      type: "devpts",
      source: "devpts",
      options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    },
    {
      destination: "/sys",
      type: "sysfs",
      source: "sysfs",
      options: [...hidden, access(options.isSysWritable)],
    },
    {
      destination: "/sys/fs/cgroup",
      type: "cgroup",
      source: "cgroup",
      options: [...hidden, access(options.isCgroupWritable ?? options.isSysWritable)],
    },
  ];
  if (options.hasMqueue)
    mounts.push({ destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: hidden });
  if (options.shmBytes !== undefined)
    mounts.push({
      destination: "/dev/shm",
      type: "tmpfs",
      source: "shm",
      options: [...hidden, "mode=1777", `size=${options.shmBytes}`],
    });
  return mounts;
}
