import type { Flag } from "../flags.ts";
import {
  checkAddHost,
  checkAttach,
  checkDeviceOperations,
  checkDeviceRate,
  checkDeviceRule,
  checkDeviceWeight,
  checkDns,
  checkEnv,
  checkIp,
  checkLabel,
  checkLink,
  checkPositive,
  checkSysctl,
} from "./checks.ts";
import { checkGpus } from "./gpus.ts";
import { checkMount } from "./mounts.ts";
import { checkNetwork } from "./networks.ts";
import { checkCpus, checkDuration, checkSize, checkSwap, checkUlimit } from "./values.ts";

const list = (about: string, more: Partial<Flag> = {}) => ({ kind: "list", about, ...more }) as const;
const text = (about: string, more: Partial<Flag> = {}) =>
  ({ kind: "text", hint: "string", about, ...more }) as const;
const bool = (about: string, more: Partial<Flag> = {}) => ({ kind: "bool", about, ...more }) as const;
const int = (about: string, more: Partial<Flag> = {}) => ({ kind: "int", about, ...more }) as const;
const bytes = (about: string, more: Partial<Flag> = {}) =>
  ({ kind: "text", hint: "bytes", check: checkSize, about, ...more }) as const;
const duration = (about: string) =>
  ({ kind: "text", hint: "duration", check: checkDuration, about }) as const;

/** What limits a container's use of the machine; `update` knows some of these too. */
export const RESOURCE_FLAGS = {
  "blkio-weight": int("Block IO (relative weight), between 10 and 1000, or 0 to disable", {
    hint: "uint16",
    check: checkPositive,
  }),
  "cpu-period": int("Limit CPU CFS (Completely Fair Scheduler) period"),
  "cpu-quota": int("Limit CPU CFS (Completely Fair Scheduler) quota"),
  "cpu-rt-period": int("Limit CPU real-time period in microseconds"),
  "cpu-rt-runtime": int("Limit CPU real-time runtime in microseconds"),
  "cpu-shares": int("CPU shares (relative weight)", { short: "c" }),
  cpus: text("Number of CPUs", { hint: "decimal", check: checkCpus }),
  "cpuset-cpus": text("CPUs in which to allow execution (0-3, 0,1)"),
  "cpuset-mems": text("MEMs in which to allow execution (0-3, 0,1)"),
  memory: bytes("Memory limit", { short: "m" }),
  "memory-reservation": bytes("Memory soft limit"),
  "memory-swap": bytes("Swap limit equal to memory plus swap: '-1' to enable unlimited swap", {
    check: checkSwap,
  }),
  "pids-limit": int("Tune container pids limit (set -1 for unlimited)"),
  restart: text("Restart policy to apply when a container exits", { preset: "no" }),
} as const;

