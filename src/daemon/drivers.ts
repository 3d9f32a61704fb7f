import { Fault } from "#errors";
import { type ExecDriver, type ExecDriverKind, type ExecDriverOptions, nativeKind } from "#exec";
import { erofs, type GraphDriverKind, overlay2, vfs } from "#graph";
import type { GraphDB } from "#graphdb";
import type { Log } from "#host";
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
const GRAPH_DRIVERS: readonly GraphDriverKind[] = [overlay2, erofs, vfs];
const EXEC_DRIVERS: readonly ExecDriverKind[] = [nativeKind];
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
  const known = GRAPH_DRIVERS.map(({ name }) => name);
  if (asked !== undefined && asked in REPLACED_DRIVERS)
    throw new Fault("unsupported", `Cannot use the storage driver ${asked}: ${REPLACED_DRIVERS[asked]}`);
  if (asked !== undefined && !known.includes(asked))
    throw new Fault(
      "invalid",
      `Cannot use the storage driver ${asked}: it is not known; use ${known.join(" or ")}`,
    );
}

/** The driver that was asked for, or the first that works here; the reasons of those passed over are logged. */
export async function chooseGraphDriver(
  root: string,
  asked: string | undefined,
  log: Log,
): Promise<GraphDriverKind> {
  checkGraphDriver(asked);
  for (const kind of GRAPH_DRIVERS) {
    if (asked !== undefined && kind.name !== asked) continue;
    const verdict = await kind.probe(`${root}/${kind.name}`);
    if (verdict.usable) return kind;
    if (asked !== undefined)
      throw new Fault("unsupported", `Cannot use the storage driver ${asked} in ${root}: ${verdict.reason}`);
    log("warn", `The storage driver ${kind.name} cannot be used in ${root}: ${verdict.reason}`);
  }
  throw new Fault("unsupported", `Cannot store images in ${root}: no storage driver works there`);
}

/** Layers are one driver's own: a data root stays with the driver that filled it. */
export function rememberGraphDriver(database: GraphDB, root: string, kind: GraphDriverKind): void {
  const { count } = database.sql.query("SELECT count(*) AS count FROM layer").get() as { count: number };
  const other = GRAPH_DRIVERS.find(({ name }) => name !== kind.name && holdsLayers(`${root}/${name}`));
  if (count === 0 || other === undefined || holdsLayers(`${root}/${kind.name}`)) return;
  throw new Fault(
    "conflict",
    `Cannot use the storage driver ${kind.name}: the layers in ${root} are ${other.name}'s; start with --storage-driver ${other.name} or another --data-root`,
  );
}

function holdsLayers(path: string): boolean {
  try {
    return [...new Bun.Glob("*").scanSync({ cwd: path, onlyFiles: false })].length > 0;
  } catch {
    return false;
  }
}

export async function openExecDriver(options: ExecDriverOptions): Promise<ExecDriver> {
  const reasons: string[] = [];
  for (const kind of EXEC_DRIVERS) {
    const verdict = await kind.probe(options);
    if (verdict.usable) return kind.open(options);
    reasons.push(`${kind.name}: ${verdict.reason}`);
  }
  throw new Fault("unsupported", `Cannot run containers on this host: ${reasons.join("; ")}`);
}
