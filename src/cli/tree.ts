import { BUILDER, build, CHECKPOINT } from "./builder-tree.ts";
import type { Command } from "./command.ts";
import { CONTEXT } from "./context-tree.ts";
import { MANIFEST } from "./manifest-tree.ts";
import { VOLUME } from "./volume-tree.ts";

export interface Leaf {
  readonly about: string;
  /** Commands are loaded when they are typed: the others cost nothing. */
  readonly load: () => Promise<Command>;
}

export interface Group {
  readonly about: string;
  /** Every spelling, with its leaf. The first spelling of a leaf is the one that help shows. */
  readonly commands: Readonly<Record<string, Leaf>>;
  /** What the group's name alone means; without it, the group's help page. */
  readonly preset?: string;
}

const leaf = (about: string, load: () => Promise<Command>): Leaf => ({ about, load });

const attach = leaf(
  "Attach local standard input, output, and error streams to a running container",
  async () => (await import("./commands/attach.ts")).attach,
);
const commit = leaf(
  "Create a new image from a container's changes",
  async () => (await import("./commands/commit.ts")).commit,
);
const cp = leaf(
  "Copy files/folders between a container and the local filesystem",
  async () => (await import("./commands/cp.ts")).cp,
);
const create = leaf("Create a new container", async () => (await import("./commands/create.ts")).create);
const diff = leaf(
  "Inspect changes to files or directories on a container's filesystem",
  async () => (await import("./commands/diff.ts")).diff,
);
const dialStdio = leaf(
  "Proxy the stdio stream to the daemon connection",
  async () => (await import("./commands/dial-stdio.ts")).dialStdio,
);
const doctor = leaf(
  "Check that the store is whole, and repair it",
  async () => (await import("./commands/doctor.ts")).doctor,
);
const events = leaf(
  "Get real time events from the server",
  async () => (await import("./commands/events.ts")).events,
);
const exec = leaf(
  "Execute a command in a running container",
  async () => (await import("./commands/exec.ts")).exec,
);
const exported = leaf(
  "Export a container's filesystem as a tar archive",
  async () => (await import("./commands/export.ts")).exported,
);
const gc = leaf(
  "Free what no image, container or pull needs",
  async () => (await import("./commands/gc.ts")).gc,
);
const history = leaf(
  "Show the history of an image",
  async () => (await import("./commands/history.ts")).history,
);
const images = leaf("List images", async () => (await import("./commands/images.ts")).images);
const imported = leaf(
  "Import the contents from a tarball to create a filesystem image",
  async () => (await import("./commands/import.ts")).imported,
);
const info = leaf("Display system-wide information", async () => (await import("./commands/info.ts")).info);
const inspect = leaf(
  "Return low-level information on Docker objects",
  async () => (await import("./commands/inspect.ts")).inspect,
);
const jobsCancel = leaf(
  "Cancel one or more running jobs",
  async () => (await import("./commands/jobs.ts")).jobsCancel,
);
const jobsList = leaf(
  "List running and recent jobs of the daemon",
  async () => (await import("./commands/jobs.ts")).jobsList,
);
const kill = leaf(
  "Kill one or more running containers",
  async () => (await import("./commands/kill.ts")).kill,
);
const load = leaf(
  "Load an image from a tar archive or STDIN",
  async () => (await import("./commands/load.ts")).load,
);
const login = leaf("Authenticate to a registry", async () => (await import("./commands/login.ts")).login);
const logout = leaf("Log out from a registry", async () => (await import("./commands/logout.ts")).logout);
const logs = leaf("Fetch the logs of a container", async () => (await import("./commands/logs.ts")).logs);
const networkConnect = leaf(
  "Connect a container to a network",
  async () => (await import("./commands/network/connect.ts")).networkConnect,
);
const networkCreate = leaf(
  "Create a network",
  async () => (await import("./commands/network/create.ts")).networkCreate,
);
const networkDisconnect = leaf(
  "Disconnect a container from a network",
  async () => (await import("./commands/network/connect.ts")).networkDisconnect,
);
const networkDoctor = leaf(
  "Say what this host's network lacks, what that costs, and what to do",
  async () => (await import("./commands/network/doctor.ts")).networkDoctor,
);
const networkList = leaf(
  "List networks",
  async () => (await import("./commands/network/list.ts")).networkList,
);
const containerPrune = leaf(
  "Remove all stopped containers",
  async () => (await import("./commands/prune.ts")).containerPrune,
);
const imagePrune = leaf("Remove unused images", async () => (await import("./commands/prune.ts")).imagePrune);
const systemDf = leaf(
  "Show docker disk usage",
  async () => (await import("./commands/system/df.ts")).systemDf,
);
const systemPrune = leaf(
  "Remove unused data",
  async () => (await import("./commands/system/prune.ts")).systemPrune,
);
const networkPrune = leaf(
  "Remove all unused networks",
  async () => (await import("./commands/network/prune.ts")).networkPrune,
);
const networkRemove = leaf(
  "Remove one or more networks",
  async () => (await import("./commands/network/remove.ts")).networkRemove,
);
const pause = leaf(
  "Pause all processes within one or more containers",
  async () => (await import("./commands/kill.ts")).pause,
);
const port = leaf(
  "List port mappings or a specific mapping for the container",
  async () => (await import("./commands/port.ts")).port,
);
const ports = leaf(
  "List every published port: who holds it, and who can reach it",
  async () => (await import("./commands/ports.ts")).ports,
);
const ps = leaf("List containers", async () => (await import("./commands/ps.ts")).ps);
const pull = leaf("Download an image from a registry", async () => (await import("./commands/pull.ts")).pull);
const push = leaf("Upload an image to a registry", async () => (await import("./commands/push.ts")).push);
const rename = leaf("Rename a container", async () => (await import("./commands/rename.ts")).rename);
const restart = leaf(
  "Restart one or more containers",
  async () => (await import("./commands/stop.ts")).restart,
);
const rm = leaf("Remove one or more containers", async () => (await import("./commands/rm.ts")).rm);
const rmi = leaf("Remove one or more images", async () => (await import("./commands/rmi.ts")).rmi);
const run = leaf(
  "Create and run a new container from an image",
  async () => (await import("./commands/run.ts")).run,
);
const save = leaf(
  "Save one or more images to a tar archive (streamed to STDOUT by default)",
  async () => (await import("./commands/save.ts")).save,
);
const search = leaf(
  "Search Docker Hub for images",
  async () => (await import("./commands/search.ts")).search,
);
const setupSystemd = leaf(
  "Print systemd's units for the daemon",
  async () => (await import("./commands/setup/systemd.ts")).setupSystemd,
);
const start = leaf(
  "Start one or more stopped containers",
  async () => (await import("./commands/start.ts")).start,
);
const stats = leaf(
  "Display a live stream of container(s) resource usage statistics",
  async () => (await import("./commands/stats.ts")).stats,
);
const stop = leaf(
  "Stop one or more running containers",
  async () => (await import("./commands/stop.ts")).stop,
);
const tag = leaf(
  "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
  async () => (await import("./commands/tag.ts")).tag,
);
const top = leaf(
  "Display the running processes of a container",
  async () => (await import("./commands/top.ts")).top,
);
const unpause = leaf(
  "Unpause all processes within one or more containers",
  async () => (await import("./commands/kill.ts")).unpause,
);
const update = leaf(
  "Update configuration of one or more containers",
  async () => (await import("./commands/update.ts")).update,
);
const version = leaf(
  "Show the version of client and daemon",
  async () => (await import("./commands/version.ts")).version,
);
const wait = leaf(
  "Block until one or more containers stop, then print their exit codes",
  async () => (await import("./commands/wait.ts")).wait,
);
const containerInspect = leaf(
  "Display detailed information on one or more containers",
  async () => (await import("./commands/inspect.ts")).containerInspect,
);
const imageInspect = leaf(
  "Display detailed information on one or more images",
  async () => (await import("./commands/inspect.ts")).imageInspect,
);
const networkInspect = leaf(
  "Display detailed information on one or more networks",
  async () => (await import("./commands/inspect.ts")).networkInspect,
);

