import { existsSync } from "node:fs";
import { hostname } from "node:os";
import type { Container, HostSpec } from "#container";
import {
  DEFAULT_DEVICES,
  DEFAULT_MASKED_PATHS,
  DEFAULT_READONLY_PATHS,
  type DeviceNode,
  hostDevices,
  type Namespace,
  type RuntimeMount,
  type RuntimeSpec,
  resolveDevices,
  thermalPaths,
} from "#libcontainer";
import type { Sandbox } from "#network";
import type { MountSpec } from "#oci";
import { runtimeMounts } from "./spec-mounts.ts";
import { containerProcess, hasForeignInit, INIT_TARGET, type ProcessDefaults } from "./spec-process.ts";
import { deviceRequests, resourcesOf } from "./spec-resources.ts";
import { parseSecurityOptions } from "./spec-security.ts";
import { runtimeSysctls } from "./spec-sysctls.ts";
import type { UserNamespace } from "./user-namespace.ts";

export { execProcess } from "./spec-process.ts";
export { resourcesOf } from "./spec-resources.ts";
export { validateHostSpec } from "./validate.ts";

/** What is known only when a container starts. */
export interface RuntimeContext {
  readonly root: MountSpec;
  readonly sandbox: Pick<Sandbox, "namespace" | "files" | "sysctls">;
  /** Namespaces of another container: `/proc/PID/ns/pid`. */
  readonly pidPath?: string;
  readonly ipcPath?: string;
  readonly ipcPid?: number;
  /** How the images among the mounts are mounted, by their ids. */
  readonly trees?: ReadonlyMap<string, MountSpec>;
  readonly defaults?: ProcessDefaults;
  /** Absent where the container's users are the host's. */
  readonly userNamespace?: UserNamespace;
  /** Where it is another container's: something that it owns, `/proc/PID/ns/pid`. */
  readonly userPath?: string;
}

/** A container's record and the findings of its start, as the kernel shall see them. Throws `invalid` for what cannot be had. */
export function runtimeSpec(container: Container, context: RuntimeContext): RuntimeSpec {
  const { spec } = container;
  const { host } = spec;
  const name = ownHostname(container);
  const process = containerProcess(container, { hostname: name, defaults: context.defaults ?? {} });
  const { trees = new Map<string, MountSpec>(), userNamespace } = context;
  const mounts = [
    ...runtimeMounts(container, {
      files: context.sandbox.files,
      trees,
      ...pick(context.ipcPid),
      ...(userNamespace && { userNamespace }),
    }),
    ...initMount(container, context.defaults ?? {}),
  ];
  return {
    process,
    root: {
      mount: context.root,
      readonly: host.readonlyRootfs,
      ...(userNamespace && { isMapped: true }),
    },
    hostname: name,
    domainname: spec.domainname,
    mounts,
    linux: {
      namespaces: namespaces(container, context),
      uidMappings: userNamespace?.uids ?? [],
      gidMappings: userNamespace?.gids ?? [],
      sysctl: runtimeSysctls(host, {
        hasOwnNetwork: context.sandbox.namespace.kind === "new",
        network: context.sandbox.sysctls,
        hasOwnUsers: userNamespace !== undefined,
      }),
      devices: devices(container),
      resources: resourcesOf(host),
      cgroupsPath: host.cgroupParent === "" ? container.id : `/${trim(host.cgroupParent)}/${container.id}`,
      ...hiddenPaths(host),
      ...(process.seccomp === undefined ? {} : { seccomp: process.seccomp }),
      rootfsPropagation: "private",
      cgroupWritable: mounts.some(({ type, options }) => type === "cgroup" && !options.includes("ro")),
    },
    annotations: host.annotations,
  };
}

function initMount(container: Container, defaults: ProcessDefaults): readonly RuntimeMount[] {
  if (defaults.initPath === undefined || !hasForeignInit(container, defaults)) return [];
  return [
    {
      type: "bind",
      source: defaults.initPath,
      destination: INIT_TARGET,
      options: ["bind", "ro", "rprivate"],
    },
  ];
}

const pick = (ipcPid: number | undefined) => (ipcPid === undefined ? {} : { ipcPid });
const trim = (path: string) => path.replace(/^\/+|\/+$/g, "");

/** With the host's network or UTS namespace a container that names itself nothing goes by the host's name. */
function ownHostname({ spec, effective }: Container): string {
  const isHosts = spec.host.utsMode === "host" || (spec.host.networkMode === "host" && spec.hostname === "");
  return isHosts ? hostname() : effective.hostname;
}

function hiddenPaths(host: HostSpec): Pick<RuntimeSpec["linux"], "maskedPaths" | "readonlyPaths"> {
  if (host.privileged || parseSecurityOptions(host.securityOptions).isSystemUnconfined)
    return { maskedPaths: [], readonlyPaths: [] };
  return {
    maskedPaths: host.maskedPaths ?? [...DEFAULT_MASKED_PATHS, ...thermalPaths()],
    readonlyPaths: host.readonlyPaths ?? DEFAULT_READONLY_PATHS,
  };
}

let timeNamespaces: boolean | undefined;

/** Own ones unless a mode opens one to the host or to another container. */
function namespaces({ spec }: Container, context: RuntimeContext): RuntimeSpec["linux"]["namespaces"] {
  const { host } = spec;
  const { namespace } = context.sandbox;
  timeNamespaces ??= existsSync("/proc/self/ns/time");
  const make = (type: Namespace, isOwn: boolean, path?: string) =>
    path !== undefined ? [{ type, path }] : isOwn ? [{ type }] : [];
  return [
    { type: "mnt" },
    ...make("pid", host.pidMode !== "host", context.pidPath),
    ...make("net", namespace.kind === "new", namespace.kind === "path" ? namespace.path : undefined),
    ...make("ipc", host.ipcMode !== "host", context.ipcPath),
    ...make("uts", host.utsMode !== "host"),
    ...make("user", context.userNamespace !== undefined, context.userPath),
    ...make("cgroup", host.cgroupnsMode !== "host"),
    ...make("time", timeNamespaces),
  ];
}

function devices({ spec }: Container): readonly DeviceNode[] {
  const asked = [
    ...(spec.host.privileged ? hostDevices() : []),
    ...resolveDevices(deviceRequests(spec.host)).nodes,
  ];
  const byPath = new Map([...DEFAULT_DEVICES, ...asked].map((node) => [node.path, node]));
  return [...byPath.values()];
}
