import { z } from "zod";

const Strings = z.array(z.string()).readonly();
/** A count that may exceed what a double holds: a bigint where it is made, a number where it is read. */
const Wide = z.union([z.number(), z.bigint()]);

export const Version = z.object({
  Platform: z.object({ Name: z.string() }),
  Components: z.array(
    z.object({ Name: z.string(), Version: z.string(), Details: z.record(z.string(), z.string()) }),
  ),
  Version: z.string(),
  ApiVersion: z.string(),
  MinAPIVersion: z.string(),
  GitCommit: z.string(),
  GoVersion: z.string(),
  Os: z.string(),
  Arch: z.string(),
  KernelVersion: z.string(),
  BuildTime: z.string(),
});
export type Version = z.infer<typeof Version>;

/** Of a program that containers are made by, and that is none of this engine. */
const Commit = z.object({ ID: z.string(), Expected: z.string().optional() });

const IndexInfo = z.object({
  Name: z.string(),
  Mirrors: Strings,
  Secure: z.boolean(),
  Official: z.boolean(),
});

export const Info = z.object({
  ID: z.string(),
  Containers: z.number(),
  ContainersRunning: z.number(),
  ContainersPaused: z.number(),
  ContainersStopped: z.number(),
  Images: z.number(),
  Driver: z.string(),
  DriverStatus: z.array(z.tuple([z.string(), z.string()]).readonly()).readonly(),
  DockerRootDir: z.string(),
  Plugins: z.object({ Volume: Strings, Network: Strings, Authorization: Strings.nullable(), Log: Strings }),
  MemoryLimit: z.boolean(),
  SwapLimit: z.boolean(),
  CpuCfsPeriod: z.boolean(),
  CpuCfsQuota: z.boolean(),
  CPUShares: z.boolean(),
  CPUSet: z.boolean(),
  PidsLimit: z.boolean(),
  OomKillDisable: z.boolean(),
  IPv4Forwarding: z.boolean(),
  /** These two below API 1.50. */
  BridgeNfIptables: z.boolean().optional(),
  BridgeNfIp6tables: z.boolean().optional(),
  Debug: z.boolean(),
  NFd: z.number(),
  NGoroutines: z.number(),
  NEventsListener: z.number(),
  SystemTime: z.string(),
  LoggingDriver: z.string(),
  CgroupDriver: z.string(),
  CgroupVersion: z.string(),
  KernelVersion: z.string(),
  OperatingSystem: z.string(),
  OSVersion: z.string(),
  OSType: z.string(),
  Architecture: z.string(),
  NCPU: z.number(),
  MemTotal: z.number(),
  IndexServerAddress: z.string(),
  RegistryConfig: z.object({
    /** These two below API 1.49. */
    AllowNondistributableArtifactsCIDRs: z.null().optional(),
    AllowNondistributableArtifactsHostnames: z.null().optional(),
    InsecureRegistryCIDRs: Strings,
    IndexConfigs: z.record(z.string(), IndexInfo),
    Mirrors: Strings.nullable(),
  }),
  GenericResources: z.null(),
  HttpProxy: z.string(),
  HttpsProxy: z.string(),
  NoProxy: z.string(),
  Name: z.string(),
  Labels: Strings,
  ExperimentalBuild: z.boolean(),
  ServerVersion: z.string(),
  Runtimes: z.record(z.string(), z.object({ path: z.string() })),
  DefaultRuntime: z.string(),
  Swarm: z.object({
    NodeID: z.string(),
    NodeAddr: z.string(),
    LocalNodeState: z.string(),
    ControlAvailable: z.boolean(),
    Error: z.string(),
    RemoteManagers: z.null(),
  }),
  LiveRestoreEnabled: z.boolean(),
  Isolation: z.string(),
  InitBinary: z.string(),
  ContainerdCommit: Commit,
  RuncCommit: Commit,
  InitCommit: Commit,
  SecurityOptions: Strings,
  DefaultAddressPools: z.array(z.object({ Base: z.string(), Size: z.number() })).optional(),
  CDISpecDirs: Strings,
  Warnings: Strings.nullable(),
});
export type Info = z.infer<typeof Info>;

export const EventMessage = z.object({
  /** These three only below API 1.52. */
  status: z.string().optional(),
  id: z.string().optional(),
  from: z.string().optional(),
  Type: z.string(),
  Action: z.string(),
  Actor: z.object({ ID: z.string(), Attributes: z.record(z.string(), z.string()).readonly() }),
  scope: z.string(),
  /** Seconds, and nanoseconds, since the epoch. */
  time: z.number(),
  timeNano: Wide,
});
export type EventMessage = z.infer<typeof EventMessage>;

const CpuStats = z.object({
  cpu_usage: z.object({
    total_usage: Wide,
    percpu_usage: z.array(Wide).optional(),
    usage_in_kernelmode: Wide,
    usage_in_usermode: Wide,
  }),
  system_cpu_usage: Wide.optional(),
  online_cpus: z.number().optional(),
  throttling_data: z.object({ periods: z.number(), throttled_periods: z.number(), throttled_time: Wide }),
});
export type CpuStats = z.infer<typeof CpuStats>;

const BlkioEntries = z
  .array(z.object({ major: z.number(), minor: z.number(), op: z.string(), value: z.number() }))
  .nullable();

/** One line of GET /containers/{id}/stats. */
export const ContainerStats = z.object({
  id: z.string(),
  name: z.string(),
  /** Since API 1.52. */
  os_type: z.string().optional(),
  read: z.string(),
  preread: z.string(),
  num_procs: z.number(),
  pids_stats: z.object({ current: z.number().optional(), limit: z.number().optional() }),
  cpu_stats: CpuStats,
  precpu_stats: CpuStats,
  memory_stats: z.object({
    usage: z.number().optional(),
    max_usage: z.number().optional(),
    failcnt: z.number().optional(),
    limit: z.number().optional(),
    stats: z.record(z.string(), z.number()).readonly().optional(),
  }),
  blkio_stats: z.record(z.string(), BlkioEntries),
  storage_stats: z.object({}),
  networks: z.record(z.string(), z.record(z.string(), z.number()).readonly()).readonly().optional(),
});
export type ContainerStats = z.infer<typeof ContainerStats>;

/** One row of GET /bunker/jobs. Times in milliseconds since the epoch. */
export const JobSummary = z.object({
  id: z.string(),
  name: z.string(),
  arguments: z.record(z.string(), z.string()).readonly(),
  phase: z.string(),
  startedAt: z.number(),
  endedAt: z.number().optional(),
  status: z.enum(["running", "done", "failed", "cancelled"]),
  error: z.string().optional(),
});
export type JobSummary = z.infer<typeof JobSummary>;

/** The body of every reply that says no. */
export const ProblemBody = z.object({ message: z.string() });
export type ProblemBody = z.infer<typeof ProblemBody>;
