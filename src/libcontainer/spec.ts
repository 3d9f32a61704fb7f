import type { MountSpec, NetlinkStep } from "#oci";
import type { Capability, Namespace } from "./plan.ts";

/**
 * What is asked of the kernel for one container. The names are those of the OCI runtime specification 1.2,
 * in camel case as there, so that `config.json` for an OCI runtime is this value with little around it.
 */
export interface RuntimeSpec {
  readonly process: ProcessSpec;
  readonly root: {
    readonly mount: MountSpec;
    readonly readonly: boolean;
    /** Owners on disk are those inside the container's user namespace (`linux.uidMappings`), not the host's. */
    readonly isMapped?: boolean;
  };
  readonly hostname: string;
  readonly domainname: string;
  readonly mounts: readonly RuntimeMount[];
  readonly linux: {
    /**
     * A namespace with a path is joined, one without is made. One that is absent is the host's. The path of a user
     * namespace is that of a namespace which it owns.
     */
    readonly namespaces: readonly { readonly type: Namespace; readonly path?: string }[];
    readonly uidMappings: readonly IdMapping[];
    readonly gidMappings: readonly IdMapping[];
    readonly sysctl: Readonly<Record<string, string>>;
    readonly devices: readonly DeviceNode[];
    readonly resources: Resources;
    /** Below the engine's own parent group: `<id>`. With a leading slash from the top of every hierarchy: `/other/<id>`. */
    readonly cgroupsPath: string;
    readonly maskedPaths: readonly string[];
    readonly readonlyPaths: readonly string[];
    /** The profile, resolved for this container's capabilities; absent means unconfined. */
    readonly seccomp?: SeccompProfile;
    readonly rootfsPropagation: "private" | "rslave" | "rshared";
    /** Privileged containers see cgroups and /sys writable. */
    readonly cgroupWritable: boolean;
  };
  readonly annotations: Readonly<Record<string, string>>;
  /** Programs of the host's, to be run at points of the container's life. */
  readonly hooks?: readonly RuntimeHook[];
}

/** Source: OCI runtime specification 1.2, config.md, "POSIX-platform Hooks". */
export interface RuntimeHook {
  readonly name:
    | "prestart"
    | "createRuntime"
    | "createContainer"
    | "startContainer"
    | "poststart"
    | "poststop";
  readonly path: string;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly timeoutSeconds?: number;
}

export interface ProcessSpec {
  readonly terminal: boolean;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  /** As the user wrote it: `name`, `uid`, `name:group`, …; empty for root. Resolved inside the container. */
  readonly user: string;
  readonly additionalGroups: readonly string[];
  readonly capabilities: readonly Capability[];
  readonly rlimits: readonly {
    readonly type: string;
    readonly soft: bigint;
    readonly hard: bigint;
    /** Of the engine and not of the user: where this host allows less, less it is. */
    readonly isDefault?: boolean;
  }[];
  readonly noNewPrivileges: boolean;
  readonly apparmorProfile?: string;
  readonly oomScoreAdj: number;
  readonly seccomp?: SeccompProfile;
  /** Run the launcher as pid 1, reaping and forwarding signals (`--init`). */
  readonly init: boolean;
}

export interface RuntimeMount {
  readonly destination: string;
  readonly type: "bind" | "image" | "tmpfs" | "proc" | "sysfs" | "devpts" | "mqueue" | "cgroup" | string;
  readonly source: string;
  /** As in fstab and the OCI specification: `ro`, `nosuid`, `rbind`, `rprivate`, `rro`, `size=64m`, … */
  readonly options: readonly string[];
  /** Of a bind or an image: this file or folder in it. It never leads outside, whatever the links in it say. */
  readonly subpath?: string;
  /** Of a bind or an image: `containerId` are owners on disk, `hostId` what they look like through the mount. */
  readonly uidMappings?: readonly IdMapping[];
  readonly gidMappings?: readonly IdMapping[];
  /** Of an image: how its tree is mounted. */
  readonly tree?: MountSpec;
}

export interface IdMapping {
  readonly containerId: number;
  readonly hostId: number;
  readonly size: number;
}

export interface DeviceNode {
  readonly path: string;
  readonly type: "c" | "b" | "p";
  readonly major: number;
  readonly minor: number;
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface DeviceRule {
  readonly allow: boolean;
  readonly type: "a" | "b" | "c";
  /** Absent means any. */
  readonly major?: number;
  readonly minor?: number;
  /** Of `rwm`. */
  readonly access: string;
}

/** Absent means unlimited, the kernel's default. Sizes in bytes, times in microseconds. */
export interface Resources {
  readonly memoryBytes?: number;
  /** Memory and swap together; -1 for no limit. */
  readonly memorySwapBytes?: number;
  readonly memoryReservationBytes?: number;
  readonly memorySwappiness?: number;
  readonly oomKillDisable?: boolean;
  readonly cpuShares?: number;
  readonly cpuQuotaMicroseconds?: number;
  readonly cpuPeriodMicroseconds?: number;
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
  readonly pidsLimit?: number;
  readonly blkioWeight?: number;
  readonly blkioDevices?: readonly BlkioDevice[];
  readonly devices: readonly DeviceRule[];
}

export interface BlkioDevice {
  readonly major: number;
  readonly minor: number;
  readonly kind: "weight" | "read-bps" | "write-bps" | "read-iops" | "write-iops";
  readonly value: number;
}

/** The subset of Docker's seccomp profile format that is left once includes and excludes are resolved. */
export interface SeccompProfile {
  readonly defaultAction: string;
  readonly defaultErrno: number;
  /** Calling conventions besides the native one, `SCMP_ARCH_X86` and the like; absent means all of this machine. */
  readonly architectures?: readonly string[];
  /** `SECCOMP_FILTER_FLAG_LOG` and the like. */
  readonly flags?: readonly string[];
  readonly syscalls: readonly {
    readonly names: readonly string[];
    readonly action: string;
    readonly errno?: number;
    readonly args: readonly {
      readonly index: number;
      readonly value: bigint;
      readonly valueTwo: bigint;
      readonly op: string;
    }[];
  }[];
}

/** What the launcher does on the host around the container, besides the specification. */
export interface HostSide {
  readonly links: readonly NetlinkStep[];
  readonly ports: readonly {
    readonly family: 4 | 6;
    readonly protocol: "tcp" | "udp" | "sctp";
    readonly address: string;
    readonly port: number;
  }[];
}
