import { z } from "zod";

const Strings = z.array(z.string()).readonly();
const StringMap = z.record(z.string(), z.string()).readonly();

/** A command that tells how a container does. Times in nanoseconds; what is not said is the default. */
export const HealthConfig = z.object({
  Test: Strings.optional(),
  Interval: z.number().optional(),
  Timeout: z.number().optional(),
  StartPeriod: z.number().optional(),
  StartInterval: z.number().optional(),
  Retries: z.number().optional(),
});
export type HealthConfig = z.infer<typeof HealthConfig>;

const EmptySet = z.record(z.string(), z.object({})).readonly();

/** What an image says of its containers. From API 1.52 on only what it does say; below 1.50 with fields of old. */
export const ImageSettings = z.object({
  User: z.string().optional(),
  ExposedPorts: EmptySet.optional(),
  Env: Strings.nullable().optional(),
  Cmd: Strings.nullable().optional(),
  Healthcheck: HealthConfig.optional(),
  ArgsEscaped: z.boolean().optional(),
  Volumes: EmptySet.nullable().optional(),
  WorkingDir: z.string().optional(),
  Entrypoint: Strings.nullable().optional(),
  OnBuild: Strings.nullable().optional(),
  Labels: StringMap.nullable().optional(),
  StopSignal: z.string().optional(),
  Shell: Strings.optional(),
  /** The rest is for clients below API 1.50, and always empty. */
  Hostname: z.literal("").optional(),
  Domainname: z.literal("").optional(),
  AttachStdin: z.literal(false).optional(),
  AttachStdout: z.literal(false).optional(),
  AttachStderr: z.literal(false).optional(),
  Tty: z.literal(false).optional(),
  OpenStdin: z.literal(false).optional(),
  StdinOnce: z.literal(false).optional(),
  Image: z.literal("").optional(),
});
export type ImageSettings = z.infer<typeof ImageSettings>;

export const ImageSummary = z.object({
  Id: z.string(),
  ParentId: z.string(),
  RepoTags: Strings,
  RepoDigests: Strings,
  /** Seconds since the epoch. */
  Created: z.number(),
  Size: z.number(),
  SharedSize: z.number(),
  /** Below API 1.44. */
  VirtualSize: z.number().optional(),
  Labels: StringMap,
  Containers: z.number(),
});
export type ImageSummary = z.infer<typeof ImageSummary>;

export const ImageInspect = z.object({
  Id: z.string(),
  RepoTags: Strings,
  RepoDigests: Strings,
  /** Parent and DockerVersion below API 1.52 only, and always empty: they are of a builder of old. */
  Parent: z.string().optional(),
  Comment: z.string().optional(),
  Created: z.string().optional(),
  DockerVersion: z.string().optional(),
  Author: z.string().optional(),
  Config: ImageSettings,
  /** These two below API 1.45 only, and always empty. */
  Container: z.string().optional(),
  ContainerConfig: ImageSettings.optional(),
  Architecture: z.string(),
  Variant: z.string().optional(),
  Os: z.string(),
  OsVersion: z.string().optional(),
  Size: z.number(),
  /** Below API 1.44. */
  VirtualSize: z.number().optional(),
  GraphDriver: z.object({ Name: z.string(), Data: StringMap.nullable() }),
  RootFS: z.object({ Type: z.string(), Layers: Strings }),
  Metadata: z.object({ LastTagTime: z.string() }),
});
export type ImageInspect = z.infer<typeof ImageInspect>;

export const ImageHistory = z.object({
  Id: z.string(),
  Created: z.number(),
  CreatedBy: z.string(),
  Tags: Strings.nullable(),
  Size: z.number(),
  Comment: z.string(),
});
export type ImageHistory = z.infer<typeof ImageHistory>;

export const ImageRemoved = z.union([z.object({ Untagged: z.string() }), z.object({ Deleted: z.string() })]);
export type ImageRemoved = z.infer<typeof ImageRemoved>;

export const ImagesPruned = z.object({
  ImagesDeleted: z.array(ImageRemoved).nullable(),
  SpaceReclaimed: z.number(),
});
export type ImagesPruned = z.infer<typeof ImagesPruned>;

/** A repository that a search found. */
export const ImageFound = z.object({
  star_count: z.number(),
  is_official: z.boolean(),
  name: z.string(),
  is_automated: z.boolean(),
  description: z.string(),
});
export type ImageFound = z.infer<typeof ImageFound>;

/** Reply of GET /distribution/{name}/json: what a name means at its registry. */
export const DistributionInspect = z.object({
  Descriptor: z.object({ mediaType: z.string(), digest: z.string(), size: z.number() }),
  Platforms: z.array(
    z.object({
      architecture: z.string(),
      os: z.string(),
      "os.version": z.string().optional(),
      "os.features": Strings.optional(),
      variant: z.string().optional(),
    }),
  ),
});
export type DistributionInspect = z.infer<typeof DistributionInspect>;

/** One line of a pull's reply. */
export const ProgressLine = z.object({
  stream: z.string().optional(),
  status: z.string().optional(),
  id: z.string().optional(),
  progressDetail: z.object({ current: z.number().optional(), total: z.number().optional() }).optional(),
  progress: z.string().optional(),
  error: z.string().optional(),
  errorDetail: z.object({ code: z.number().optional(), message: z.string() }).optional(),
  aux: z.record(z.string(), z.unknown()).readonly().optional(),
});
export type ProgressLine = z.infer<typeof ProgressLine>;

export const VolumeInspect = z.object({
  Name: z.string(),
  Driver: z.string(),
  Mountpoint: z.string(),
  CreatedAt: z.string(),
  Labels: StringMap.nullable(),
  Scope: z.string(),
  Options: StringMap.nullable(),
  /** What the driver tells of it. */
  Status: z.record(z.string(), z.unknown()).readonly().optional(),
});
export type VolumeInspect = z.infer<typeof VolumeInspect>;

export const VolumeList = z.object({ Volumes: z.array(VolumeInspect), Warnings: Strings.nullable() });
export type VolumeList = z.infer<typeof VolumeList>;

/** Sizes in bytes. */
export const UsageSummary = z.object({
  ActiveCount: z.number(),
  TotalCount: z.number(),
  Reclaimable: z.number(),
  TotalSize: z.number(),
});
export type UsageSummary = z.infer<typeof UsageSummary>;

export const VolumesPruned = z.object({ VolumesDeleted: Strings, SpaceReclaimed: z.number() });
export type VolumesPruned = z.infer<typeof VolumesPruned>;

/** A volume's content as it was once. */
export const VolumeSnapshot = z.object({ Name: z.string(), CreatedAt: z.string() });
export type VolumeSnapshot = z.infer<typeof VolumeSnapshot>;
