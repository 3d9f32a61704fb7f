import { z } from "zod";
import { Count, dictionary, Flag, Integer, list, Text } from "./lenient.ts";

const Strings = list(z.string());
const StringMap = dictionary(Text);
const Device = z.object({ Path: Text, Rate: Count });
const Rows = z.tuple([Integer, Integer]).nullish();

export const RestartPolicyBody = z.object({ Name: Text, MaximumRetryCount: Count });

/** What `update` may change, and the part of HostConfig that is about resources. Absent fields stay absent. */
export const ResourcesBody = z.object({
  CpuShares: Integer.nullish(),
  Memory: Integer.nullish(),
  MemoryReservation: Integer.nullish(),
  MemorySwap: Integer.nullish(),
  MemorySwappiness: Integer.nullish(),
  NanoCpus: Integer.nullish(),
  /** Below API 1.25 some clients still send it under this name. */
  NanoCPUs: Integer.nullish(),
  OomKillDisable: z.boolean().nullish(),
  CpuPeriod: Integer.nullish(),
  CpuQuota: Integer.nullish(),
  CpuRealtimePeriod: Integer.nullish(),
  CpuRealtimeRuntime: Integer.nullish(),
  CpusetCpus: z.string().nullish(),
  CpusetMems: z.string().nullish(),
  PidsLimit: Integer.nullish(),
  BlkioWeight: Integer.nullish(),
  BlkioWeightDevice: list(z.object({ Path: Text, Weight: Count })),
  BlkioDeviceReadBps: list(Device),
  BlkioDeviceWriteBps: list(Device),
  BlkioDeviceReadIOps: list(Device),
  BlkioDeviceWriteIOps: list(Device),
});
export type ResourcesBody = z.infer<typeof ResourcesBody>;

export const MountBody = z.object({
  Type: Text,
  Source: Text,
  Target: Text,
  ReadOnly: Flag,
  Consistency: Text,
  BindOptions: z
    .object({
      Propagation: Text,
      NonRecursive: Flag,
      CreateMountpoint: Flag,
      ReadOnlyNonRecursive: Flag,
      ReadOnlyForceRecursive: Flag,
      IDMapping: z.object({ Source: Text, User: Text }).nullish(),
      /** This engine's own: `uids=1000-0-1;gids=1000-0-1`, owners on disk and as they are seen. */
      IdMap: Text,
    })
    .nullish(),
  VolumeOptions: z
    .object({
      NoCopy: Flag,
      Labels: StringMap,
      DriverConfig: z.object({ Name: Text, Options: StringMap }).nullish(),
      Subpath: Text,
    })
    .nullish(),
  ImageOptions: z.object({ Subpath: Text }).nullish(),
  TmpfsOptions: z.object({ SizeBytes: Count, Mode: Count, Options: list(Strings) }).nullish(),
  ClusterOptions: z.looseObject({}).nullish(),
});
export type MountBody = z.infer<typeof MountBody>;

/** `{"80/tcp": [{"HostIp": "", "HostPort": "8020"}]}`; the list may be null. */
export const PortMapBody = dictionary(list(z.object({ HostIp: Text, HostPort: Text })));

export const HostConfigBody = ResourcesBody.extend({
  Binds: Strings,
  Mounts: list(MountBody),
  Tmpfs: StringMap,
  VolumesFrom: Strings,
  VolumeDriver: Text,
  PortBindings: PortMapBody,
  PublishAllPorts: Flag,
  NetworkMode: Text,
  Dns: Strings,
  DnsOptions: Strings,
  DnsSearch: Strings,
  ExtraHosts: Strings,
  Links: Strings,
  GroupAdd: Strings,
  CapAdd: Strings,
  CapDrop: Strings,
  Privileged: Flag,
  SecurityOpt: Strings,
  MaskedPaths: z.array(z.string()).nullish(),
  ReadonlyPaths: z.array(z.string()).nullish(),
  ReadonlyRootfs: Flag,
  Devices: list(z.object({ PathOnHost: Text, PathInContainer: Text, CgroupPermissions: Text })),
  DeviceCgroupRules: Strings,
  DeviceRequests: list(
    z.object({
      Driver: Text,
      Count: Count,
      DeviceIDs: Strings,
      Capabilities: list(Strings),
      Options: StringMap,
    }),
  ),
  Ulimits: list(z.object({ Name: Text, Soft: Count, Hard: Count })),
  ShmSize: Count,
  PidMode: Text,
  IpcMode: Text,
  UTSMode: Text,
  UsernsMode: Text,
  CgroupnsMode: Text,
  CgroupParent: Text,
  RestartPolicy: RestartPolicyBody.nullish(),
  AutoRemove: Flag,
  LogConfig: z.object({ Type: Text, Config: StringMap }).nullish(),
  Init: z.boolean().nullish(),
  OomScoreAdj: Count,
  Sysctls: StringMap,
  StorageOpt: StringMap,
  Annotations: StringMap,
  Runtime: Text,
  Isolation: Text,
  ConsoleSize: Rows,
  ContainerIDFile: Text,
  Cgroup: Text,
});
export type HostConfigBody = z.infer<typeof HostConfigBody>;

export const UpdateBody = ResourcesBody.extend({ RestartPolicy: RestartPolicyBody.nullish() });
