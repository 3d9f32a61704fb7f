import type { HostConfigBody, ResourcesBody } from "#api";
import { didYouMean, Fault } from "#errors";
import type { ContainerSpec } from "#jobs";
import { toMountRequest } from "./mounts.ts";
import { toPortBindings } from "./ports.ts";

export type HostSpec = ContainerSpec["host"];
export type ResourceSpec = HostSpec["resources"];
type RestartPolicy = HostSpec["restartPolicy"];

const RESTART_NAMES = ["no", "always", "on-failure", "unless-stopped"] as const;

/** Docker's HostConfig in the engine's words. Throws `invalid` or `unsupported` for what cannot be meant or done. */
export function toHostSpec(body: HostConfigBody): HostSpec {
  refuseUnsupported(body);
  const restartPolicy = toRestartPolicy(body.RestartPolicy ?? { Name: "", MaximumRetryCount: 0 });
  if (body.AutoRemove && restartPolicy.name !== "no")
    throw new Fault("invalid", "Cannot create container with both AutoRemove and RestartPolicy set");
  return {
    ...storageOf(body),
    ...networkOf(body),
    ...securityOf(body),
    ...namespacesOf(body),
    devices: body.Devices.map((device) => ({
      hostPath: device.PathOnHost,
      containerPath: device.PathInContainer || device.PathOnHost,
      permissions: device.CgroupPermissions || "rwm",
    })),
    deviceCgroupRules: body.DeviceCgroupRules,
    resources: toResourceSpec(body),
    ulimits: body.Ulimits.map(({ Name, Soft, Hard }) => ({ name: Name, soft: Soft, hard: Hard })),
    restartPolicy,
    autoRemove: body.AutoRemove,
    logConfig: { type: body.LogConfig?.Type ?? "", options: body.LogConfig?.Config ?? {} },
    ...(typeof body.Init === "boolean" && { init: body.Init }),
    oomScoreAdj: body.OomScoreAdj,
    sysctls: body.Sysctls,
    annotations: body.Annotations,
    runtime: body.Runtime,
    ...consoleOf(body),
    ...idFileOf(body),
    ...deviceRequestsOf(body),
  };
}

function refuseUnsupported(body: HostConfigBody): void {
  if (body.Cgroup !== "")
    throw new Fault(
      "unsupported",
      "Cannot create the container: joining another container's control group (Cgroup) is not supported, put both below one --cgroup-parent",
    );
  if (!["", "default"].includes(body.Isolation))
    throw new Fault(
      "invalid",
      `Invalid isolation "${body.Isolation.slice(0, 100)}": on Linux there is only default`,
    );
  if ((body.CpuRealtimePeriod ?? 0) !== 0 || (body.CpuRealtimeRuntime ?? 0) !== 0)
    throw new Fault("unsupported", "Cannot create the container: realtime scheduling is not supported");
}

function storageOf(body: HostConfigBody) {
  return {
    binds: body.Binds,
    mounts: body.Mounts.map(toMountRequest),
    tmpfs: body.Tmpfs,
    volumesFrom: body.VolumesFrom,
    volumeDriver: body.VolumeDriver,
    storageOptions: body.StorageOpt,
    shmSizeBytes: notNegative(body.ShmSize, "SHM size"),
    readonlyRootfs: body.ReadonlyRootfs,
  };
}

function networkOf(body: HostConfigBody) {
  return {
    portBindings: toPortBindings(body.PortBindings),
    publishAllPorts: body.PublishAllPorts,
    networkMode: body.NetworkMode || "default",
    dns: body.Dns,
    dnsOptions: body.DnsOptions,
    dnsSearch: body.DnsSearch,
    extraHosts: body.ExtraHosts,
    links: body.Links,
  };
}

function securityOf(body: HostConfigBody) {
  return {
    groupAdd: body.GroupAdd,
    capAdd: body.CapAdd,
    capDrop: body.CapDrop,
    privileged: body.Privileged,
    securityOptions: body.SecurityOpt,
    ...(Array.isArray(body.MaskedPaths) && { maskedPaths: body.MaskedPaths }),
    ...(Array.isArray(body.ReadonlyPaths) && { readonlyPaths: body.ReadonlyPaths }),
  };
}

