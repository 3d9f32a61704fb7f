import { Fault } from "#errors";
import { type Cgroups, detectCgroups } from "./cgroups/detect.ts";
import { cgroupSteps, prepareParentGroup } from "./cgroups/manager.ts";
import { groupPath } from "./cgroups/path.ts";
import { deviceSteps, hasForeignDev, mapLines, mountSteps, propagationOf } from "./compile-mounts.ts";
import { processSteps } from "./compile-process.ts";
import { MS } from "./mount-options.ts";
import type { HostStep, Namespace, Plan, Step } from "./plan.ts";
import type { HostSide, RuntimeSpec } from "./spec.ts";

export interface CompileOptions {
  /** Absent: as detected. */
  readonly cgroups?: Cgroups;
  /** The group below which containers get theirs: `bunker`. */
  readonly cgroupParent?: string;
}

/**
 * The order in which namespaces are joined: the user namespace first, for it decides what the others allow, and
 * the mount namespace last.
 */
const JOIN_ORDER: readonly Namespace[] = ["user", "cgroup", "ipc", "uts", "net", "pid", "time", "mnt"];

const DEFAULT_PARENT = "bunker";

const ROOT_PROPAGATION = { private: MS.PRIVATE, rslave: MS.SLAVE, rshared: MS.SHARED } as const;

/**
 * Turns what is asked into the steps the launcher obeys, in the order the kernel demands. Makes the group above
 * the container's when it is missing, for all containers share it; everything else is left to the launcher.
 */
export function compilePlan(spec: RuntimeSpec, host: HostSide, options: CompileOptions = {}): Plan {
  const cgroups = options.cgroups ?? detectCgroups();
  refuseHooks(spec);
  const group = groupPath(spec.linux.cgroupsPath, options.cgroupParent ?? DEFAULT_PARENT);
  prepareParentGroup(cgroups, group);
  return [
    ...hostSteps(spec, host, { cgroups, group }),
    ...rootSteps(spec, cgroups),
    ...processSteps(spec.process, { profile: spec.linux.seccomp, makesDirectory: true }),
  ];
}

function hostSteps(
  spec: RuntimeSpec,
  host: HostSide,
  { cgroups, group }: { readonly cgroups: Cgroups; readonly group: string },
): readonly HostStep[] {
  const { namespaces, uidMappings, gidMappings } = spec.linux;
  return [
    ...host.ports.map((port): HostStep => ({ op: "reserve-port", ...port })),
    ...cgroupSteps(cgroups, { path: group, resources: spec.linux.resources }),
    ...JOIN_ORDER.flatMap((type): HostStep[] => {
      const path = namespaces.find((namespace) => namespace.type === type)?.path;
      return path === undefined ? [] : [{ op: "join", namespace: type, path }];
    }),
    { op: "clone", namespaces: namespaces.filter(({ path }) => path === undefined).map(({ type }) => type) },
    ...(uidMappings.length === 0 && gidMappings.length === 0
      ? []
      : [{ op: "id-map", uid: mapLines(uidMappings), gid: mapLines(gidMappings) } as const]),
    ...host.links,
  ];
}

function rootSteps(spec: RuntimeSpec, cgroups: Cgroups): readonly Step[] {
  const { linux, process } = spec;
  const isOwn = (type: Namespace) =>
    linux.namespaces.some((one) => one.type === type && one.path === undefined);
  const propagation = propagationOf(spec);
  return [
    {
      op: "root",
      mount: spec.root.mount,
      readonly: spec.root.readonly,
      propagation,
      ...(spec.root.isMapped === true && {
        owners: { uid: mapLines(linux.uidMappings), gid: mapLines(linux.gidMappings) },
      }),
    },
    ...spec.mounts.flatMap((mount) => mountSteps(mount, cgroups)),
    ...deviceSteps(spec),
    ...linux.maskedPaths.map((target): Step => ({ op: "mask", target })),
    ...linux.readonlyPaths.map((target): Step => ({ op: "readonly", target })),
    ...(process.terminal && !hasForeignDev(spec) ? [{ op: "console" } as const] : []),
    ...workingDirectory(spec),
    { op: "pivot", propagation: ROOT_PROPAGATION[linux.rootfsPropagation] },
    ...(isOwn("uts") && spec.hostname !== "" ? [{ op: "hostname", name: spec.hostname } as const] : []),
    ...(isOwn("uts") && spec.domainname !== "" ? [{ op: "domainname", name: spec.domainname } as const] : []),
    ...Object.entries(linux.sysctl).map(([key, value]): Step => ({ op: "sysctl", key, value })),
  ];
}

/** Which expect an OCI bundle on the host, of which there is none. */
function refuseHooks({ hooks = [] }: RuntimeSpec): void {
  const [first] = hooks;
  if (first !== undefined)
    throw new Fault(
      "unsupported",
      `Cannot run the hook ${first.path.slice(0, 200)} (${first.name}): this engine's own runtime runs no hooks; let the device's vendor write a CDI specification without them`,
    );
}

/** Nothing can be made in a read-only root once it has been entered. */
function workingDirectory({ root, process }: RuntimeSpec): readonly Step[] {
  return root.readonly && process.cwd.startsWith("/")
    ? [{ op: "mkdir", target: process.cwd, mode: 0o755 }]
    : [];
}
