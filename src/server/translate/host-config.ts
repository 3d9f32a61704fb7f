import { type HostConfig, isAtLeast } from "#api";
import type { ContainerView } from "#jobs";
import type { HostSpec, ResourceSpec } from "./host-spec.ts";
import { toMountBody } from "./mounts.ts";

/** Docker's lists, echoed where the client left them to the engine. Source: moby, oci/defaults.go. */
const MASKED_PATHS = [
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
const READONLY_PATHS = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/** HostConfig as it was given, in full, with Docker's defaults for the rest. */
export function toHostConfig({ container, links = [] }: ContainerView, version: string): HostConfig {
  const { host } = container.spec;
  return {
    ...toStorage(host),
    ...toNetworking(host),
    Links: orNull(links),
    ...toSecurity(host),
    ...toResources(host),
    ...(!isAtLeast(version, "1.42") && { KernelMemory: 0, KernelMemoryTCP: 0 }),
    ContainerIDFile: host.idFile ?? "",
    LogConfig: { Type: host.logConfig.type || "json-file", Config: host.logConfig.options },
    RestartPolicy: {
      Name: host.restartPolicy.name,
      MaximumRetryCount: host.restartPolicy.maximumRetryCount,
    },
    AutoRemove: host.autoRemove,
    ConsoleSize: [host.consoleSize?.rows ?? 0, host.consoleSize?.columns ?? 0],
    Runtime: host.runtime,
    Isolation: "",
    ...(host.init !== undefined && { Init: host.init }),
    ...(Object.keys(host.annotations).length > 0 && { Annotations: host.annotations }),
  };
}

function toStorage(host: HostSpec) {
  return {
    Binds: orNull(host.binds),
    ...(host.mounts.length > 0 && { Mounts: host.mounts.map(toMountBody) }),
    ...(Object.keys(host.tmpfs).length > 0 && { Tmpfs: host.tmpfs }),
    ...(Object.keys(host.storageOptions).length > 0 && { StorageOpt: host.storageOptions }),
    ...(Object.keys(host.sysctls).length > 0 && { Sysctls: host.sysctls }),
    VolumesFrom: orNull(host.volumesFrom),
    VolumeDriver: host.volumeDriver,
    ShmSize: host.shmSizeBytes,
    ReadonlyRootfs: host.readonlyRootfs,
  };
}

function toNetworking(host: HostSpec) {
  const bindings = Object.entries(host.portBindings).map(
    ([port, wanted]) =>
      [port, wanted.map(({ hostIp, hostPort }) => ({ HostIp: hostIp, HostPort: hostPort }))] as const,
  );
  return {
    NetworkMode: host.networkMode === "default" ? "bridge" : host.networkMode,
    PortBindings: Object.fromEntries(bindings),
    PublishAllPorts: host.publishAllPorts,
    Dns: host.dns,
    DnsOptions: host.dnsOptions,
    DnsSearch: host.dnsSearch,
    ExtraHosts: orNull(host.extraHosts),
  };
}

function toSecurity(host: HostSpec) {
  return {
    CapAdd: orNull(host.capAdd),
    CapDrop: orNull(host.capDrop),
    GroupAdd: orNull(host.groupAdd),
    Privileged: host.privileged,
    SecurityOpt: orNull(host.securityOptions),
    MaskedPaths: host.privileged ? null : (host.maskedPaths ?? MASKED_PATHS),
    ReadonlyPaths: host.privileged ? null : (host.readonlyPaths ?? READONLY_PATHS),
    Cgroup: "",
    CgroupnsMode: host.cgroupnsMode || "private",
    CgroupParent: host.cgroupParent,
    IpcMode: host.ipcMode || "private",
    PidMode: host.pidMode,
    UTSMode: host.utsMode,
    UsernsMode: host.usernsMode,
    OomScoreAdj: host.oomScoreAdj,
  };
}

function toResources(host: HostSpec) {
  const { resources } = host;
  return {
    ...toLimits(resources),
    ...toBlockDevices(resources),
    Devices: host.devices.map(({ hostPath, containerPath, permissions }) => ({
      PathOnHost: hostPath,
      PathInContainer: containerPath,
      CgroupPermissions: permissions,
    })),
    DeviceCgroupRules: orNull(host.deviceCgroupRules),
    DeviceRequests: orNull((host.deviceRequests ?? []).map(toDeviceRequest)),
    Ulimits: host.ulimits.map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })),
  };
}

function toDeviceRequest(request: NonNullable<HostSpec["deviceRequests"]>[number]) {
  return {
    Driver: request.driver,
    Count: request.count,
    DeviceIDs: orNull(request.deviceIds),
    Capabilities: orNull(request.capabilities),
    Options: request.options,
  };
}

function toLimits(resources: ResourceSpec) {
  return {
    CpuShares: resources.cpuShares ?? 0,
    CpuPeriod: resources.cpuPeriod ?? 0,
    CpuQuota: resources.cpuQuota ?? 0,
    CpuRealtimePeriod: 0,
    CpuRealtimeRuntime: 0,
    CpusetCpus: resources.cpusetCpus ?? "",
    CpusetMems: resources.cpusetMems ?? "",
    NanoCpus: resources.nanoCpus ?? 0,
    CpuCount: 0,
    CpuPercent: 0,
    IOMaximumIOps: 0,
    IOMaximumBandwidth: 0,
    Memory: resources.memory ?? 0,
    MemoryReservation: resources.memoryReservation ?? 0,
    MemorySwap: resources.memorySwap ?? 0,
    MemorySwappiness: resources.memorySwappiness ?? null,
    OomKillDisable: resources.oomKillDisable ?? null,
    PidsLimit: resources.pidsLimit ?? null,
    BlkioWeight: resources.blkioWeight ?? 0,
  };
}

function toBlockDevices(resources: ResourceSpec) {
  const rates = (devices: ResourceSpec["blkioDeviceReadBps"]) =>
    (devices ?? []).map(({ path, value }) => ({ Path: path, Rate: value }));
  return {
    BlkioWeightDevice: (resources.blkioWeightDevice ?? []).map(({ path, value }) => ({
      Path: path,
      Weight: value,
    })),
    BlkioDeviceReadBps: rates(resources.blkioDeviceReadBps),
    BlkioDeviceWriteBps: rates(resources.blkioDeviceWriteBps),
    BlkioDeviceReadIOps: rates(resources.blkioDeviceReadIops),
    BlkioDeviceWriteIOps: rates(resources.blkioDeviceWriteIops),
  };
}

function orNull<Item>(items: readonly Item[]): readonly Item[] | null {
  return items.length === 0 ? null : items;
}
