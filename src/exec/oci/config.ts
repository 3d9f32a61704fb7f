import {
  type BundlePieces,
  capabilityMask,
  type DeviceRule,
  hostCapabilities,
  type Namespace,
  type ProcessSpec,
  type Resources,
  type RuntimeHook,
  type RuntimeMount,
  type RuntimeSpec,
  type SeccompProfile,
} from "#libcontainer";

/** What every runtime reads that Debian, Fedora or Ubuntu has had since 2020. */
const OCI_VERSION = "1.0.2";
/** Below the bundle; the launcher mounts it there. */
const ROOT_PATH = "rootfs";

const NAMESPACES: Readonly<Record<Namespace, string>> = {
  mnt: "mount",
  net: "network",
  pid: "pid",
  ipc: "ipc",
  uts: "uts",
  user: "user",
  cgroup: "cgroup",
  time: "time",
};

export interface ConsoleSize {
  readonly rows: number;
  readonly columns: number;
}

/** A bundle's config.json, with the gaps that the launcher fills. Source: OCI runtime specification 1.0.2, config.md. */
export function configPieces(
  spec: RuntimeSpec,
  { cgroupsPath, size }: { readonly cgroupsPath: string; readonly size: ConsoleSize | undefined },
): BundlePieces {
  const config = {
    ociVersion: OCI_VERSION,
    root: { path: ROOT_PATH, readonly: spec.root.readonly },
    hostname: spec.hostname,
    mounts: spec.mounts.map(mountEntry),
    annotations: spec.annotations,
    ...hookLists(spec.hooks ?? []),
    linux: linuxSection(spec, cgroupsPath),
  };
  const [before, between, after] = processPieces(spec.process, size);
  return [`${json(config).slice(0, -1)},"process":${before}`, between, `${after}}`];
}

/** What `exec --process` reads. */
export function processPieces(process: ProcessSpec, size: ConsoleSize | undefined): BundlePieces {
  const text = json({
    ...processSection(process),
    ...(size === undefined || !process.terminal
      ? {}
      : { consoleSize: { height: size.rows, width: size.columns } }),
  });
  return [`${text.slice(0, -1)},"user":`, `,"env":[${process.env.map((one) => json(one)).join(",")}`, "]}"];
}

/** Whether the launcher may add the home directory to the environment: a list that is not empty, without one. */
export function lacksHome({ env }: ProcessSpec): boolean {
  return env.length > 0 && !env.some((one) => one.startsWith("HOME="));
}

function processSection(process: ProcessSpec) {
  const capabilities = namesOf(process);
  return {
    terminal: process.terminal,
    args: process.args,
    cwd: process.cwd === "" ? "/" : process.cwd,
    capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    rlimits: limits(process),
    noNewPrivileges: process.noNewPrivileges,
    oomScoreAdj: process.oomScoreAdj,
    ...(process.apparmorProfile === undefined ? {} : { apparmorProfile: process.apparmorProfile }),
  };
}

/** A runtime fails where the host's own bounding set lacks what is asked; bunker's goes without. */
function namesOf({ capabilities }: ProcessSpec): readonly string[] {
  const allowed = hostCapabilities();
  return capabilities.filter((name) => (capabilityMask([name]) & allowed) !== 0n);
}

/** An engine's default may ask for more than the host's hard limit, which needs CAP_SYS_RESOURCE. */
function limits({ rlimits }: ProcessSpec) {
  const mayRaise = (capabilityMask(["CAP_SYS_RESOURCE"]) & hostCapabilities()) !== 0n;
  return rlimits
    .filter(({ isDefault }) => mayRaise || isDefault !== true)
    .map(({ type, soft, hard }) => ({ type, soft, hard }));
}

function mountEntry({ destination, type, source, options }: RuntimeMount) {
  return { destination, type, source, options };
}

function hookLists(hooks: readonly RuntimeHook[]) {
  if (hooks.length === 0) return {};
  const lists = Map.groupBy(hooks, ({ name }) => name);
  const entry = ({ path, args, env, timeoutSeconds }: RuntimeHook) => ({
    path,
    args,
    env,
    ...(timeoutSeconds === undefined ? {} : { timeout: timeoutSeconds }),
  });
  return { hooks: Object.fromEntries([...lists].map(([name, list]) => [name, list.map(entry)])) };
}

