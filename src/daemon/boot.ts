import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Containers } from "#container";
import { Engine, EventBus } from "#engine";
import { Fault, sentenceOf } from "#errors";
import { openGraph } from "#graph";
import { GraphDB } from "#graphdb";
import {
  type AdjustableLog,
  findProgram,
  type Log,
  lockFile,
  Quiet,
  releaseMemory,
  widenSocket,
} from "#host";
import {
  allJobs,
  diskOf,
  GarbagePolicy,
  type Jobs,
  openContainerRooms,
  type Rooms,
  recoverContainers,
  restContainers,
  sweepFolders,
} from "#jobs";
import {
  detectCgroups,
  isAppArmorEnabled,
  launcherCommand,
  loadDefaultProfile,
  removeParentGroup,
} from "#libcontainer";
import { etcdIpam, type NetworkOptions, openNetworks, pluginNetworks } from "#network";
import { Plugins } from "#plugin";
import { openRegistry } from "#registry";
import { type App, authorized, createApp, listen } from "#server";
import { openVolumes, pluginVolumes } from "#volume";
import { Activation, inheritedSockets } from "./activation.ts";
import { demandAuthority, pluginAuthority } from "./authorization.ts";
import type { Config } from "./config.ts";
import { withDemoImage } from "./demo/registry.ts";
import {
  chooseGraphDriver,
  GRAPH_DRIVER_NAMES,
  networkDrivers,
  openCluster,
  openExecDriver,
  pluginFolders,
  VOLUME_DRIVERS,
} from "./drivers.ts";
import { changeableSettings, engineSettings, type FixedSettings, fixedSettings } from "./engine-settings.ts";
import { serverFacts } from "./facts.ts";
import { Figures } from "./metrics/figures.ts";
import { serveMetrics } from "./metrics/serve.ts";
import { networkSettings } from "./network-values.ts";
import { forgetProxies } from "./registry-values.ts";
import { reloaded } from "./reload.ts";
import { runtimeWarnings } from "./runtime-values.ts";
import { checkStorageOptions } from "./storage-values.ts";
import { openTcpWarnings, refuseOpen, refuseOpenTcp, serverKeys } from "./tcp.ts";

/** How long nobody must have asked until memory is given back, code that was compiled included. */
const QUIET_MILLISECONDS = 5000;
/** Of an archive in a unix socket: more would not stay in the processor's cache until it is read. */
const ARCHIVE_BUFFER_BYTES = 512 * 1024;
/** Host programs, and what it costs to be without. */
const WANTED_PROGRAMS: Readonly<Record<string, string>> = {
  ps: "containers' processes cannot be listed (top)",
};

/** A daemon that answers. Disposing it stops listening and closes its rooms in the reverse order; containers go on. */
export interface Daemon extends AsyncDisposable {
  readonly addresses: readonly string[];
  /** Runs by what of this may change while it runs; says what is different. */
  reload(next: Config): Promise<void>;
  /** Whether containers outlive it. */
  keepsContainers(): boolean;
}