/** Commands that need no group: the short old spellings. */
export const TOP: Readonly<Record<string, Leaf>> = {
  attach,
  build,
  commit,
  cp,
  create,
  diff,
  doctor,
  events,
  exec,
  export: exported,
  gc,
  history,
  images,
  import: imported,
  info,
  inspect,
  kill,
  load,
  login,
  logout,
  logs,
  pause,
  port,
  ports,
  ps,
  pull,
  push,
  rename,
  restart,
  rm,
  rmi,
  run,
  save,
  search,
  start,
  stats,
  stop,
  tag,
  top,
  unpause,
  update,
  version,
  wait,
};

export const GROUPS: Readonly<Record<string, Group>> = {
  builder: BUILDER,
  checkpoint: CHECKPOINT,
  container: {
    about: "Manage containers",
    commands: {
      attach,
      commit,
      cp,
      create,
      diff,
      exec,
      export: exported,
      inspect: containerInspect,
      kill,
      logs,
      ls: ps,
      list: ps,
      ps,
      pause,
      port,
      prune: containerPrune,
      rename,
      restart,
      rm,
      remove: rm,
      run,
      start,
      stats,
      stop,
      top,
      unpause,
      update,
      wait,
    },
  },
  context: CONTEXT,
  image: {
    about: "Manage images",
    commands: {
      build,
      history,
      import: imported,
      inspect: imageInspect,
      load,
      prune: imagePrune,
      ls: images,
      list: images,
      pull,
      push,
      rm: rmi,
      remove: rmi,
      save,
      tag,
    },
  },
  jobs: {
    about: "Manage jobs of the daemon",
    commands: { ls: jobsList, list: jobsList, cancel: jobsCancel },
    preset: "ls",
  },
  manifest: MANIFEST,
  network: {
    about: "Manage networks",
    commands: {
      connect: networkConnect,
      create: networkCreate,
      disconnect: networkDisconnect,
      doctor: networkDoctor,
      inspect: networkInspect,
      ls: networkList,
      list: networkList,
      prune: networkPrune,
      rm: networkRemove,
      remove: networkRemove,
    },
  },
  setup: { about: "Set bunker up on this host", commands: { systemd: setupSystemd } },
  system: {
    about: "Manage bunker",
    commands: { df: systemDf, "dial-stdio": dialStdio, doctor, events, gc, info, prune: systemPrune },
  },
  volume: VOLUME,
};

/** The command that words begin with, the path to it as typed, and the words behind it. */
export function leafAt(
  words: readonly string[],
  program: string,
): { readonly leaf: Leaf; readonly path: string; readonly rest: readonly string[] } | undefined {
  const [first = "", second = ""] = words;
  const own = <T>(table: Readonly<Record<string, T>>, name: string) =>
    Object.hasOwn(table, name) ? table[name] : undefined;
  const top = own(TOP, first);
  if (top !== undefined) return { leaf: top, path: `${program} ${first}`, rest: words.slice(1) };
  const inner = own(own(GROUPS, first)?.commands ?? {}, second);
  return inner && { leaf: inner, path: `${program} ${first} ${second}`, rest: words.slice(2) };
}
