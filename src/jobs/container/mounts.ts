import type { Container, ContainerSpec, Containers, MountPoint, MountSpecRequest } from "#container";
import { Fault } from "#errors";
import type { Images } from "#graph";
import { checkVolumeName, type Volumes } from "#volume";
import { findImage } from "../image/find.ts";
import { type Bind, checkDestination, isHostPath, parseBind, parseBorrowedMode } from "./binds.ts";
import { bindOf, checkRequest, checkSubpath } from "./mount-requests.ts";
import { checkOverProcfs } from "./procfs-mounts.ts";
import { propagationOf } from "./propagation.ts";
import { checkTmpfsOptions, tmpfsOptions } from "./tmpfs.ts";

/** A mount that is wanted; a volume is found or made only when all of them are known to be sound. */
export type Wanted =
  | { readonly kind: "settled"; readonly mount: MountPoint }
  | {
      readonly kind: "volume";
      readonly volume: Parameters<Volumes["create"]>[0];
      readonly mount: MountPoint;
    };

export interface MountNeeds {
  readonly containers: Pick<Containers, "find">;
  readonly images: Pick<Images, "find">;
  readonly dataRoot: string;
}

/**
 * What a container is to see mounted, in order of precedence from the last: volumes of other containers, binds and
 * mounts, and the anonymous volumes that image and request ask for where nothing else is. Throws `invalid` for
 * what is malformed or doubled.
 */
export function wantedMounts(
  needs: MountNeeds,
  spec: ContainerSpec,
  effective: Pick<Container["effective"], "volumes" | "user">,
): readonly Wanted[] {
  const explicit = new Map<string, Wanted>();
  const add = (wanted: Wanted) => {
    const { destination } = wanted.mount;
    if (explicit.has(destination)) throw duplicate(destination);
    explicit.set(destination, wanted);
  };
  for (const [destination, options] of Object.entries(spec.host.tmpfs))
    add(tmpfs(checkDestination(destination), { options: checkTmpfsOptions(options), isUnlisted: true }));
  for (const text of spec.host.binds) add(fromBind(needs, parseBind(text), spec.host.volumeDriver));
  for (const request of spec.host.mounts) add(fromRequest(needs, request, effective.user));
  const all = new Map<string, Wanted>();
  for (const text of spec.host.volumesFrom)
    for (const mount of borrowed(needs, text)) all.set(mount.destination, { kind: "settled", mount });
  for (const [destination, wanted] of explicit) all.set(destination, wanted);
  for (const text of effective.volumes) {
    const destination = checkDestination(text);
    if (!all.has(destination)) all.set(destination, anonymous(destination, spec.host.volumeDriver));
  }
  for (const { mount } of all.values()) checkOverProcfs(mount);
  return [...all.values()];
}

/** Finds or makes the volume of a mount. The second value says whether it was made now. */
export async function settleMount(
  volumes: Pick<Volumes, "find" | "create">,
  wanted: Wanted,
  holder: string,
): Promise<{ readonly mount: MountPoint; readonly made?: string }> {
  if (wanted.kind === "settled") return { mount: wanted.mount };
  const { name } = wanted.volume;
  const isNew = name === undefined || volumes.find(name) === undefined;
  const volume = await volumes.create({ ...wanted.volume, holder });
  const mount = {
    ...wanted.mount,
    name: volume.name,
    driver: volume.driver,
    source: volume.mountpoint,
    ...(volume.options.size !== undefined && { hasSizeLimit: true }),
  };
  return isNew ? { mount, made: volume.name } : { mount };
}

function fromBind(needs: MountNeeds, { source, destination, mode }: Bind, driver: string): Wanted {
  const base = mountPoint(destination, {
    mode: mode.text || (isHostPath(source) || source === "" ? "" : "z"),
    isWritable: !mode.isReadonly,
    ...(mode.owners !== undefined && { owners: mode.owners }),
    ...(mode.isOverlay && { isOverlay: true }),
  });
  if (!isHostPath(source)) return volume(source, base, { driver, noCopy: mode.noCopy });
  const propagation = propagationOf(needs.dataRoot, source, mode.propagation);
  return { kind: "settled", mount: { ...base, type: "bind", source, ...propagation, createSource: true } };
}