/** Opens the rooms from the cellar up, settles what an earlier daemon left, and listens last. */
export async function boot(config: Config, log: AdjustableLog): Promise<Daemon> {
  refuseOpenTcp(config);
  const keys = serverKeys(config, process.env);
  const fixed = fixedSettings(config, process.env);
  forgetProxies(process.env);
  for (const warning of openTcpWarnings(config)) log("warn", warning);
  await using undo = new AsyncDisposableStack();
  const fate = { isUp: false };
  await takeRoot(config["data-root"], { what: "data root", mode: 0o710, fate, undo });
  await takeRoot(config["exec-root"], { what: "exec root", mode: 0o711, fate, undo });
  const activation = undo.use(
    new Activation(config.hosts.filter(isInherited), {
      sockets: inheritedSockets(process.env, process.pid),
      folder: join(config["exec-root"], "activation"),
      log,
    }),
  );
  refuseOpen(activation.fronts.find(({ isTcp }) => isTcp)?.address, config);
  await activation.makeFolder();
  await writeFile(config.pidfile, `${process.pid}\n`, { mode: 0o644 });
  undo.defer(() => rm(config.pidfile, { force: true }));

  const rooms = await openRooms({ config, fixed, log, undo });
  const engine = rooms.engine as Engine<Jobs>;
  engine.register(allJobs(rooms));
  const recovery = await recoverContainers(rooms);
  await rooms.networks.restore(recovery.running);
  await recovery.rejoin();
  const swept = [
    ...(await rooms.exec.sweep(recovery.known)),
    ...(await rooms.graph.sweep(recovery.layers)),
    ...(await rooms.volumes.sweep(recovery.known, new Set(recovery.running.keys()))),
    ...(await sweepFolders(join(config["data-root"], "containers"), recovery.known)),
  ];
  if (swept.length > 0) log("info", `Removed what an earlier daemon left: ${swept.join(", ")}`);
  undo.defer(() => rooms.monitor.close());
  undo.defer(() => rooms.health.close());
  undo.defer(async () => {
    if (fate.isUp && !rooms.settings.liveRestore) await restContainers(rooms);
  });
  undo.use(garbagePolicy(rooms, log));

  await demandAuthority(rooms.plugins, config["authorization-plugins"]);
  const app = resting(
    authorized(createApp({ engine, facts: serverFacts(config) }), () =>
      pluginAuthority(rooms.plugins, rooms.settings.authorizationPlugins),
    ),
    undo.use(new Quiet(QUIET_MILLISECONDS, releaseMemory)),
  );
  if (config["metrics-addr"] !== undefined) undo.use(metricsOf(rooms, config["metrics-addr"]));
  const group = config.group === undefined ? {} : { group: config.group };
  const listening = undo.use(
    await listen({
      app,
      ...group,
      widen: (descriptor) => void widenSocket(descriptor, ARCHIVE_BUFFER_BYTES),
      ...(keys === undefined ? {} : { keys }),
      hosts: [...config.hosts.filter((host) => !isInherited(host)), ...activation.fronts.map(behind)],
      secured: activation.fronts.filter(({ isTcp }) => isTcp).map(behind),
    }),
  );
  await activation.open();
  void recovery
    .settle()
    .catch((thrown) => log("error", `Cannot settle the containers: ${sentenceOf(thrown)}`));
  fate.isUp = true;
  const owned = undo.move();
  return {
    addresses: [
      ...listening.addresses.filter(
        (address) => !activation.fronts.some((front) => behind(front) === address),
      ),
      ...activation.fronts.map(({ address }) => address),
    ],
    reload: reloading(config, { rooms, log, fixed }),
    keepsContainers: () => rooms.settings.liveRestore,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Frees what nobody needs when the disk fills, by a job as if somebody had asked. */
function garbagePolicy(rooms: Rooms, log: Log): GarbagePolicy {
  const { settings, events, containers, graph } = rooms;
  const engine = rooms.engine as Engine<Jobs>;
  return new GarbagePolicy({
    events,
    containers,
    images: graph.images,
    settings: () => settings.garbage,
    disk: () => diskOf(settings.dataRoot),
    collect: async (goalBytes, keepSeconds) =>
      (await engine.run("system.gc", { isDry: false, all: true, keepSeconds, goalBytes })).bytes,
    tell: (sentence) => log("info", sentence),
  });
}

const isInherited = (host: string): boolean => host.startsWith("fd://");
const behind = ({ path }: { readonly path: string }): string => `unix://${path}`;

function reloading(
  config: Config,
  { rooms, log, fixed }: { rooms: Rooms; log: AdjustableLog; fixed: FixedSettings },
): Daemon["reload"] {
  let current = config;
  return async (next) => {
    const { config, changed, postponed, attributes } = reloaded(current, next);
    await demandAuthority(rooms.plugins, config["authorization-plugins"]);
    current = config;
    Object.assign(rooms.settings, changeableSettings(config, fixed));
    rooms.graph.limitDownloads(config["max-concurrent-downloads"]);
    log.setThreshold(config["log-level"]);
    log("info", `Reloaded the configuration: ${changed.join(", ") || "nothing is different"}`);
    if (postponed.length > 0) log("warn", `These count from the next start on: ${postponed.join(", ")}`);
    const { id, name } = await (rooms.engine as Engine<Jobs>).run("system.info", {});
    rooms.events.publish({ type: "daemon", action: "reload", id, attributes: { ...attributes, name } });
  };
}

function metricsOf({ engine, events }: Rooms, address: string): AsyncDisposable {
  const jobs = engine as Engine<Jobs>;
  const figures = new Figures();
  jobs.observe((record) => figures.note(record));
  return serveMetrics(address, async () =>
    figures.text({ info: await jobs.run("system.info", {}), events: events.count }),
  );
}

/** Notes every request; after the last one memory is given back. */
function resting(app: App, quiet: Quiet): App {
  quiet.touch();
  return {
    ...app,
    fetch(request, bindings) {
      quiet.touch();
      return app.fetch(request, bindings);
    },
    polled(asked) {
      quiet.touch();
      return app.polled?.(asked) ?? Promise.resolve(undefined);
    },
  };
}

/** A folder for this daemon alone. One that was made for a daemon that then cannot start goes with it. */
async function takeRoot(
  path: string,
  {
    what,
    mode,
    fate,
    undo,
  }: {
    readonly what: string;
    readonly mode: number;
    readonly fate: { readonly isUp: boolean };
    readonly undo: AsyncDisposableStack;
  },
): Promise<void> {
  const made = await mkdir(path, { recursive: true, mode }).catch((cause) => {
    throw new Fault("unavailable", `Cannot make the ${what} ${path}: ${sentenceOf(cause)}`, { cause });
  });
  undo.use(lockFile(`${path}/daemon.lock`, `the ${what} ${path}`));
  undo.defer(async () => {
    if (made !== undefined && !fate.isUp) await rm(made, { recursive: true, force: true });
  });
}

async function openRooms({
  config,
  fixed,
  log,
  undo,
}: {
  readonly config: Config;
  readonly fixed: FixedSettings;
  readonly log: Log;
  readonly undo: AsyncDisposableStack;
}): Promise<Rooms> {
  const root = config["data-root"];
  const confined = confineWithAppArmor();
  const database = undo.use(new GraphDB(`${root}/bunker.db`));
  const { kind, passedOver } = await chooseGraphDriver(root, config["storage-driver"], log);
  const limits = { downloads: config["max-concurrent-downloads"] };
  const neighbours = config["registry-data"].map((folder) => `${folder}/blobs`);
  const graph = undo.use(
    await openGraph({ root, database, kind, limits, drivers: GRAPH_DRIVER_NAMES, neighbours }),
  );
  await checkStorageOptions(config["storage-opts"], graph.driver);
  // Refused by the kernel, as it should be, while containers are below it.
  undo.defer(() => removeParentGroup(detectCgroups(), config["cgroup-parent"]));
  const cluster = openCluster(config, log);
  if (cluster !== undefined) undo.use(cluster);
  const kinds = networkDrivers(cluster);
  const ipamKinds = cluster === undefined ? [] : [etcdIpam(cluster)];
  const plugins = new Plugins({ folders: pluginFolders(config) });
  const parts = { database, log, kinds, ipamKinds, foreign: pluginNetworks(plugins) };
  const networks = undo.use(await openNetworks(networkOptions(config, parts)));
  const events = new EventBus();
  const complain = (sentence: string, cause: unknown) => log("error", `${sentence}: ${sentenceOf(cause)}`);
  const containerRooms = openContainerRooms(new Containers(database), { events, complain });
  for (const [id, reason] of containerRooms.containers.damaged)
    log("error", `${reason} (${id}); it is left as it is`);
  const settings = engineSettings(config, fixed, {
    networkDrivers: kinds.map(({ name }) => (name === "none" ? "null" : name)),
    passedOver,
    warnings: [
      ...openTcpWarnings(config),
      ...networks.warnings(),
      ...missingPrograms(),
      ...runtimeWarnings(config),
      ...(await confined),
    ],
  });
  const places = { stateDirectory: config["exec-root"], cgroupParent: config["cgroup-parent"] };
  return {
    ...containerRooms,
    engine: new Engine<Jobs>(),
    events,
    graph,
    database,
    networks,
    exec: await openExecDriver(places, () => settings.runtimes),
    complain,
    plugins,
    volumes: await openVolumes({
      database,
      root: `${root}/volumes`,
      kinds: VOLUME_DRIVERS,
      found: pluginVolumes(plugins),
      complain,
    }),
    openRegistry: withDemoImage(openRegistry),
    settings,
  };
}

function networkOptions(
  config: Config,
  parts: Pick<NetworkOptions, "database" | "log" | "kinds" | "ipamKinds" | "foreign">,
): NetworkOptions {
  return {
    ...parts,
    launcherCommand,
    stateDirectory: config["exec-root"],
    settings: networkSettings(config),
  };
}

/** Why containers go without a profile although the kernel has AppArmor; nothing where they have one, or it has not. */
async function confineWithAppArmor(): Promise<string[]> {
  if (!isAppArmorEnabled()) return [];
  const result = await loadDefaultProfile();
  return result.loaded ? [] : [`AppArmor is not used: ${result.reason}`];
}

function missingPrograms(): string[] {
  return Object.entries(WANTED_PROGRAMS).flatMap(([name, cost]) =>
    findProgram(name) === undefined ? [`${name} is not installed: ${cost}`] : [],
  );
}
