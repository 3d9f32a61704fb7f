import { mkdir, rm, stat, utimes } from "node:fs/promises";
import { didYouMean, Fault } from "#errors";
import { type ExecDriver, type ExecDriverOptions, nativeKind, openRuntimes } from "#exec";
import { btrfs, erofs, fuseOverlayfs, type GraphDriverKind, overlay2, vfs } from "#graph";
import { type Log, mountsBelow, unmount } from "#host";
import {
  bridgeNetwork,
  Cluster,
  hostNetwork,
  ipvlanNetwork,
  macvlanNetwork,
  type NetworkDriverKind,
  noNetwork,
  overlayNetwork,
  readClusterSettings,
} from "#network";
import type { PluginFolders } from "#plugin";
import { localVolumes, type VolumeDriverKind } from "#volume";
import type { Config } from "./config.ts";
import { REPLACED_DRIVERS } from "./settings.ts";

/** In order of preference. */
const GRAPH_DRIVERS: readonly GraphDriverKind[] = [overlay2, erofs, btrfs, fuseOverlayfs, vfs];
export const GRAPH_DRIVER_NAMES = GRAPH_DRIVERS.map(({ name }) => name);
export const VOLUME_DRIVERS: readonly VolumeDriverKind[] = [localVolumes];

/** The daemon's own first, then those that plugins for Docker know. */
export function pluginFolders(config: Pick<Config, "data-root" | "exec-root">): PluginFolders {
  return {
    sockets: [`${config["exec-root"]}/plugins`, "/run/docker/plugins"],
    specs: [`${config["data-root"]}/plugins`, "/etc/docker/plugins", "/usr/lib/docker/plugins"],
  };
}

/** `cluster`: the store that hosts share, if this daemon has one. */
export const networkDrivers = (cluster: Cluster | undefined): readonly NetworkDriverKind[] => [
  bridgeNetwork,
  hostNetwork,
  ipvlanNetwork,
  macvlanNetwork,
  noNetwork,
  overlayNetwork(cluster),
];

/** This host's part in the store that hosts share; undefined without `--cluster-store`. */
export function openCluster(config: Config, log: Log): Cluster | undefined {
  const store = config["cluster-store"];
  if (store === undefined) {
    if (config["cluster-advertise"] === "" && Object.keys(config["cluster-store-opts"]).length === 0)
      return undefined;
    throw new Fault("invalid", "Cannot use the cluster's settings without --cluster-store");
  }
  const settings = readClusterSettings({
    store,
    advertise: config["cluster-advertise"],
    options: config["cluster-store-opts"],
  });
  return new Cluster({ settings, stateDirectory: config["exec-root"], log });
}

/** Throws unless there is such a driver; whether it works here is another question. */
export function checkGraphDriver(asked: string | undefined): void {
  if (asked !== undefined && asked in REPLACED_DRIVERS)
    throw new Fault("unsupported", `Cannot use the storage driver ${asked}: ${REPLACED_DRIVERS[asked]}`);
  if (asked !== undefined && !GRAPH_DRIVER_NAMES.includes(asked))
    throw new Fault(
      "invalid",
      `Cannot use the storage driver ${asked}: it is not known; use ${GRAPH_DRIVER_NAMES.join(", ").replace(/, (?=[^,]*$)/, " or ")}${didYouMean(asked, GRAPH_DRIVER_NAMES)}`,
    );
}

export interface ChosenDriver {
  readonly kind: GraphDriverKind;
  /** A title and a reason of each, as `info` tells them. */
  readonly passedOver: readonly (readonly [string, string])[];
}

/**
 * The driver that was asked for; else the one that was used here last, and in a new root the first that works. Where
 * none was asked for, why those before it were passed over.
 */
export async function chooseGraphDriver(
  root: string,
  asked: string | undefined,
  log: Log,
): Promise<ChosenDriver> {
  checkGraphDriver(asked);
  const wanted = asked ?? (await lastUsed(root));
  const kind = GRAPH_DRIVERS.find(({ name }) => name === wanted);
  if (kind === undefined) return firstUsable(root, log);
  const verdict = await kind.probe(`${root}/${kind.name}`);
  if (!verdict.usable)
    throw new Fault("unsupported", `Cannot use the storage driver ${wanted} in ${root}: ${verdict.reason}`);
  await noteUse(`${root}/${kind.name}`);
  return { kind, passedOver: asked === undefined ? await passedOverFor(kind, root) : [] };
}

async function firstUsable(root: string, log: Log): Promise<ChosenDriver> {
  const passedOver: [string, string][] = [];
  for (const kind of GRAPH_DRIVERS) {
    const verdict = await kind.probe(`${root}/${kind.name}`);
    if (verdict.usable) {
      await noteUse(`${root}/${kind.name}`);
      return { kind, passedOver };
    }
    passedOver.push([`Not ${kind.name}`, verdict.reason]);
    log("warn", `The storage driver ${kind.name} cannot be used in ${root}: ${verdict.reason}`);
  }
  throw new Fault("unsupported", `Cannot store images in ${root}: no storage driver works there`);
}

/** They are tried in a folder beside their own, whose times tell of their last use. */
async function passedOverFor(chosen: GraphDriverKind, root: string): Promise<[string, string][]> {
  const aside = `${root}/.probe`;
  await using undo = new AsyncDisposableStack();
  undo.defer(() => clearAway(aside));
  await clearAway(aside);
  const told: [string, string][] = [];
  for (const kind of GRAPH_DRIVERS.slice(0, GRAPH_DRIVERS.indexOf(chosen))) {
    const verdict = await kind.probe(`${aside}/${kind.name}`);
    const usable = `it works here, but ${chosen.name} was used last; --storage-driver ${kind.name} changes that`;
    told.push([`Not ${kind.name}`, verdict.usable ? usable : verdict.reason]);
  }
  return told;
}

async function clearAway(folder: string): Promise<void> {
  for (const path of mountsBelow(folder)) unmount(path);
  await rm(folder, { recursive: true, force: true });
}

/** Each driver's layers are in a folder of its own, whose time is that of its last use. */
async function lastUsed(root: string): Promise<string | undefined> {
  const used = await Promise.all(
    GRAPH_DRIVERS.map(async ({ name }) => ({ name, time: await timeOfUse(`${root}/${name}`) })),
  );
  return used.filter(({ time }) => time > 0).sort((a, b) => b.time - a.time)[0]?.name;
}

/** 0 for one that holds no layers. */
async function timeOfUse(folder: string): Promise<number> {
  if (!holdsLayers(folder)) return 0;
  return (await stat(folder)).mtimeMs;
}

async function noteUse(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o710 });
  const now = new Date();
  await utimes(folder, now, now);
}

function holdsLayers(path: string): boolean {
  try {
    return [...new Bun.Glob("*").scanSync({ cwd: path, onlyFiles: false })].some((name) => name !== "l");
  } catch {
    return false;
  }
}

/** The engine's own way of running containers, and beside it the OCI runtimes that `commands` names. */
export async function openExecDriver(
  options: ExecDriverOptions,
  commands: Parameters<typeof openRuntimes>[2],
): Promise<ExecDriver> {
  const verdict = await nativeKind.probe(options);
  if (verdict.usable) return openRuntimes(nativeKind, options, commands);
  throw new Fault("unsupported", `Cannot run containers on this host: ${verdict.reason}`);
}
