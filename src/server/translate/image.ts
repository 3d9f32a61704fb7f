import {
  type ImageFound,
  type ImageHistory,
  type ImageInspect,
  type ImageRemoved,
  type ImageSummary,
  isAtLeast,
} from "#api";
import type { HistoryEntry, ImageView, Jobs } from "#jobs";
import { familiar } from "./reference.ts";
import { toSeconds, toWireTime } from "./time.ts";

/** One row of GET /images/json. */
export function toImageSummary(image: ImageView, version: string): ImageSummary {
  return {
    Id: image.id,
    ParentId: "",
    RepoTags: image.tags.map(familiar),
    RepoDigests: image.digests.map(familiar),
    Created: toSeconds(image.config.created),
    Size: image.size,
    SharedSize: -1,
    ...(!isAtLeast(version, "1.44") && { VirtualSize: image.size }),
    Labels: image.config.config?.Labels ?? {},
    Containers: image.containers,
  };
}

/** GET /images/{name}/json. */
export function toImageInspect(image: Jobs["image.inspect"]["output"], version: string): ImageInspect {
  const { config } = image;
  return {
    Id: image.id,
    RepoTags: image.tags.map(familiar),
    RepoDigests: image.digests.map(familiar),
    Comment: config.history?.at(-1)?.comment ?? "",
    Created: config.created ?? "",
    Author: config.author ?? "",
    Config: toConfig(config.config ?? {}),
    Architecture: config.architecture,
    ...(config.variant !== undefined && { Variant: config.variant }),
    Os: config.os,
    Size: image.size,
    ...(!isAtLeast(version, "1.44") && { VirtualSize: image.size }),
    GraphDriver: { Name: image.driver, Data: image.graphData },
    RootFS: { Type: "layers", Layers: config.rootfs.diff_ids },
    Metadata: { LastTagTime: toWireTime(image.arrivedAt) },
  };
}

/** The lists that Go prints as null when they are absent, and what the image itself says. */
function toConfig(config: NonNullable<ImageView["config"]["config"]>): ImageInspect["Config"] {
  const plain = { User: "", Env: null, Cmd: null, WorkingDir: "", Entrypoint: null, Volumes: null };
  return { ...plain, OnBuild: null, ...config, Labels: config.Labels ?? null };
}

export function toImageHistory(entry: HistoryEntry): ImageHistory {
  return {
    Id: entry.id,
    Created: toSeconds(entry.created),
    CreatedBy: entry.createdBy,
    Tags: entry.tags.length === 0 ? null : entry.tags,
    Size: entry.size,
    Comment: entry.comment,
  };
}

/** One row of GET /images/search. */
export function toImageFound(found: Jobs["image.search"]["output"][number]): ImageFound {
  return {
    star_count: found.stars,
    is_official: found.isOfficial,
    name: found.name,
    is_automated: found.isAutomated,
    description: found.description,
  };
}

export function toImagesRemoved(removed: {
  readonly untagged: readonly string[];
  readonly deleted: readonly string[];
}): ImageRemoved[] {
  return [
    ...removed.untagged.map((reference) => ({ Untagged: reference })),
    ...removed.deleted.map((id) => ({ Deleted: id })),
  ];
}
