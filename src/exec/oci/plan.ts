import { Fault } from "#errors";
import {
  type Cgroups,
  type HostStep,
  ownGroupSteps,
  type Plan,
  prepareParentGroup,
  type RuntimeSpec,
  type Step,
} from "#libcontainer";
import type { ExecRequest, LaunchRequest } from "../driver.ts";
import { configPieces, lacksHome, processPieces } from "./config.ts";

/** A runtime as the settings name it: a program of the host's, and words that come before every command's. */
export interface RuntimeCommand {
  readonly path: string;
  readonly args: readonly string[];
}

export interface PlanContext {
  readonly name: string;
  readonly command: RuntimeCommand;
  /** The runtime's own record of its containers. */
  readonly root: string;
  readonly cgroups: Cgroups;
}

/** Names in a container's state directory, which is the bundle. Those of the pid and the socket are the launcher's. */
export const LOG_NAME = "runtime.log";
const CONFIG_NAME = "config.json";
export const execLog = (execId: string) => `exec-${execId}.log`;
export const execProcess = (execId: string) => `exec-${execId}.json`;

const MAKING = ["--pid-file", "init.pid"];
const CONSOLE = ["--console-socket", "console.sock"];

/** The runtime's command, its log beside the bundle. */
export function runtimeWords(
  { command, root }: Pick<PlanContext, "command" | "root">,
  words: readonly string[],
  log?: string,
): readonly string[] {
  const logging = log === undefined ? [] : ["--log", log, "--log-format", "json"];
  return [command.path, ...command.args, "--root", root, ...logging, ...words];
}

/** What the launcher does so that a runtime makes this container in the bundle. Throws `unsupported` for what it cannot. */
export function containerPlan(
  { id, spec, host, stdio }: LaunchRequest,
  groupPath: string,
  context: PlanContext,
): Plan {
  refuse(spec, context.name);
  prepareParentGroup(context.cgroups, groupPath);
  const words = (given: readonly string[]) => runtimeWords(context, given, LOG_NAME);
  const terminal = spec.process.terminal ? CONSOLE : [];
  const ownNamespaces = spec.linux.namespaces
    .filter(({ path }) => path === undefined)
    .map(({ type }) => type);
  const runtime = (verb: "create" | "start" | "delete", args: readonly string[]): HostStep => ({
    op: "runtime",
    verb,
    namespaces: verb === "create" ? ownNamespaces : [],
    args: words(args),
  });
  const { early, late } = sysctls(spec);
  const written = { ...spec, linux: { ...spec.linux, sysctl: early } };
  return [
    ...host.ports.map((port): HostStep => ({ op: "reserve-port", ...port })),
    ...groupSteps(context.cgroups, groupPath),
    { op: "root", mount: spec.root.mount, readonly: spec.root.readonly },
    { op: "user", user: spec.process.user, groups: spec.process.additionalGroups },
    {
      op: "bundle",
      name: CONFIG_NAME,
      pieces: configPieces(written, { cgroupsPath: `/${groupPath}`, size: stdio.consoleSize }),
      addsHome: lacksHome(spec.process),
    },
    runtime("create", ["create", "--bundle", ".", ...MAKING, ...terminal, id]),
    ...host.links,
    ...Object.entries(late).map(([key, value]): Step => ({ op: "sysctl", key, value })),
    runtime("start", ["start", id]),
    runtime("delete", ["delete", "--force", id]),
  ];
}

/** The same for one more process in a container that runs. */
export function commandPlan(
  { execId, process, consoleSize, endsWhole = false }: ExecRequest,
  container: { readonly id: string; readonly pid: number },
  context: PlanContext,
): Plan {
  const file = execProcess(execId);
  const terminal = process.terminal ? CONSOLE : [];
  const words = ["exec", "--detach", "--process", file, ...MAKING, ...terminal, container.id];
  return [
    ...(endsWhole ? ownGroupSteps(context.cgroups, { pid: container.pid, ownGroup: execId }) : []),
    { op: "user", user: process.user, groups: process.additionalGroups },
    { op: "bundle", name: file, pieces: processPieces(process, consoleSize), addsHome: lacksHome(process) },
    {
      op: "runtime",
      verb: "exec",
      namespaces: [],
      args: runtimeWords(context, words, execLog(execId)),
    },
  ];
}

/** A new network has its interfaces, and the settings of each, only once the runtime has made it. */
function sysctls({ linux }: RuntimeSpec) {
  const isOwn = linux.namespaces.some(({ type, path }) => type === "net" && path === undefined);
  const isLate = (key: string) => isOwn && /^net[./]/.test(key);
  const entries = Object.entries(linux.sysctl);
  return {
    early: Object.fromEntries(entries.filter(([key]) => !isLate(key))),
    late: Object.fromEntries(entries.filter(([key]) => isLate(key))),
  };
}

/** In every hierarchy, so that whoever finds them later knows which to end. */
function groupSteps(cgroups: Cgroups, path: string): readonly HostStep[] {
  if (cgroups.version === 0) return [];
  const tops =
    cgroups.version === 2 ? [cgroups.mountpoint] : cgroups.hierarchies.map(({ mountpoint }) => mountpoint);
  return tops.map((top) => ({ op: "cgroup", path: `${top}/${path}` }));
}

/** What the specification has no words for, or what the bundle's own mount namespace stands against. */
function refuse(spec: RuntimeSpec, runtime: string): void {
  const say = (what: string, instead: string) => {
    throw new Fault(
      "unsupported",
      `Cannot start the container with the runtime ${runtime}: ${what} are not supported; ${instead}`,
    );
  };
  const ours = "use bunker's own runtime, native";
  if (spec.root.isMapped === true) say("user namespaces", `${ours}, or --userns host`);
  for (const mount of spec.mounts) {
    if (mount.tree !== undefined) say("images as mounts", ours);
    if (mount.subpath !== undefined && mount.subpath !== "") say("mounts of a subpath", ours);
    if ((mount.uidMappings ?? []).length > 0) say("mounts with mapped owners (idmap)", ours);
    if (mount.options.some((option) => option === "rshared" || option === "shared"))
      say("mounts that the host sees (shared)", ours);
  }
  if (spec.process.init) say("containers with bunker's own init", `set init-path, or ${ours}`);
}
