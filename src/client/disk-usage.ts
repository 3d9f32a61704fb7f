import { filtersQuery } from "./filters.ts";
import type { Transport } from "./transport.ts";
import type { ContainerSummary, Filters, ImageSummary, RemovedImage, VolumeDetails } from "./types.ts";

/** The reply of GET /system/df. Sizes in bytes. */
export interface DiskUsageReply {
  readonly LayersSize?: number;
  readonly Images?: readonly ImageSummary[] | null;
  readonly Containers?: readonly ContainerSummary[] | null;
  readonly Volumes?: readonly MeasuredVolume[] | null;
  readonly BuildCache?: readonly unknown[] | null;
}

export interface MeasuredVolume extends VolumeDetails {
  readonly UsageData?: { readonly RefCount: number; readonly Size: number } | null;
}

export function diskUsage(transport: Transport): Promise<DiskUsageReply> {
  return transport.json("GET", "/system/df");
}

export function pruneContainers(
  transport: Transport,
  filters: Filters,
): Promise<{ readonly ContainersDeleted?: readonly string[] | null; readonly SpaceReclaimed: number }> {
  return transport.json("POST", "/containers/prune", { query: { filters: filtersQuery(filters) } });
}

export function pruneBuildCache(
  transport: Transport,
  { isAll, keptBytes, filters }: { isAll: boolean; keptBytes?: number; filters: Filters },
): Promise<{ readonly CachesDeleted?: readonly string[] | null; readonly SpaceReclaimed: number }> {
  const query = { all: isAll ? 1 : undefined, "keep-storage": keptBytes, filters: filtersQuery(filters) };
  return transport.json("POST", "/build/prune", { query });
}

export function pruneImages(
  transport: Transport,
  filters: Filters,
): Promise<{ readonly ImagesDeleted?: readonly RemovedImage[] | null; readonly SpaceReclaimed: number }> {
  return transport.json("POST", "/images/prune", { query: { filters: filtersQuery(filters) } });
}