function linuxSection({ linux, domainname }: RuntimeSpec, cgroupsPath: string) {
  return {
    namespaces: linux.namespaces
      .filter(({ type, path }) => type !== "time" || path !== undefined)
      .map(({ type, path }) => ({ type: NAMESPACES[type], ...(path === undefined ? {} : { path }) })),
    // Runtimes of the specification's first versions know no domainname of its own.
    sysctl: { ...(domainname === "" ? {} : { "kernel.domainname": domainname }), ...linux.sysctl },
    devices: linux.devices.map(({ path, type, major, minor, fileMode, uid, gid }) => ({
      ...{ path, type, major, minor, fileMode, uid, gid },
    })),
    cgroupsPath,
    resources: resourceSection(linux.resources),
    maskedPaths: linux.maskedPaths,
    readonlyPaths: linux.readonlyPaths,
    rootfsPropagation: linux.rootfsPropagation,
    ...(linux.seccomp === undefined ? {} : { seccomp: seccompSection(linux.seccomp) }),
  };
}

/** Also what `update --resources` reads. Source: OCI runtime specification, config-linux.md, "Control groups". */
export function resourceSection(resources: Resources) {
  const { memoryBytes, memorySwapBytes, memoryReservationBytes, memorySwappiness, oomKillDisable } =
    resources;
  return {
    devices: resources.devices.map(deviceRule),
    memory: given({
      limit: memoryBytes,
      swap: memorySwapBytes,
      reservation: memoryReservationBytes,
      swappiness: memorySwappiness,
      disableOOMKiller: oomKillDisable,
    }),
    cpu: given({
      shares: resources.cpuShares,
      quota: resources.cpuQuotaMicroseconds,
      period: resources.cpuPeriodMicroseconds,
      cpus: resources.cpusetCpus,
      mems: resources.cpusetMems,
    }),
    ...(resources.pidsLimit === undefined ? {} : { pids: { limit: resources.pidsLimit } }),
    ...blockSection(resources),
  };
}

function deviceRule({ allow, type, major, minor, access }: DeviceRule) {
  return { allow, ...(type === "a" ? {} : { type }), ...given({ major, minor }), access };
}

const BLOCK_LISTS = {
  weight: "weightDevice",
  "read-bps": "throttleReadBpsDevice",
  "write-bps": "throttleWriteBpsDevice",
  "read-iops": "throttleReadIOPSDevice",
  "write-iops": "throttleWriteIOPSDevice",
} as const;

function blockSection({ blkioWeight, blkioDevices = [] }: Resources) {
  if (blkioWeight === undefined && blkioDevices.length === 0) return {};
  const lists = [...Map.groupBy(blkioDevices, ({ kind }) => kind)].map(([kind, devices]) => [
    BLOCK_LISTS[kind],
    devices.map(({ major, minor, value }) => ({
      ...{ major, minor },
      [kind === "weight" ? "weight" : "rate"]: value,
    })),
  ]);
  return { blockIO: { ...given({ weight: blkioWeight }), ...Object.fromEntries(lists) } };
}

/** Source: seccomp(2), and the names that libseccomp gives them. */
const ARCHITECTURES: Readonly<Record<string, readonly string[]>> = {
  x64: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
  arm64: ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
};

function seccompSection(profile: SeccompProfile) {
  return {
    defaultAction: profile.defaultAction,
    ...(carriesErrno(profile.defaultAction) && { defaultErrnoRet: profile.defaultErrno }),
    architectures: architectures(profile),
    ...given({ flags: profile.flags }),
    syscalls: profile.syscalls.map(({ names, action, errno, args }) => ({
      names,
      action,
      ...(carriesErrno(action) && { errnoRet: errno ?? profile.defaultErrno }),
      args: args.map(({ index, value, valueTwo, op }) => ({ index, value, valueTwo, op })),
    })),
  };
}

function architectures({ architectures: asked }: SeccompProfile): readonly string[] {
  const [native = "", ...others] = ARCHITECTURES[process.arch] ?? [];
  return asked === undefined ? [native, ...others] : [...new Set([native, ...asked])];
}

/** A runtime refuses the number of an action that carries none. */
const carriesErrno = (action: string) => action === "SCMP_ACT_ERRNO" || action === "SCMP_ACT_TRACE";

function given<Value extends object>(values: Value): Partial<Value> {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined),
  ) as Partial<Value>;
}

/** Numbers of 64 bits are JSON numbers here. */
function json(value: unknown): string {
  return JSON.stringify(value, (_, one) => (typeof one === "bigint" ? JSON.rawJSON(String(one)) : one));
}
