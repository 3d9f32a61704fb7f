import { z } from "zod";
import { MountReply } from "./mount-reply.ts";
import { HealthConfig } from "./object-reply.ts";

const Strings = z.array(z.string()).readonly();
const StringsOrNull = Strings.nullable();
const StringMap = z.record(z.string(), z.string()).readonly();
const EmptySet = z.record(z.string(), z.object({})).readonly();

export const ContainerCreated = z.object({ Id: z.string(), Warnings: Strings });
export type ContainerCreated = z.infer<typeof ContainerCreated>;

export const ContainerState = z.object({
  Status: z.enum(["created", "running", "paused", "restarting", "removing", "exited", "dead"]),
  Running: z.boolean(),
  Paused: z.boolean(),
  Restarting: z.boolean(),
  OOMKilled: z.boolean(),
  Dead: z.boolean(),
  Pid: z.number(),
  ExitCode: z.number(),
  Error: z.string(),
  StartedAt: z.string(),
  FinishedAt: z.string(),
  /** Of a container that has a health check and has been started. */
  Health: z
    .object({
      Status: z.enum(["starting", "healthy", "unhealthy"]),
      FailingStreak: z.number(),
      Log: z.array(
        z.object({ Start: z.string(), End: z.string(), ExitCode: z.number(), Output: z.string() }),
      ),
    })
    .optional(),
});
export type ContainerState = z.infer<typeof ContainerState>;

export const PortMap = z.record(
  z.string(),
  z.array(z.object({ HostIp: z.string(), HostPort: z.string() })).nullable(),
);

export const EndpointSettings = z.object({
  IPAMConfig: z
    .object({
      IPv4Address: z.string().optional(),
      IPv6Address: z.string().optional(),
      LinkLocalIPs: Strings.optional(),
    })
    .nullable(),
  Links: StringsOrNull,
  Aliases: StringsOrNull,
  MacAddress: z.string(),
  DriverOpts: StringMap.nullable(),
  /** Since API 1.48. */
  GwPriority: z.number().optional(),
  NetworkID: z.string(),
  EndpointID: z.string(),
  Gateway: z.string(),
  IPAddress: z.string(),
  IPPrefixLen: z.number(),
  IPv6Gateway: z.string(),
  GlobalIPv6Address: z.string(),
  GlobalIPv6PrefixLen: z.number(),
  /** Since API 1.44. */
  DNSNames: StringsOrNull.optional(),
});
export type EndpointSettings = z.infer<typeof EndpointSettings>;

export const NetworkSettings = z.object({
  SandboxID: z.string(),
  SandboxKey: z.string(),
  Ports: PortMap,
  Networks: z.record(z.string(), EndpointSettings),
  /** The rest is for clients below API 1.52. */
  Bridge: z.string().optional(),
  HairpinMode: z.boolean().optional(),
  LinkLocalIPv6Address: z.string().optional(),
  LinkLocalIPv6PrefixLen: z.number().optional(),
  SecondaryIPAddresses: z.null().optional(),
  SecondaryIPv6Addresses: z.null().optional(),
  EndpointID: z.string().optional(),
  Gateway: z.string().optional(),
  GlobalIPv6Address: z.string().optional(),
  GlobalIPv6PrefixLen: z.number().optional(),
  IPAddress: z.string().optional(),
  IPPrefixLen: z.number().optional(),
  IPv6Gateway: z.string().optional(),
  MacAddress: z.string().optional(),
});
export type NetworkSettings = z.infer<typeof NetworkSettings>;

export const Mount = z.object({
  Type: z.string(),
  Name: z.string().optional(),
  Source: z.string(),
  Destination: z.string(),
  Driver: z.string().optional(),
  Mode: z.string(),
  RW: z.boolean(),
  Propagation: z.string(),
});
export type Mount = z.infer<typeof Mount>;

const Rate = z.array(z.object({ Path: z.string(), Rate: z.number() }));

