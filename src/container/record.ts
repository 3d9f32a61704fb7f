import type { Health } from "./health-state.ts";
import type { Status } from "./lifecycle.ts";

/**
 * What a client asked for, in the engine's own words; `server/translate` turns Docker's wire shape into it
 * and back. Sizes in bytes; absent means the default. Lists keep the order given.
 */
export interface ContainerSpec {
  /** As the user wrote it: `httpd`, `httpd:2.4`, an id. */
  readonly image: string;
  readonly platform?: string;
  /** Absent: the image's. An empty list clears the image's. */
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly env: readonly string[];
  readonly user: string;
  readonly workingDirectory: string;
  readonly hostname: string;
  readonly domainname: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `80/tcp` */
  readonly exposedPorts: readonly string[];
  /** Destinations of anonymous volumes. */
  readonly volumes: readonly string[];
  readonly tty: boolean;
  readonly openStdin: boolean;
  readonly stdinOnce: boolean;
  readonly attachStdin: boolean;
  readonly attachStdout: boolean;
  readonly attachStderr: boolean;
  readonly networkDisabled: boolean;
  /** What health checks given as a text are run by; absent is `/bin/sh -c`. */
  readonly shell?: readonly string[];
  /** Kept for `inspect` alone: what they say is for builders, and for Windows. */
  readonly onBuild?: readonly string[];
  readonly argsEscaped?: boolean;
  readonly stopSignal?: string;
  readonly stopTimeoutSeconds?: number;
  /** Times in nanoseconds; 0 or absent is inherited. */
  readonly healthcheck?: {
    readonly test: readonly string[];
    readonly interval?: number;
    readonly timeout?: number;
    readonly startPeriod?: number;
    readonly startInterval?: number;
    readonly retries?: number;
  };
  readonly host: HostSpec;
  /** Network name → what was asked of the endpoint there. */
  readonly networks: Readonly<Record<string, EndpointSpec>>;
}

export interface EndpointSpec {
  readonly aliases: readonly string[];
  readonly links: readonly string[];
  readonly ipv4Address?: string;
  readonly ipv6Address?: string;
  readonly macAddress?: string;
  readonly linkLocalAddresses: readonly string[];
  readonly gatewayPriority: number;
  readonly driverOptions: Readonly<Record<string, string>>;
}

export interface HostSpec {
  /** `source:destination[:options]`, as given. */
  readonly binds: readonly string[];
  readonly mounts: readonly MountSpecRequest[];
  /** Destination → options. */
  readonly tmpfs: Readonly<Record<string, string>>;
  readonly volumesFrom: readonly string[];
  readonly volumeDriver: string;
  /** `80/tcp` → where; ports as text, `8020` or `8020-8030` or empty. */
  readonly portBindings: Readonly<
    Record<string, readonly { readonly hostIp: string; readonly hostPort: string }[]>
  >;
  readonly publishAllPorts: boolean;
  /** `default`, `bridge`, `host`, `none`, `container:ID`, or a network's name. */
  readonly networkMode: string;
  readonly dns: readonly string[];
  readonly dnsOptions: readonly string[];
  readonly dnsSearch: readonly string[];
  readonly extraHosts: readonly string[];
  readonly links: readonly string[];
  readonly groupAdd: readonly string[];
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  readonly privileged: boolean;
  readonly securityOptions: readonly string[];
  /** Absent: Docker's lists. */
  readonly maskedPaths?: readonly string[];
  readonly readonlyPaths?: readonly string[];
  readonly readonlyRootfs: boolean;
  readonly devices: readonly {
    readonly hostPath: string;
    readonly containerPath: string;
    readonly permissions: string;
  }[];
  readonly deviceCgroupRules: readonly string[];
  /** Devices by what they are for or by their CDI names. Absent: none. */
  readonly deviceRequests?: readonly DeviceRequestSpec[];
  readonly resources: ResourceSpec;
  readonly ulimits: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  readonly shmSizeBytes: number;
  readonly pidMode: string;
  readonly ipcMode: string;
  readonly utsMode: string;
  readonly usernsMode: string;
  readonly cgroupnsMode: string;
  readonly cgroupParent: string;
  readonly restartPolicy: RestartPolicy;
  readonly autoRemove: boolean;
  readonly logConfig: { readonly type: string; readonly options: Readonly<Record<string, string>> };
  readonly init?: boolean;
  readonly oomScoreAdj: number;
  readonly sysctls: Readonly<Record<string, string>>;
  readonly storageOptions: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly runtime: string;
  readonly consoleSize?: { readonly rows: number; readonly columns: number };
  /** Where the client keeps the container's id; told again by `inspect`. */
  readonly idFile?: string;
}

