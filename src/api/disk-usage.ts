import { z } from "zod";
import { ContainerSummary } from "./container-reply.ts";
import { ImageSummary, UsageSummary, VolumeInspect } from "./object-reply.ts";

/** GET /system/df. Sizes in bytes; a list is null where its kind was not asked for. */
export const DiskUsage = z.object({
  LayersSize: z.number(),
  Images: z.array(ImageSummary).nullable(),
  Containers: z.array(ContainerSummary).nullable(),
  Volumes: z
    .array(VolumeInspect.extend({ UsageData: z.object({ RefCount: z.number(), Size: z.number() }) }))
    .nullable(),
  BuildCache: z.array(z.unknown()).nullable(),
  /** Below API 1.42. */
  BuilderSize: z.number().optional(),
  /** From API 1.52 on. */
  ImageUsage: UsageSummary.optional(),
  ContainerUsage: UsageSummary.optional(),
  VolumeUsage: UsageSummary.optional(),
  BuildCacheUsage: UsageSummary.optional(),
});
export type DiskUsage = z.infer<typeof DiskUsage>;