function namespacesOf(body: HostConfigBody) {
  return {
    pidMode: body.PidMode,
    ipcMode: body.IpcMode,
    utsMode: body.UTSMode,
    usernsMode: body.UsernsMode,
    cgroupnsMode: body.CgroupnsMode,
    cgroupParent: body.CgroupParent,
  };
}

function consoleOf({ ConsoleSize }: HostConfigBody) {
  const [rows = 0, columns = 0] = ConsoleSize ?? [];
  return rows > 0 && columns > 0 ? { consoleSize: { rows, columns } } : {};
}

function deviceRequestsOf({ DeviceRequests }: HostConfigBody) {
  if (DeviceRequests.length === 0) return {};
  return {
    deviceRequests: DeviceRequests.map((request) => ({
      driver: request.Driver,
      count: request.Count,
      deviceIds: request.DeviceIDs,
      capabilities: request.Capabilities,
      options: request.Options,
    })),
  };
}

const idFileOf = ({ ContainerIDFile }: HostConfigBody) =>
  ContainerIDFile === "" ? {} : { idFile: ContainerIDFile };

export function toRestartPolicy(body: { Name: string; MaximumRetryCount: number }): RestartPolicy {
  const name = RESTART_NAMES.find((known) => known === (body.Name || "no"));
  if (name === undefined)
    throw new Fault(
      "invalid",
      `Invalid restart policy: unknown policy '${body.Name.slice(0, 100)}'${didYouMean(body.Name, RESTART_NAMES)}`,
    );
  if (body.MaximumRetryCount < 0)
    throw new Fault("invalid", "Invalid restart policy: maximum retry count cannot be negative");
  if (body.MaximumRetryCount > 0 && name !== "on-failure")
    throw new Fault(
      "invalid",
      "Invalid restart policy: maximum retry count can only be used with 'on-failure'",
    );
  return { name, maximumRetryCount: body.MaximumRetryCount };
}

/** Only what was given: an update must leave the rest alone. */
export function toResourceSpec(body: ResourcesBody): ResourceSpec {
  const swappiness = body.MemorySwappiness === -1 ? undefined : body.MemorySwappiness;
  const numbers = {
    memory: body.Memory,
    memorySwap: body.MemorySwap,
    memoryReservation: body.MemoryReservation,
    memorySwappiness: swappiness,
    nanoCpus: body.NanoCpus ?? body.NanoCPUs,
    cpuShares: body.CpuShares,
    cpuPeriod: body.CpuPeriod,
    cpuQuota: body.CpuQuota,
    blkioWeight: body.BlkioWeight,
    oomKillDisable: body.OomKillDisable,
    cpusetCpus: body.CpusetCpus,
    cpusetMems: body.CpusetMems,
  };
  return {
    ...given(numbers),
    // Zero lifts the limit, so it is not the same as nothing.
    ...(body.PidsLimit != null && { pidsLimit: body.PidsLimit }),
    ...listed(
      "blkioWeightDevice",
      body.BlkioWeightDevice.map(({ Path, Weight }) => ({ path: Path, value: Weight })),
    ),
    ...listed("blkioDeviceReadBps", body.BlkioDeviceReadBps.map(toRate)),
    ...listed("blkioDeviceWriteBps", body.BlkioDeviceWriteBps.map(toRate)),
    ...listed("blkioDeviceReadIops", body.BlkioDeviceReadIOps.map(toRate)),
    ...listed("blkioDeviceWriteIops", body.BlkioDeviceWriteIOps.map(toRate)),
  };
}

type Given<Fields> = { [Key in keyof Fields]?: NonNullable<Fields[Key]> };

/** Docker's zero and null both mean "not set". */
function given<Fields extends object>(fields: Fields): Given<Fields> {
  const isSet = (value: unknown) => value != null && value !== 0 && value !== "";
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => isSet(value))) as Given<Fields>;
}

function listed<Key extends string, Item>(key: Key, items: readonly Item[]) {
  return (items.length === 0 ? {} : { [key]: items }) as { [K in Key]?: readonly Item[] };
}

function toRate({ Path, Rate }: { Path: string; Rate: number }) {
  return { path: Path, value: Rate };
}

function notNegative(value: number, what: string): number {
  if (value < 0) throw new Fault("invalid", `${what} can not be less than 0`);
  return value;
}
