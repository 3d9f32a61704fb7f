import { type DiskUsage, type ImageSummary, isAtLeast, type UsageSummary } from "#api";
import type { ContainerView, Jobs } from "#jobs";
import { toContainerSummary } from "./container-list.ts";
import { toImageSummary } from "./image.ts";
import { toVolumeInspect } from "./volume.ts";

/** What was measured; a kind that nobody asked for is absent. */
export interface Measured {
  readonly images?: Jobs["image.usage"]["output"];
  readonly containers?: readonly ContainerView[];
  readonly volumes?: Jobs["volume.usage"]["output"];
  readonly hasBuildCache: boolean;
}

const ACTIVE = ["running", "paused", "restarting"];
/** From the first of them on there are sums, and with the second they are all there is. */
const SUMS_SINCE = "1.52";
const SUMS_ALONE_SINCE = "1.53";

/** GET /system/df. Source: Docker Engine API 1.50 and 1.52, SystemDataUsage. There is no builder, so that its cache is empty. */
export function toDiskUsage(
  measured: Measured,
  { version, now, isVerbose }: { readonly version: string; readonly now: Date; readonly isVerbose: boolean },
): DiskUsage {
  const layersBytes = measured.images?.layersBytes ?? 0;
  const images = measured.images?.images.map(
    ({ image, sharedBytes }): ImageSummary => ({
      ...toImageSummary(image, { version, sharedBytes }),
      Containers: image.containers,
    }),
  );
  const containers = measured.containers?.map((view) => toContainerSummary(view, { now, version }));
  const volumes = measured.volumes?.map(({ volume, sizeBytes, users }) => ({
    ...toVolumeInspect(volume),
    UsageData: { RefCount: users, Size: sizeBytes },
  }));
  const buildCache = measured.hasBuildCache ? [] : undefined;
  const plain = {
    LayersSize: layersBytes,
    Images: images ?? null,
    Containers: containers ?? null,
    Volumes: volumes ?? null,
    BuildCache: buildCache ?? null,
    ...(!isAtLeast(version, "1.42") && { BuilderSize: 0 }),
  };
  if (!isAtLeast(version, SUMS_SINCE)) return plain;
  const sums = {
    ImageUsage: images && withItems(imageSum(images, layersBytes), images, isVerbose),
    ContainerUsage: containers && withItems(containerSum(containers), containers, isVerbose),
    VolumeUsage: volumes && withItems(volumeSum(volumes), volumes, isVerbose),
    BuildCacheUsage: buildCache && withItems(NOTHING, buildCache, isVerbose),
  };
  const asked = Object.fromEntries(Object.entries(sums).filter(([, sum]) => sum !== undefined));
  return isVerbose || isAtLeast(version, SUMS_ALONE_SINCE) ? asked : { ...plain, ...asked };
}

const NOTHING: UsageSummary = { ActiveCount: 0, TotalCount: 0, Reclaimable: 0, TotalSize: 0 };

function withItems(sum: UsageSummary, items: readonly unknown[], isVerbose: boolean) {
  return isVerbose ? { ...sum, Items: [...items] } : sum;
}

const total = (sizes: readonly number[]) => sizes.reduce((sum, size) => sum + Math.max(size, 0), 0);

function imageSum(images: readonly ImageSummary[], layersBytes: number): UsageSummary {
  const active = images.filter(({ Containers }) => Containers > 0);
  const used = total(active.map(({ Size, SharedSize }) => Size - SharedSize));
  const [ActiveCount, TotalCount] = [active.length, images.length];
  return { ActiveCount, TotalCount, Reclaimable: layersBytes - used, TotalSize: layersBytes };
}

function containerSum(
  containers: readonly { readonly State: string; readonly SizeRw?: number | undefined }[],
): UsageSummary {
  const resting = containers.filter(({ State }) => !ACTIVE.includes(State));
  return {
    ActiveCount: containers.length - resting.length,
    TotalCount: containers.length,
    Reclaimable: total(resting.map(({ SizeRw = 0 }) => SizeRw)),
    TotalSize: total(containers.map(({ SizeRw = 0 }) => SizeRw)),
  };
}

function volumeSum(
  volumes: readonly { readonly UsageData: { readonly RefCount: number; readonly Size: number } }[],
): UsageSummary {
  const unused = volumes.filter(({ UsageData }) => UsageData.RefCount === 0);
  return {
    ActiveCount: volumes.length - unused.length,
    TotalCount: volumes.length,
    Reclaimable: total(unused.map(({ UsageData }) => UsageData.Size)),
    TotalSize: total(volumes.map(({ UsageData }) => UsageData.Size)),
  };
}