/** Every flag of `create`, which `run` has too. */
export const CREATE_FLAGS = {
  "add-host": list("Add a custom host-to-IP mapping (host:ip)", { check: checkAddHost }),
  annotation: list("Add an annotation to the container (passed through to the OCI runtime)", { hint: "map" }),
  attach: list("Attach to STDIN, STDOUT or STDERR", { short: "a", check: checkAttach }),
  ...RESOURCE_FLAGS,
  "blkio-weight-device": list("Block IO weight (relative device weight)", { check: checkDeviceWeight }),
  "cap-add": list("Add Linux capabilities"),
  "cap-drop": list("Drop Linux capabilities"),
  "cgroup-parent": text("Optional parent cgroup for the container"),
  cgroupns: text("Cgroup namespace to use (host|private)"),
  cidfile: text("Write the container ID to the file"),
  device: list("Add a host device to the container"),
  "device-cgroup-rule": list("Add a rule to the cgroup allowed devices list", { check: checkDeviceRule }),
  "device-read-bps": list("Limit read rate (bytes per second) from a device", { check: checkDeviceRate }),
  "device-read-iops": list("Limit read rate (IO per second) from a device", { check: checkDeviceOperations }),
  "device-write-bps": list("Limit write rate (bytes per second) to a device", { check: checkDeviceRate }),
  "device-write-iops": list("Limit write rate (IO per second) to a device", { check: checkDeviceOperations }),
  "disable-content-trust": { kind: "bool" },
  dns: list("Set custom DNS servers", { check: checkDns }),
  "dns-opt": { kind: "list", aliasOf: "dns-option" },
  "dns-option": list("Set DNS options"),
  "dns-search": list("Set custom DNS search domains"),
  domainname: text("Container NIS domain name"),
  entrypoint: text("Overwrite the default ENTRYPOINT of the image"),
  env: list("Set environment variables", { short: "e", check: checkEnv }),
  "env-file": list("Read in a file of environment variables"),
  expose: list("Expose a port or a range of ports"),
  gpus: {
    kind: "list",
    hint: "gpu-request",
    about: "GPU devices to add to the container ('all' to pass all GPUs)",
    check: checkGpus,
  },
  "group-add": list("Add additional groups to join"),
  "health-cmd": text("Command to run to check health"),
  "health-interval": duration("Time between running the check (ms|s|m|h) (default 0s)"),
  "health-retries": int("Consecutive failures needed to report unhealthy"),
  "health-start-interval": duration(
    "Time between running the check during the start period (ms|s|m|h) (default 0s)",
  ),
  "health-start-period": duration(
    "Start period for the container to initialize before starting health-retries countdown",
  ),
  "health-timeout": duration("Maximum time to allow one check to run (ms|s|m|h) (default 0s)"),
  hostname: text("Container host name", { short: "h" }),
  init: bool("Run an init inside the container that forwards signals and reaps processes"),
  interactive: bool("Keep STDIN open even if not attached", { short: "i" }),
  ip: text("IPv4 address (e.g., 172.30.100.104)", { hint: "ip", check: checkIp }),
  ip6: text("IPv6 address (e.g., 2001:db8::33)", { hint: "ip", check: checkIp }),
  ipc: text("IPC mode to use"),
  isolation: { kind: "text" },
  "kernel-memory": { kind: "text", check: checkSize },
  label: list("Set meta data on a container", { short: "l", check: checkLabel }),
  "label-file": list("Read in a line delimited file of labels"),
  link: list("Add link to another container", { check: checkLink }),
  "link-local-ip": list("Container IPv4/IPv6 link-local addresses", { check: checkIp }),
  "log-driver": text("Logging driver for the container"),
  "log-opt": list("Log driver options"),
  "mac-address": text("Container MAC address (e.g., 92:d0:c6:0a:29:33)"),
  "memory-swappiness": int("Tune container memory swappiness (0 to 100)", { preset: "-1" }),
  mount: list("Attach a filesystem mount to the container", { hint: "mount", check: checkMount }),
  name: text("Assign a name to the container"),
  net: { kind: "list", aliasOf: "network", check: checkNetwork },
  "net-alias": { kind: "list", aliasOf: "network-alias" },
  network: list("Connect a container to a network", { hint: "network", check: checkNetwork }),
  "network-alias": list("Add network-scoped alias for the container"),
  "no-healthcheck": bool("Disable any container-specified HEALTHCHECK"),
  "oom-kill-disable": bool("Disable OOM Killer"),
  "oom-score-adj": int("Tune host's OOM preferences (-1000 to 1000)"),
  pid: text("PID namespace to use"),
  platform: text("Set platform if server is multi-platform capable"),
  privileged: bool("Give extended privileges to this container"),
  publish: list("Publish a container's port(s) to the host", { short: "p" }),
  "publish-all": bool("Publish all exposed ports to random ports", { short: "P" }),
  pull: text('Pull image before running ("always", "missing", "never")', { preset: "missing" }),
  quiet: bool("Suppress the pull output", { short: "q" }),
  "read-only": bool("Mount the container's root filesystem as read only"),
  rm: bool("Automatically remove the container when it exits"),
  runtime: text("Runtime to use for this container"),
  "security-opt": list("Security Options"),
  "shm-size": bytes("Size of /dev/shm"),
  "stop-signal": text("Signal to stop the container"),
  "stop-timeout": int("Timeout (in seconds) to stop a container"),
  "storage-opt": list("Storage driver options for the container"),
  sysctl: list("Sysctl options", { hint: "map", check: checkSysctl }),
  tmpfs: list("Mount a tmpfs directory"),
  tty: bool("Allocate a pseudo-TTY", { short: "t" }),
  ulimit: list("Ulimit options", { hint: "ulimit", check: checkUlimit }),
  user: text("Username or UID (format: <name|uid>[:<group|gid>])", { short: "u" }),
  userns: text("User namespace to use"),
  uts: text("UTS namespace to use"),
  volume: list("Bind mount a volume", { short: "v" }),
  "volume-driver": text("Optional volume driver for the container"),
  "volumes-from": list("Mount volumes from the specified container(s)"),
  workdir: text("Working directory inside the container", { short: "w" }),
} as const;

export type CreateFlags = typeof CREATE_FLAGS;
