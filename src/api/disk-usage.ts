import { z } from "zod";
import { ContainerSummary } from "./container-reply.ts";
import { ImageSummary, UsageSummary, VolumeInspect } from "./object-reply.ts";

const MeasuredVolume = VolumeInspect.extend({
  UsageData: z.object({ RefCount: z.number(), Size: z.number() }),
});

/** There is no builder, so that its cache is empty. */
const BuildCache = z.array(z.never());

/** Sizes in bytes. `Items` where everything was asked for. */
function sumOf<Item extends z.ZodType>(item: Item) {
  return UsageSummary.extend({ Items: z.array(item).optional() }).optional();
}

/** GET /system/df. Sizes in bytes. */
export const DiskUsage = z.object({
  /** The lists below API 1.53; one is null where its kind was not asked for. */
  LayersSize: z.number().optional(),
  Images: z.array(ImageSummary).nullable().optional(),
  Containers: z.array(ContainerSummary).nullable().optional(),
  Volumes: z.array(MeasuredVolume).nullable().optional(),
  BuildCache: BuildCache.nullable().optional(),
  /** Below API 1.42. */
  BuilderSize: z.number().optional(),
  /** From API 1.52 on. */
  ImageUsage: sumOf(ImageSummary),
  ContainerUsage: sumOf(ContainerSummary),
  VolumeUsage: sumOf(MeasuredVolume),
  BuildCacheUsage: sumOf(z.never()),
});
export type DiskUsage = z.infer<typeof DiskUsage>;
