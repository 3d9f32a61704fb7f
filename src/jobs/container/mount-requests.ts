import { existsSync } from "node:fs";
import { posix } from "node:path";
import type { MountPoint, MountSpecRequest } from "#container";
import { didYouMean, Fault } from "#errors";
import { badMount, checkAbsolute, checkTarget, clean, isHostPath, PROPAGATIONS } from "./binds.ts";
import { checkOwners, parseOwners } from "./owners.ts";

type Options = "BindOptions" | "VolumeOptions" | "ImageOptions" | "TmpfsOptions";

/** Which options each type may come with. */
const OWN_OPTIONS: Readonly<Record<string, Options>> = {
  bind: "BindOptions",
  volume: "VolumeOptions",
  image: "ImageOptions",
  tmpfs: "TmpfsOptions",
};

/** The destination of a mount as `--mount` asks for it. Throws `invalid` in Docker's words for what cannot be meant. */
export function checkRequest(request: MountSpecRequest): string {
  const { type, source } = request;
  const destination = checkTarget(type, request.target);
  const own = OWN_OPTIONS[type];
  if (own === undefined)
    throw badMount(type, `mount type unknown${didYouMean(type, Object.keys(OWN_OPTIONS))}`);
  for (const [name, value] of [
    ["BindOptions", request.bind],
    ["VolumeOptions", request.volume],
    ["ImageOptions", request.image],
    ["TmpfsOptions", request.tmpfs],
    ["ClusterOptions", request.hasClusterOptions === true || undefined],
  ] as const)
    if (value !== undefined && name !== own) throw badMount(type, `field ${name} must not be specified`);
  if (source === "" && (type === "bind" || type === "image"))
    throw badMount(type, "field Source must not be empty");
  if (source !== "" && type === "tmpfs") throw badMount(type, "field Source must not be specified");
  return destination;
}

/** A part of a volume or an image, as it is written: whether it is there shows at the start. */
export function checkSubpath(type: string, subpath: string): { readonly subpath?: string } {
  if (subpath === "") return {};
  const path = posix.normalize(subpath);
  if (isHostPath(subpath) || path === ".." || path.startsWith("../") || subpath.includes("\0"))
    throw badMount(type, "subpath must be a relative path within the volume");
  const inner = clean(path);
  return inner === "." ? {} : { subpath: inner };
}

/** `user` is the container's own, for a mapping that names nobody. */
export function bindOf(
  request: MountSpecRequest,
  user: string,
): Partial<MountPoint> & { readonly source: string; readonly asked: string } {
  const { bind } = request;
  const asked = bind?.propagation ?? "";
  if (asked !== "" && !PROPAGATIONS.includes(asked))
    throw badMount(
      "bind",
      `invalid propagation mode: ${asked.slice(0, 40)}${didYouMean(asked, PROPAGATIONS)}`,
    );
  if (!isHostPath(request.source)) checkSource(request.source);
  const source = clean(request.source);
  const createSource = bind?.createMountpoint === true;
  if (!createSource && !existsSync(source)) throw noSource(source);
  if (bind?.readOnlyNonRecursive && bind.readOnlyForceRecursive)
    throw badMount("bind", "mount options conflict: ReadOnlyNonRecursive and ReadOnlyForceRecursive");
  return {
    source,
    asked,
    isRecursive: bind?.isNonRecursive !== true,
    recursiveReadonly: bind?.readOnlyForceRecursive === true,
    ...(bind?.readOnlyNonRecursive && { isReadonlyShallow: true }),
    ...ownersOf(bind, user),
    createSource,
  };
}

function checkSource(source: string): void {
  try {
    checkAbsolute(source);
  } catch (thrown) {
    throw thrown instanceof Fault ? badMount("bind", thrown.message) : thrown;
  }
}

function ownersOf(bind: MountSpecRequest["bind"], user: string): Partial<MountPoint> {
  const { idMap = "", idMapping } = bind ?? {};
  if (idMap !== "") return { owners: checkOwners(parseOwners(`idmap=${idMap}`)) };
  if (idMapping === undefined) return {};
  if (idMapping.source === "match-user") return { seenAs: numbersOf(idMapping.user || user) };
  if (idMapping.source === "userns") return { isInside: true };
  throw badMount("bind", `invalid IDMapping.Source: ${idMapping.source.slice(0, 40)}`);
}

/** `user[:group]` by numbers, or root. */
function numbersOf(text: string): { readonly uid: number; readonly gid: number } {
  const [, uid, gid = "0"] = /^(?:root|(\d{1,9}))?(?::(?:root|(\d{1,9})))?$/.exec(text) ?? ["", undefined];
  const isKnown = /^(root|\d{1,9})?(:(root|\d{1,9}))?$/.test(text);
  if (isKnown) return { uid: Number(uid ?? 0), gid: Number(gid) };
  throw badMount(
    "bind",
    `cannot show the source's owner as "${text.slice(0, 60)}": name the user by number, as in bind-idmap=match-user:1000:1000`,
  );
}

export function noSource(path: string): Fault {
  return badMount("bind", `bind source path does not exist: ${path}`);
}