function fromRequest(needs: MountNeeds, request: MountSpecRequest, user: string): Wanted {
  const destination = checkRequest(request);
  const base = mountPoint(destination, { isWritable: !request.readonly });
  switch (request.type) {
    case "bind": {
      const { asked, ...bind } = bindOf(request, user);
      const propagation = propagationOf(needs.dataRoot, bind.source, asked);
      return { kind: "settled", mount: { ...base, type: "bind", ...bind, ...propagation } };
    }
    case "image":
      return { kind: "settled", mount: imageMount(needs, request, base) };
    case "tmpfs":
      return tmpfs(destination, { options: tmpfsOptions(request) });
    default:
      return volumeRequest(request, base);
  }
}

/** Of an image nothing is copied or written: what is seen is the image's own layers. */
function imageMount(needs: MountNeeds, request: MountSpecRequest, base: MountPoint): MountPoint {
  const { id } = findImage(needs.images, request.source);
  const part = checkSubpath("image", request.image?.subpath ?? "");
  const image = { id, reference: request.source };
  return { ...base, type: "image", source: id, isWritable: false, ...part, image };
}

function volumeRequest(request: MountSpecRequest, base: MountPoint): Wanted {
  const { source, volume: options } = request;
  const part = checkSubpath("volume", options?.subpath ?? "");
  if (part.subpath !== undefined && source === "")
    throw new Fault(
      "invalid",
      `invalid mount config for type "volume": must not set Subpath when using anonymous volumes`,
    );
  return volume(
    source,
    { ...base, mode: "z", ...part },
    {
      driver: options?.driverName ?? "",
      // A part that is there means that the volume is not empty.
      noCopy: options?.noCopy === true || part.subpath !== undefined,
      labels: options?.labels ?? {},
      options: options?.driverOptions ?? {},
    },
  );
}

function volume(
  name: string,
  base: MountPoint,
  wanted: {
    readonly driver: string;
    readonly noCopy: boolean;
    readonly labels?: Readonly<Record<string, string>>;
    readonly options?: Readonly<Record<string, string>>;
  },
): Wanted {
  const { driver, noCopy, labels = {}, options = {} } = wanted;
  if (name !== "") checkName(name);
  return {
    kind: "volume",
    volume: { ...(name !== "" && { name }), ...(driver !== "" && { driver }), labels, options },
    mount: { ...base, isAnonymous: name === "", copyUp: !noCopy },
  };
}

/** Throws `invalid` as Docker says it of a volume that a container would need. */
function checkName(name: string): void {
  try {
    checkVolumeName(name);
  } catch (thrown) {
    if (!(thrown instanceof Fault)) throw thrown;
    throw new Fault(thrown.kind, `create ${name.slice(0, 255)}: ${thrown.message}`, { cause: thrown });
  }
}

function anonymous(destination: string, driver: string): Wanted {
  return volume("", mountPoint(destination, {}), { driver, noCopy: false });
}

function tmpfs(
  destination: string,
  { options, isUnlisted = false }: { readonly options: string; readonly isUnlisted?: boolean },
): Wanted {
  const isWritable = !options.split(",").includes("ro");
  const listed = isUnlisted ? { isUnlisted } : {};
  const base = mountPoint(destination, { isWritable, ...listed });
  return { kind: "settled", mount: { ...base, type: "tmpfs", tmpfsOptions: options } };
}

/** `container[:options]`: its volumes, binds and images, also anonymous ones. */
function borrowed(needs: MountNeeds, text: string): readonly MountPoint[] {
  const colon = text.indexOf(":");
  const ref = colon < 0 ? text : text.slice(0, colon);
  if (text === "") throw new Fault("invalid", "volumes-from specification cannot be an empty string");
  if (ref === "") throw new Fault("invalid", `invalid volumes-from specification: '${text.slice(0, 256)}'`);
  const { isReadonly } = parseBorrowedMode(colon < 0 ? "" : text.slice(colon + 1));
  return needs.containers
    .find(ref)
    .mounts.filter(({ type }) => type !== "tmpfs")
    .map((mount) => ({
      ...mount,
      isWritable: mount.isWritable && !isReadonly,
      mode: "",
      copyUp: false,
    }));
}

function mountPoint(destination: string, options: Partial<MountPoint>): MountPoint {
  return {
    type: "volume",
    source: "",
    destination,
    mode: "",
    isWritable: true,
    propagation: "",
    isAnonymous: false,
    copyUp: false,
    isRecursive: true,
    recursiveReadonly: false,
    ...options,
  };
}

function duplicate(destination: string): Fault {
  return new Fault("invalid", `Duplicate mount point: ${destination}`);
}