export const HostConfig = z.object({
  Binds: StringsOrNull,
  ContainerIDFile: z.string(),
  LogConfig: z.object({ Type: z.string(), Config: StringMap }),
  NetworkMode: z.string(),
  PortBindings: PortMap,
  RestartPolicy: z.object({ Name: z.string(), MaximumRetryCount: z.number() }),
  AutoRemove: z.boolean(),
  VolumeDriver: z.string(),
  VolumesFrom: StringsOrNull,
  Mounts: z.array(MountReply).optional(),
  ConsoleSize: z.tuple([z.number(), z.number()]),
  Annotations: StringMap.optional(),
  CapAdd: StringsOrNull,
  CapDrop: StringsOrNull,
  CgroupnsMode: z.string(),
  Dns: Strings,
  DnsOptions: Strings,
  DnsSearch: Strings,
  ExtraHosts: StringsOrNull,
  GroupAdd: StringsOrNull,
  IpcMode: z.string(),
  Cgroup: z.string(),
  Links: StringsOrNull,
  OomScoreAdj: z.number(),
  PidMode: z.string(),
  Privileged: z.boolean(),
  PublishAllPorts: z.boolean(),
  ReadonlyRootfs: z.boolean(),
  SecurityOpt: StringsOrNull,
  StorageOpt: StringMap.optional(),
  Tmpfs: StringMap.optional(),
  UTSMode: z.string(),
  UsernsMode: z.string(),
  ShmSize: z.number(),
  Sysctls: StringMap.optional(),
  Runtime: z.string(),
  Isolation: z.string(),
  Init: z.boolean().optional(),
  MaskedPaths: StringsOrNull,
  ReadonlyPaths: StringsOrNull,
  CpuShares: z.number(),
  Memory: z.number(),
  /** These two below API 1.42, and always none: kernels have no such limits any more. */
  KernelMemory: z.number().optional(),
  KernelMemoryTCP: z.number().optional(),
  NanoCpus: z.number(),
  CgroupParent: z.string(),
  BlkioWeight: z.number(),
  BlkioWeightDevice: z.array(z.object({ Path: z.string(), Weight: z.number() })),
  BlkioDeviceReadBps: Rate,
  BlkioDeviceWriteBps: Rate,
  BlkioDeviceReadIOps: Rate,
  BlkioDeviceWriteIOps: Rate,
  CpuPeriod: z.number(),
  CpuQuota: z.number(),
  CpuRealtimePeriod: z.number(),
  CpuRealtimeRuntime: z.number(),
  CpusetCpus: z.string(),
  CpusetMems: z.string(),
  Devices: z.array(
    z.object({ PathOnHost: z.string(), PathInContainer: z.string(), CgroupPermissions: z.string() }),
  ),
  DeviceCgroupRules: StringsOrNull,
  DeviceRequests: z
    .array(
      z.object({
        Driver: z.string(),
        Count: z.number(),
        DeviceIDs: StringsOrNull,
        Capabilities: z.array(Strings).readonly().nullable(),
        Options: StringMap,
      }),
    )
    .readonly()
    .nullable(),
  MemoryReservation: z.number(),
  MemorySwap: z.number(),
  MemorySwappiness: z.number().nullable(),
  OomKillDisable: z.boolean().nullable(),
  PidsLimit: z.number().nullable(),
  Ulimits: z.array(z.object({ Name: z.string(), Soft: z.number(), Hard: z.number() })),
  CpuCount: z.number(),
  CpuPercent: z.number(),
  IOMaximumIOps: z.number(),
  IOMaximumBandwidth: z.number(),
});
export type HostConfig = z.infer<typeof HostConfig>;

export const ContainerConfig = z.object({
  Hostname: z.string(),
  Domainname: z.string(),
  User: z.string(),
  AttachStdin: z.boolean(),
  AttachStdout: z.boolean(),
  AttachStderr: z.boolean(),
  ExposedPorts: EmptySet.optional(),
  Tty: z.boolean(),
  OpenStdin: z.boolean(),
  StdinOnce: z.boolean(),
  Env: Strings,
  Cmd: StringsOrNull,
  Healthcheck: HealthConfig.optional(),
  Image: z.string(),
  Volumes: EmptySet.nullable(),
  WorkingDir: z.string(),
  Entrypoint: StringsOrNull,
  NetworkDisabled: z.boolean().optional(),
  /** Below API 1.52. */
  MacAddress: z.string().optional(),
  /** Null only below API 1.52. */
  OnBuild: StringsOrNull.optional(),
  Shell: Strings.optional(),
  ArgsEscaped: z.boolean().optional(),
  Labels: StringMap,
  StopSignal: z.string().optional(),
  StopTimeout: z.number().optional(),
});

