import { type ContainerSpec, type HostSpec, parseSignal } from "#container";
import { didYouMean, Fault } from "#errors";
import { detectCgroups, isAccess, parseDeviceRule, RLIMIT_NAMES, rlimitNumber } from "#libcontainer";
import { checkDeviceRequests } from "./requested-devices.ts";
import { capabilitiesOf } from "./spec-process.ts";
import { parseSecurityOptions, seccompProfile } from "./spec-security.ts";
import { checkSysctls } from "./spec-sysctls.ts";
import { checkHealth } from "./validate-health.ts";
import { resourceWarnings } from "./validate-resources.ts";

/** The kernel's limit, __NEW_UTS_LEN. */
const LONGEST_HOSTNAME = 64;
const GREATEST_OOM_SCORE = 1000;

/**
 * Refuses what no container could be started with, in Docker's words where clients look for them. Throws
 * `invalid`. Returns what is accepted but will not be heeded, one sentence each.
 */
export function validateHostSpec(spec: ContainerSpec): readonly string[] {
  const { host } = spec;
  if (spec.stopSignal) parseSignal(spec.stopSignal);
  checkProcess(spec);
  checkHealth(spec);
  checkModes(spec);
  checkLimits(host);
  checkDevices(host);
  checkDeviceRequests(host);
  checkSysctls(host);
  const security = parseSecurityOptions(host.securityOptions);
  seccompProfile(host, capabilitiesOf({ spec }));
  return [...security.warnings, ...resourceWarnings(host, detectCgroups())];
}

function checkProcess({ env, workingDirectory, hostname, domainname, host }: ContainerSpec): void {
  for (const entry of env)
    if (entry.startsWith("=") || entry === "" || entry.includes("\0"))
      throw new Fault("invalid", `invalid environment variable: ${entry.slice(0, 64)}`);
  if (workingDirectory !== "" && !workingDirectory.startsWith("/"))
    throw new Fault(
      "invalid",
      `the working directory '${workingDirectory.slice(0, 256)}' is invalid, it needs to be an absolute path`,
    );
  for (const [name, what] of [
    [hostname, "hostname"],
    [domainname, "domainname"],
  ])
    if (name !== undefined && (Buffer.byteLength(name) > LONGEST_HOSTNAME || /[\0-\x20\x7f]/.test(name)))
      throw new Fault(
        "invalid",
        `invalid ${what}: "${name.slice(0, 80)}" must be at most ${LONGEST_HOSTNAME} bytes without blanks`,
      );
  if (Math.abs(host.oomScoreAdj) > GREATEST_OOM_SCORE)
    throw new Fault("invalid", `Invalid value ${host.oomScoreAdj}, range for oom score adj is [-1000, 1000]`);
}

const OTHER = "container:";
/** What each may be besides empty; the prefix stands for another container's. */
const MODES: readonly (readonly [keyof HostSpec, string, readonly string[]])[] = [
  ["pidMode", "PID", ["host", OTHER]],
  ["ipcMode", "IPC", ["none", "private", "shareable", "host", OTHER]],
  ["utsMode", "UTS", ["host"]],
  ["usernsMode", "USER", ["host"]],
  ["cgroupnsMode", "CGROUP", ["host", "private"]],
];

const isMode = (mode: string, words: readonly string[]): boolean =>
  mode === "" ||
  (words.includes(mode) && mode !== OTHER) ||
  (words.includes(OTHER) && mode.startsWith(OTHER) && mode.length > OTHER.length);

function checkModes({ hostname, host }: ContainerSpec): void {
  for (const [key, word, words] of MODES) {
    const mode = String(host[key]);
    if (!isMode(mode, words))
      throw new Fault("invalid", `invalid ${word} mode: ${mode.slice(0, 128)}${didYouMean(mode, words)}`);
  }
  if (host.utsMode === "host" && hostname !== "")
    throw new Fault("invalid", "conflicting options: hostname and the UTS mode");
  if (host.cgroupParent.split("/").includes("..") || host.cgroupParent.includes("\0"))
    throw new Fault("invalid", `invalid cgroup parent: ${host.cgroupParent.slice(0, 256)}`);
}

function checkLimits({ ulimits, shmSizeBytes }: HostSpec): void {
  if (shmSizeBytes < 0) throw new Fault("invalid", "SHM size can not be less than 0");
  for (const { name, soft, hard } of ulimits) {
    if (rlimitNumber(name) === undefined || name !== name.toLowerCase())
      throw new Fault(
        "invalid",
        `invalid ulimit type: ${name.slice(0, 64)}; it is none of ${RLIMIT_NAMES.join(", ")}${didYouMean(name, RLIMIT_NAMES)}`,
      );
    const isAbove = hard >= 0 && (soft < 0 || soft > hard);
    if (isAbove)
      throw new Fault(
        "invalid",
        `ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`,
      );
  }
}

/** Whether the devices are there is asked at the start, for they come and go. */
function checkDevices({ devices, deviceCgroupRules, annotations }: HostSpec): void {
  for (const { hostPath, containerPath, permissions } of devices) {
    if (permissions !== "" && !isAccess(permissions))
      throw new Fault("invalid", `invalid device mode: ${permissions.slice(0, 16)}`);
    if (!hostPath.startsWith("/") || !(containerPath === "" || containerPath.startsWith("/")))
      throw new Fault("invalid", `invalid device: ${hostPath.slice(0, 256)} is not an absolute path`);
  }
  for (const rule of deviceCgroupRules) parseDeviceRule(rule);
  if (Object.keys(annotations).includes(""))
    throw new Fault("invalid", "invalid Annotations: the empty string is not permitted as an annotation key");
}
