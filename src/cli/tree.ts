import { BUILDER, build, CHECKPOINT } from "./builder-tree.ts";
import type { Command } from "./command.ts";
import { CONTEXT } from "./context-tree.ts";
import { MANIFEST } from "./manifest-tree.ts";
import { NETWORK } from "./network-tree.ts";
import { VOLUME } from "./volume-tree.ts";

/**
 * Written out for each command: a function that made them would be called so often that the engine compiles it, which
 * takes longer than most commands.
 */
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

const attach: Leaf = {
  about: "Attach local standard input, output, and error streams to a running container",
  load: async () => (await import("./commands/attach.ts")).attach,
};
const commit: Leaf = {
  about: "Create a new image from a container's changes",
  load: async () => (await import("./commands/commit.ts")).commit,
};
const completion: Leaf = {
  about: "Print the completion script for a shell",
  load: async () => (await import("./commands/completion.ts")).completion,
};
const cp: Leaf = {
  about: "Copy files/folders between a container and the local filesystem",
  load: async () => (await import("./commands/cp.ts")).cp,
};
const create: Leaf = {
  about: "Create a new container",
  load: async () => (await import("./commands/create.ts")).create,
};
const diff: Leaf = {
  about: "Inspect changes to files or directories on a container's filesystem",
  load: async () => (await import("./commands/diff.ts")).diff,
};
const dialStdio: Leaf = {
  about: "Proxy the stdio stream to the daemon connection",
  load: async () => (await import("./commands/dial-stdio.ts")).dialStdio,
};
const doctor: Leaf = {
  about: "Check that the store is whole, and repair it",
  load: async () => (await import("./commands/doctor.ts")).doctor,
};
const events: Leaf = {
  about: "Get real time events from the server",
  load: async () => (await import("./commands/events.ts")).events,
};
const exec: Leaf = {
  about: "Execute a command in a running container",
  load: async () => (await import("./commands/exec.ts")).exec,
};
const exported: Leaf = {
  about: "Export a container's filesystem as a tar archive",
  load: async () => (await import("./commands/export.ts")).exported,
};
const gc: Leaf = {
  about: "Free what no image, container or pull needs",
  load: async () => (await import("./commands/gc.ts")).gc,
};
const history: Leaf = {
  about: "Show the history of an image",
  load: async () => (await import("./commands/history.ts")).history,
};
const images: Leaf = {
  about: "List images",
  load: async () => (await import("./commands/images.ts")).images,
};
const imported: Leaf = {
  about: "Import the contents from a tarball to create a filesystem image",
  load: async () => (await import("./commands/import.ts")).imported,
};
const info: Leaf = {
  about: "Display system-wide information",
  load: async () => (await import("./commands/info.ts")).info,
};
const inspect: Leaf = {
  about: "Return low-level information on Docker objects",
  load: async () => (await import("./commands/inspect.ts")).inspect,
};
const jobsCancel: Leaf = {
  about: "Cancel one or more running jobs",
  load: async () => (await import("./commands/jobs.ts")).jobsCancel,
};
const jobsList: Leaf = {
  about: "List running and recent jobs of the daemon",
  load: async () => (await import("./commands/jobs.ts")).jobsList,
};
const kill: Leaf = {
  about: "Kill one or more running containers",
  load: async () => (await import("./commands/kill.ts")).kill,
};
const load: Leaf = {
  about: "Load an image from a tar archive or STDIN",
  load: async () => (await import("./commands/load.ts")).load,
};
const login: Leaf = {
  about: "Authenticate to a registry",
  load: async () => (await import("./commands/login.ts")).login,
};
const logout: Leaf = {
  about: "Log out from a registry",
  load: async () => (await import("./commands/logout.ts")).logout,
};
const logs: Leaf = {
  about: "Fetch the logs of a container",
  load: async () => (await import("./commands/logs.ts")).logs,
};
const containerPrune: Leaf = {
  about: "Remove all stopped containers",
  load: async () => (await import("./commands/prune.ts")).containerPrune,
};
const imagePrune: Leaf = {
  about: "Remove unused images",
  load: async () => (await import("./commands/prune.ts")).imagePrune,
};
const systemDf: Leaf = {
  about: "Show docker disk usage",
  load: async () => (await import("./commands/system/df.ts")).systemDf,
};
const systemPrune: Leaf = {
  about: "Remove unused data",
  load: async () => (await import("./commands/system/prune.ts")).systemPrune,
};
const pause: Leaf = {
  about: "Pause all processes within one or more containers",
  load: async () => (await import("./commands/kill.ts")).pause,
};
const port: Leaf = {
  about: "List port mappings or a specific mapping for the container",
  load: async () => (await import("./commands/port.ts")).port,
};
const ports: Leaf = {
  about: "List every published port: who holds it, and who can reach it",
  load: async () => (await import("./commands/ports.ts")).ports,
};
const ps: Leaf = { about: "List containers", load: async () => (await import("./commands/ps.ts")).ps };
const pull: Leaf = {
  about: "Download an image from a registry",
  load: async () => (await import("./commands/pull.ts")).pull,
};
const push: Leaf = {
  about: "Upload an image to a registry",
  load: async () => (await import("./commands/push.ts")).push,
};
const rename: Leaf = {
  about: "Rename a container",
  load: async () => (await import("./commands/rename.ts")).rename,
};
const restart: Leaf = {
  about: "Restart one or more containers",
  load: async () => (await import("./commands/stop.ts")).restart,
};
const rm: Leaf = {
  about: "Remove one or more containers",
  load: async () => (await import("./commands/rm.ts")).rm,
};
const rmi: Leaf = {
  about: "Remove one or more images",
  load: async () => (await import("./commands/rmi.ts")).rmi,
};
const run: Leaf = {
  about: "Create and run a new container from an image",
  load: async () => (await import("./commands/run.ts")).run,
};
const save: Leaf = {
  about: "Save one or more images to a tar archive (streamed to STDOUT by default)",
  load: async () => (await import("./commands/save.ts")).save,
};
const search: Leaf = {
  about: "Search Docker Hub for images",
  load: async () => (await import("./commands/search.ts")).search,
};
const setupSystemd: Leaf = {
  about: "Print systemd's units for the daemon",
  load: async () => (await import("./commands/setup/systemd.ts")).setupSystemd,
};
const start: Leaf = {
  about: "Start one or more stopped containers",
  load: async () => (await import("./commands/start.ts")).start,
};
const stats: Leaf = {
  about: "Display a live stream of container(s) resource usage statistics",
  load: async () => (await import("./commands/stats.ts")).stats,
};
const stop: Leaf = {
  about: "Stop one or more running containers",
  load: async () => (await import("./commands/stop.ts")).stop,
};
const tag: Leaf = {
  about: "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
  load: async () => (await import("./commands/tag.ts")).tag,
};
const top: Leaf = {
  about: "Display the running processes of a container",
  load: async () => (await import("./commands/top.ts")).top,
};
const unpause: Leaf = {
  about: "Unpause all processes within one or more containers",
  load: async () => (await import("./commands/kill.ts")).unpause,
};
const update: Leaf = {
  about: "Update configuration of one or more containers",
  load: async () => (await import("./commands/update.ts")).update,
};
const version: Leaf = {
  about: "Show the version of client and daemon",
  load: async () => (await import("./commands/version.ts")).version,
};
const wait: Leaf = {
  about: "Block until one or more containers stop, then print their exit codes",
  load: async () => (await import("./commands/wait.ts")).wait,
};
const containerInspect: Leaf = {
  about: "Display detailed information on one or more containers",
  load: async () => (await import("./commands/inspect.ts")).containerInspect,
};
const imageInspect: Leaf = {
  about: "Display detailed information on one or more images",
  load: async () => (await import("./commands/inspect.ts")).imageInspect,
};

/** Commands that need no group: the short old spellings. */
export const TOP: Readonly<Record<string, Leaf>> = {
  attach,
  build,
  commit,
  completion,
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
  network: NETWORK,
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
