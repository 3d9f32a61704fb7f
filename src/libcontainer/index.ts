/**
 * Owns a container as the kernel sees it: namespaces, groups, capabilities, devices, root, and the launcher.
 * Refuses to know images, names and HTTP.
 * Called by `exec`, and by `jobs` to state what is wanted.
 */

export {
  DEFAULT_APPARMOR_PROFILE,
  defaultAppArmorProfile,
  isAppArmorEnabled,
  type LoadedProfile,
  loadDefaultProfile,
} from "./apparmor.ts";
export {
  CAPABILITIES,
  capabilitiesOf,
  capabilityMask,
  capabilityNamed,
  containerCapabilities,
  DEFAULT_CAPABILITIES,
  hostCapabilities,
} from "./capabilities.ts";
export { type CdiDevice, type CdiFound, findCdiDevices } from "./cdi/devices.ts";
export { injectCdiDevices } from "./cdi/inject.ts";
export { type Cgroups, detectCgroups } from "./cgroups/detect.ts";
export { type ContainerStatistics, type Group, openGroup } from "./cgroups/group.ts";
export { cgroupSteps, prepareParentGroup } from "./cgroups/manager.ts";
export { ownGroups } from "./cgroups/own-group.ts";
export { groupPath, groupPathOfDirectories } from "./cgroups/path.ts";
export { listGroups, removeParentGroup } from "./cgroups/tree.ts";
export { type CompileOptions, compilePlan } from "./compile.ts";
export { compileExecPlan, type ExecPlanRequest, ownGroupSteps } from "./compile-exec.ts";
export {
  DEFAULT_MASKED_PATHS,
  DEFAULT_READONLY_PATHS,
  DEFAULT_SHM_BYTES,
  defaultMounts,
  thermalPaths,
} from "./defaults.ts";
export {
  ALL_DEVICE_RULES,
  DEFAULT_DEVICE_RULES,
  DEFAULT_DEVICES,
  type DeviceRequest,
  deviceNumbers,
  hostDevices,
  isAccess,
  parseDeviceRequest,
  parseDeviceRule,
  resolveDevices,
} from "./devices.ts";
export { launcherCommand, launcherPath } from "./executable.ts";
export { type Launched, type LaunchOptions, launch, sendNetlink } from "./launch.ts";
export type { LogFile, LogSink, LogSocket } from "./log-sink.ts";
export { MS, parseMountOptions, propagationFlags } from "./mount-options.ts";
export type * from "./plan.ts";
export { RLIMIT_NAMES, rlimitNumber, rlimitValue } from "./rlimits.ts";
export { compileSeccomp } from "./seccomp/compile.ts";
export { keepProjects } from "./seccomp/projects.ts";
export { defaultSeccomp, resolveSeccomp } from "./seccomp/resolve.ts";
export type * from "./spec.ts";
export { type View, type ViewRequest, viewOf } from "./view.ts";
export { encodeNetlink, encodePlan, type LaunchSettings } from "./wire.ts";
