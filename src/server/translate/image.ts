import {
  type ImageFound,
  type ImageHistory,
  type ImageInspect,
  type ImageRemoved,
  ImageSettings,
  type ImageSummary,
  isAtLeast,
  ZERO_TIME,
} from "#api";
import type { HistoryEntry, ImageView, Jobs } from "#jobs";
import { familiar } from "./reference.ts";
import { toSeconds, toWireTime } from "./time.ts";

/** One row of GET /images/json. `sharedBytes` where it was asked for. */
export function toImageSummary(
  image: ImageView,
  { version, sharedBytes = -1 }: { readonly version: string; readonly sharedBytes?: number | undefined },
): ImageSummary {
  const isOld = !isAtLeast(version, "1.43");
  return {
    Id: image.id,
    ParentId: "",
    RepoTags: orNone(image.tags.map(familiar), isOld ? "<none>:<none>" : undefined),
    RepoDigests: orNone(image.digests.map(familiar), isOld ? "<none>@<none>" : undefined),
    Created: toSeconds(image.config.created),
    Size: image.size,
    SharedSize: sharedBytes,
    ...(!isAtLeast(version, "1.44") && { VirtualSize: image.size }),
    Labels: image.config.config?.Labels ?? {},
    Containers: isAtLeast(version, "1.51") ? image.containers : -1,
  };
}

function orNone(names: readonly string[], none: string | undefined): readonly string[] {
  return names.length === 0 && none !== undefined ? [none] : names;
}

/** GET /images/{name}/json. */
export function toImageInspect(image: Jobs["image.inspect"]["output"], version: string): ImageInspect {
  const { config } = image;
  const { "os.version": osVersion } = config;
  return {
    Id: image.id,
    RepoTags: image.tags.map(familiar),
    RepoDigests: image.digests.map(familiar),
    ...toOrigin(config, version),
    Config: toSettings(config.config ?? {}, version),
    ...(!isAtLeast(version, "1.45") && { Container: "", ContainerConfig: toSettings({}, version) }),
    Architecture: config.architecture,
    ...(config.variant !== undefined && { Variant: config.variant }),
    Os: config.os,
    ...(typeof osVersion === "string" && osVersion !== "" && { OsVersion: osVersion }),
    Size: image.size,
    ...(!isAtLeast(version, "1.44") && { VirtualSize: image.size }),
    GraphDriver: { Name: image.driver, Data: image.graphData },
    RootFS: { Type: "layers", Layers: config.rootfs.diff_ids },
    Metadata: { LastTagTime: toWireTime(image.arrivedAt) },
  };
}

/** Where it comes from. Before API 1.52 what nobody has said is empty, from then on absent. */
function toOrigin({ author = "", created, history }: ImageView["config"], version: string) {
  const comment = history?.at(-1)?.comment ?? "";
  const time = created ?? (isAtLeast(version, "1.44") ? "" : ZERO_TIME);
  const isFull = !isAtLeast(version, "1.52");
  return {
    ...(isFull && { Parent: "", DockerVersion: "" }),
    ...((isFull || comment !== "") && { Comment: comment }),
    ...((isFull || author !== "") && { Author: author }),
    ...(time !== "" && { Created: time }),
  };
}

type Settings = NonNullable<ImageView["config"]["config"]>;

/** What Docker's older replies print when there is nothing to say. */
const UNSAID = {
  User: "",
  Env: null,
  Cmd: null,
  Volumes: null,
  WorkingDir: "",
  Entrypoint: null,
  OnBuild: null,
  Labels: null,
};
/** Fields that a container has and an image never had, which were printed all the same. */
const OF_CONTAINERS = {
  Hostname: "",
  Domainname: "",
  AttachStdin: false,
  AttachStdout: false,
  AttachStderr: false,
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Image: "",
} as const;

/** Config: what the image says, and of that what the API has a word for. */
function toSettings(config: Settings, version: string): ImageSettings {
  const { User, ExposedPorts, Env, Cmd, Volumes, WorkingDir, Entrypoint, Labels, StopSignal, Shell } = config;
  const { Healthcheck, OnBuild, ArgsEscaped } = LATER.safeParse(config).data ?? {};
  const said = { User, Env, Cmd, Healthcheck, WorkingDir, Entrypoint, OnBuild, Labels, StopSignal, Shell };
  const sets = { ExposedPorts: toSet(ExposedPorts), Volumes: toSet(Volumes) };
  return {
    ...(!isAtLeast(version, "1.50") && OF_CONTAINERS),
    ...(!isAtLeast(version, "1.52") && UNSAID),
    ...Object.fromEntries(Object.entries({ ...said, ...sets }).filter(([, value]) => isFilled(value))),
    ...(ArgsEscaped === true && { ArgsEscaped }),
  };
}

/** Docker's additions, which are believed only when they are what they should be. */
const LATER = ImageSettings.pick({ Healthcheck: true, OnBuild: true, ArgsEscaped: true });

function isFilled(value: unknown): boolean {
  return typeof value === "object" && value !== null ? Object.keys(value).length > 0 : Boolean(value);
}

function toSet(keys: Readonly<Record<string, unknown>> | null | undefined) {
  return Object.fromEntries(Object.keys(keys ?? {}).map((key) => [key, {}]));
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