/** Source: Docker Engine API 1.56, DeviceRequest. */
export interface DeviceRequestSpec {
  /** `cdi`, `nvidia`, `amd`; empty is whichever has the capabilities. */
  readonly driver: string;
  /** -1 is all of them. */
  readonly count: number;
  readonly deviceIds: readonly string[];
  /** One of the lists is to be had whole. */
  readonly capabilities: readonly (readonly string[])[];
  readonly options: Readonly<Record<string, string>>;
}

export interface RestartPolicy {
  readonly name: "no" | "always" | "on-failure" | "unless-stopped";
  readonly maximumRetryCount: number;
}

export interface MountSpecRequest {
  readonly type: "bind" | "volume" | "tmpfs" | "image" | string;
  readonly source: string;
  readonly target: string;
  readonly readonly: boolean;
  readonly consistency: string;
  readonly bind?: {
    readonly propagation: string;
    readonly isNonRecursive: boolean;
    readonly createMountpoint: boolean;
    readonly readOnlyNonRecursive: boolean;
    readonly readOnlyForceRecursive: boolean;
    /** The source's owner is seen as `user`, or the container's own: Docker's `bind-idmap`. */
    readonly idMapping?: { readonly source: string; readonly user: string };
    /** This engine's own: `uids=1000-0-1;gids=1000-0-1`, owners on disk and as they shall be seen. */
    readonly idMap?: string;
  };
  readonly volume?: {
    readonly noCopy: boolean;
    readonly labels: Readonly<Record<string, string>>;
    readonly driverName: string;
    readonly driverOptions: Readonly<Record<string, string>>;
    /** A driver was spoken of, if only to say nothing: echoed as it came. */
    readonly hasDriver?: boolean;
    readonly subpath: string;
  };
  readonly image?: { readonly subpath: string };
  readonly tmpfs?: {
    readonly sizeBytes: number;
    readonly mode: number;
    /** `["exec"]` or `["key", "value"]`. */
    readonly options?: readonly (readonly string[])[];
  };
  /** Options of a kind that no mount of this engine has. */
  readonly hasClusterOptions?: boolean;
}

/** Users and groups: what is not named is seen by nobody. */
export interface OwnerMap {
  readonly uids: readonly OwnerRange[];
  readonly gids: readonly OwnerRange[];
}

export interface OwnerRange {
  readonly onDisk: number;
  readonly seen: number;
  readonly size: number;
  /** `seen` is a number inside the container's user namespace, if it has one. */
  readonly isInside?: boolean;
}

/** 0 or absent: unlimited. Docker's own units: nano-CPUs, microseconds, bytes. */
export interface ResourceSpec {
  readonly memory?: number;
  readonly memorySwap?: number;
  readonly memoryReservation?: number;
  readonly memorySwappiness?: number;
  readonly oomKillDisable?: boolean;
  readonly nanoCpus?: number;
  readonly cpuShares?: number;
  readonly cpuPeriod?: number;
  readonly cpuQuota?: number;
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
  readonly pidsLimit?: number;
  readonly blkioWeight?: number;
  readonly blkioWeightDevice?: readonly { readonly path: string; readonly value: number }[];
  readonly blkioDeviceReadBps?: readonly { readonly path: string; readonly value: number }[];
  readonly blkioDeviceWriteBps?: readonly { readonly path: string; readonly value: number }[];
  readonly blkioDeviceReadIops?: readonly { readonly path: string; readonly value: number }[];
  readonly blkioDeviceWriteIops?: readonly { readonly path: string; readonly value: number }[];
}

