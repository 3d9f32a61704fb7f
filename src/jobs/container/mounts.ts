import { existsSync } from "node:fs";
import type { Container, ContainerSpec, Containers, MountPoint, MountSpecRequest } from "#container";
import { Fault } from "#errors";
import { checkVolumeName, type Volumes } from "#volume";
import { type Bind, checkDestination, isHostPath, parseBind, parseMode } from "./binds.ts";

/** A mount that is wanted; a volume is found or made only when all of them are known to be sound. */
type Wanted =
  | { readonly kind: "settled"; readonly mount: MountPoint }
  | {
      readonly kind: "volume";
      readonly volume: Parameters<Volumes["create"]>[0];
      readonly mount: MountPoint;
    };

const DEFAULT_PROPAGATION = "rprivate";

interface Needs {
  readonly containers: Pick<Containers, "find">;
}

/**
 * What a container is to see mounted, in order of precedence from the last: volumes of other containers, binds and
 * mounts, and the anonymous volumes that image and request ask for where nothing else is. Throws `invalid` for
 * what is malformed or doubled.
 */
export function wantedMounts(
  needs: Needs,
  spec: ContainerSpec,
  volumes: Container["effective"]["volumes"],
): readonly Wanted[] {
  const explicit = new Map<string, Wanted>();
  const add = (wanted: Wanted) => {
    const { destination } = wanted.mount;
    if (explicit.has(destination)) throw duplicate(destination);
    explicit.set(destination, wanted);
  };
  for (const [destination, options] of Object.entries(spec.host.tmpfs)) add(tmpfs(destination, options));
  for (const text of spec.host.binds) add(fromBind(parseBind(text), spec.host.volumeDriver));
  for (const request of spec.host.mounts) add(fromRequest(request));
  const all = new Map<string, Wanted>();
  for (const text of spec.host.volumesFrom)
    for (const mount of borrowed(needs, text)) all.set(mount.destination, { kind: "settled", mount });
  for (const [destination, wanted] of explicit) all.set(destination, wanted);
  for (const text of volumes) {
    const destination = checkDestination(text);
    if (!all.has(destination)) all.set(destination, anonymous(destination, spec.host.volumeDriver));
  }
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
  };
  return isNew ? { mount, made: volume.name } : { mount };
}

function fromBind(bind: Bind, driver: string): Wanted {
  const base = mountPoint(bind.destination, {
    mode: bind.mode || (isHostPath(bind.source) ? "" : "z"),
    isWritable: !bind.isReadonly,
    recursiveReadonly: bind.isRecursiveReadonly,
  });
  if (!isHostPath(bind.source)) return volume(bind.source, base, { driver, noCopy: bind.noCopy });
  const propagation = bind.propagation || DEFAULT_PROPAGATION;
  return {
    kind: "settled",
    mount: { ...base, type: "bind", source: bind.source, propagation, createSource: true },
  };
}

function fromRequest(request: MountSpecRequest): Wanted {
  const destination = checkDestination(request.target);
  const base = mountPoint(destination, { isWritable: !request.readonly });
  switch (request.type) {
    case "bind":
      return { kind: "settled", mount: bindRequest(request, base) };
    case "volume":
      return volumeRequest(request, base);
    case "tmpfs":
      if (request.source !== "") throw badMount(request.type, "field Source must not be specified");
      return tmpfs(destination, tmpfsOptions(request));
    default:
      throw new Fault("invalid", `mount type unknown: "${request.type.slice(0, 40)}"`);
  }
}

function bindRequest(request: MountSpecRequest, base: MountPoint): MountPoint {
  const { source, bind } = request;
  if (source === "") throw badMount("bind", "field Source must not be empty");
  if (!isHostPath(source))
    throw badMount("bind", `invalid mount path: '${source}' mount path must be absolute`);
  const createSource = bind?.createMountpoint === true;
  if (!createSource && !existsSync(source)) throw noSource(source);
  const propagation = bind?.propagation || DEFAULT_PROPAGATION;
  parseMode(propagation, true);
  return {
    ...base,
    type: "bind",
    source,
    propagation,
    isRecursive: bind?.isNonRecursive !== true,
    recursiveReadonly: bind?.readOnlyForceRecursive === true,
    createSource,
  };
}

function volumeRequest(request: MountSpecRequest, base: MountPoint): Wanted {
  const { source, volume: options } = request;
  if (options !== undefined && options.subpath !== "")
    throw new Fault(
      "unsupported",
      `Cannot mount the folder "${options.subpath.slice(0, 200)}" of a volume: volume-subpath is not supported; mount the whole volume`,
    );
  return volume(source, base, {
    driver: options?.driverName ?? "",
    noCopy: options?.noCopy === true,
    labels: options?.labels ?? {},
    options: options?.driverOptions ?? {},
  });
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
  if (name !== "") checkVolumeName(name);
  return {
    kind: "volume",
    volume: { ...(name !== "" && { name }), ...(driver !== "" && { driver }), labels, options },
    mount: { ...base, isAnonymous: name === "", copyUp: !noCopy },
  };
}

function anonymous(destination: string, driver: string): Wanted {
  return volume("", mountPoint(destination, {}), { driver, noCopy: false });
}

function tmpfs(target: string, options: string): Wanted {
  const words = options.split(",");
  const base = mountPoint(checkDestination(target), { isWritable: !words.includes("ro") });
  return { kind: "settled", mount: { ...base, type: "tmpfs", tmpfsOptions: options } };
}

function tmpfsOptions({ tmpfs: options, readonly }: MountSpecRequest): string {
  const size = options?.sizeBytes ?? 0;
  const mode = options?.mode ?? 0;
  if (size < 0) throw badMount("tmpfs", `the size ${size} is negative`);
  const words = [
    ...(readonly ? ["ro"] : []),
    ...(size > 0 ? [`size=${size}`] : []),
    ...(mode > 0 ? [`mode=${mode.toString(8)}`] : []),
  ];
  return words.join(",");
}

/** `container[:options]`: its volumes and binds, also anonymous ones. */
function borrowed(needs: Needs, text: string): readonly MountPoint[] {
  const colon = text.indexOf(":");
  const ref = colon < 0 ? text : text.slice(0, colon);
  const mode = colon < 0 ? "" : text.slice(colon + 1);
  if (ref === "") throw new Fault("invalid", `invalid volumes-from specification: '${text.slice(0, 256)}'`);
  const { isReadonly } = parseMode(mode, true);
  return needs.containers
    .find(ref)
    .mounts.filter(({ type }) => type !== "tmpfs")
    .map((mount) => ({
      ...mount,
      isWritable: mount.isWritable && !isReadonly,
      mode: mode || mount.mode,
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

export function noSource(path: string): Fault {
  return badMount("bind", `bind source path does not exist: ${path}`);
}

function badMount(type: string, reason: string): Fault {
  return new Fault("invalid", `invalid mount config for type "${type}": ${reason}`);
}

function duplicate(destination: string): Fault {
  return new Fault("invalid", `Duplicate mount point: ${destination}`);
}