export const ContainerInspect = z.object({
  Id: z.string(),
  Created: z.string(),
  Path: z.string(),
  Args: Strings,
  State: ContainerState,
  Image: z.string(),
  ResolvConfPath: z.string(),
  HostnamePath: z.string(),
  HostsPath: z.string(),
  LogPath: z.string(),
  Name: z.string(),
  RestartCount: z.number(),
  Driver: z.string(),
  Platform: z.string(),
  MountLabel: z.string(),
  ProcessLabel: z.string(),
  AppArmorProfile: z.string(),
  ExecIDs: StringsOrNull,
  HostConfig,
  GraphDriver: z.object({ Name: z.string(), Data: StringMap.nullable() }),
  SizeRw: z.number().optional(),
  SizeRootFs: z.number().optional(),
  Mounts: z.array(Mount),
  Config: ContainerConfig,
  NetworkSettings,
});
export type ContainerInspect = z.infer<typeof ContainerInspect>;

export const ContainerSummary = z.object({
  Id: z.string(),
  Names: Strings,
  Image: z.string(),
  ImageID: z.string(),
  Command: z.string(),
  Created: z.number(),
  Ports: z.array(
    z.object({
      IP: z.string().optional(),
      PrivatePort: z.number(),
      PublicPort: z.number().optional(),
      Type: z.string(),
    }),
  ),
  SizeRw: z.number().optional(),
  SizeRootFs: z.number().optional(),
  Labels: StringMap,
  State: z.string(),
  Status: z.string(),
  /** Since API 1.52. */
  Health: z
    .object({ Status: z.enum(["none", "starting", "healthy", "unhealthy"]), FailingStreak: z.number() })
    .optional(),
  HostConfig: z.object({ NetworkMode: z.string(), Annotations: StringMap.optional() }),
  NetworkSettings: z.object({ Networks: z.record(z.string(), EndpointSettings) }),
  Mounts: z.array(Mount),
});
export type ContainerSummary = z.infer<typeof ContainerSummary>;

export const ContainerTop = z.object({ Titles: Strings, Processes: z.array(Strings) });
export type ContainerTop = z.infer<typeof ContainerTop>;

/** `Kind`: 0 modified, 1 added, 2 deleted. */
export const ContainerChange = z.object({ Path: z.string(), Kind: z.number() });
export type ContainerChange = z.infer<typeof ContainerChange>;

export const ContainerWait = z.object({
  StatusCode: z.number(),
  Error: z.object({ Message: z.string() }).optional(),
});
export type ContainerWait = z.infer<typeof ContainerWait>;

export const ContainersPruned = z.object({ ContainersDeleted: StringsOrNull, SpaceReclaimed: z.number() });
export type ContainersPruned = z.infer<typeof ContainersPruned>;

export const Warned = z.object({ Warnings: Strings });
export type Warned = z.infer<typeof Warned>;

export const ExecInspect = z.object({
  ID: z.string(),
  ContainerID: z.string(),
  Running: z.boolean(),
  ExitCode: z.number().nullable(),
  ProcessConfig: z.object({
    tty: z.boolean(),
    entrypoint: z.string(),
    arguments: Strings,
    privileged: z.boolean(),
    user: z.string().optional(),
  }),
  OpenStdin: z.boolean(),
  OpenStdout: z.boolean(),
  OpenStderr: z.boolean(),
  CanRemove: z.boolean(),
  DetachKeys: z.string(),
  Pid: z.number(),
});
export type ExecInspect = z.infer<typeof ExecInspect>;

export const Created = z.object({ Id: z.string() });
export type Created = z.infer<typeof Created>;