/** A mount as it was settled when the container was made: names found, anonymous volumes created. */
export interface MountPoint {
  readonly type: "bind" | "volume" | "tmpfs" | "image";
  /** Of a volume. */
  readonly name?: string;
  readonly driver?: string;
  /** Host path; empty for tmpfs. */
  readonly source: string;
  readonly destination: string;
  /** The options as the user gave them, for `inspect`. */
  readonly mode: string;
  readonly isWritable: boolean;
  readonly propagation: string;
  readonly isAnonymous: boolean;
  readonly copyUp: boolean;
  readonly isRecursive: boolean;
  readonly recursiveReadonly: boolean;
  readonly tmpfsOptions?: string;
  /** Asked for by its options alone (`--tmpfs`): `inspect` names it there and not among the mounts. */
  readonly isUnlisted?: boolean;
  /** Of a volume or an image: this part of it. */
  readonly subpath?: string;
  readonly image?: { readonly id: string; readonly reference: string };
  /** Of a volume: what is in it counts against a limit, which the container must not lift. */
  readonly hasSizeLimit?: boolean;
  readonly owners?: OwnerMap;
  /** Owners on disk are those inside the container's user namespace. */
  readonly isInside?: boolean;
  /** The source's owner, whoever that is at the start, is seen as this one. */
  readonly seenAs?: { readonly uid: number; readonly gid: number };
  /** What is written goes to a layer above the source, which ends with each life of the container. */
  readonly isOverlay?: boolean;
  /** Read-only itself, while what is mounted below it stays as it is. */
  readonly isReadonlyShallow?: boolean;
  /** Nobody has chosen the propagation: where the host's mount cannot have it, it is private. */
  readonly hasFallback?: boolean;
  /** Of a bind: a missing source is made, as an empty folder, when the container starts. */
  readonly createSource?: boolean;
}

/** Times are RFC 3339 with nanoseconds, as Docker prints them; `0001-01-01T00:00:00Z` for never. */
export interface ContainerState {
  readonly status: Status;
  readonly pid: number;
  /** Who its users and groups are on the host, as it was begun; absent where they are the host's. */
  readonly ids?: OwnerMap;
  /** With the pid, the name of the process for ever. */
  readonly startTicks: string;
  readonly exitCode: number;
  readonly error: string;
  readonly outOfMemory: boolean;
  readonly startedAt: string;
  readonly finishedAt: string;
  /** Of one that is checked, once it has been started. */
  readonly health?: Health;
}

export interface Container {
  readonly id: string;
  /** Without the slash. */
  readonly name: string;
  readonly created: string;
  readonly spec: ContainerSpec;
  /** What the image and the request together come to. */
  readonly path: string;
  readonly args: readonly string[];
  readonly effective: {
    readonly env: readonly string[];
    readonly entrypoint: readonly string[];
    readonly command: readonly string[];
    readonly workingDirectory: string;
    readonly user: string;
    readonly exposedPorts: readonly string[];
    readonly volumes: readonly string[];
    readonly labels: Readonly<Record<string, string>>;
    readonly stopSignal: string;
    readonly hostname: string;
    readonly healthcheck?: ContainerSpec["healthcheck"];
    readonly shell?: readonly string[];
  };
  readonly imageId: string;
  readonly layer: string;
  readonly mounts: readonly MountPoint[];
  readonly state: ContainerState;
  readonly restartCount: number;
  /** A stop or kill by a person: the restart policy lets it rest. */
  readonly isManuallyStopped: boolean;
  readonly logPath: string;
  readonly directory: string;
  readonly driver: string;
}
