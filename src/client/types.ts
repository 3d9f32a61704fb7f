import type { PortMap } from "./bodies.ts";

/** The shapes of the Docker Engine API that this client reads; absent fields are absent or null on the wire. */

export type Labels = Readonly<Record<string, string>>;

export interface Created {
  readonly Id: string;
  readonly Warnings?: readonly string[] | null;
}

export interface PortSummary {
  readonly IP?: string;
  readonly PrivatePort: number;
  readonly PublicPort?: number;
  readonly Type: string;
}

export interface ContainerSummary {
  readonly Id: string;
  readonly Names?: readonly string[] | null;
  readonly Image: string;
  readonly ImageID: string;
  readonly Command: string;
  /** Seconds since 1970. */
  readonly Created: number;
  readonly State: string;
  readonly Status: string;
  readonly Ports?: readonly PortSummary[] | null;
  readonly SizeRw?: number;
  readonly SizeRootFs?: number;
  readonly Labels?: Labels | null;
  readonly NetworkSettings?: { readonly Networks?: Readonly<Record<string, unknown>> | null } | null;
  readonly Mounts?:
    | readonly {
        readonly Type?: string;
        readonly Name?: string;
        readonly Source?: string;
        readonly Driver?: string;
      }[]
    | null;
}

export interface ContainerDetails {
  readonly Id: string;
  readonly Name: string;
  readonly State: {
    readonly Status: string;
    readonly Running: boolean;
    readonly Paused?: boolean;
    readonly Restarting?: boolean;
    readonly ExitCode: number;
    readonly Error?: string;
  };
  readonly Config: { readonly Tty?: boolean; readonly OpenStdin?: boolean; readonly StdinOnce?: boolean };
  readonly HostConfig?: { readonly AutoRemove?: boolean };
  readonly NetworkSettings?: { readonly Ports?: PortMap | null };
}

export interface WaitReply {
  readonly StatusCode: number;
  readonly Error?: { readonly Message?: string } | null;
}

export interface TopReply {
  readonly Titles: readonly string[];
  readonly Processes: readonly (readonly string[])[];
}

export interface Change {
  /** 0 changed, 1 added, 2 deleted */
  readonly Kind: number;
  readonly Path: string;
}

export interface ImageSummary {
  readonly Id: string;
  readonly RepoTags?: readonly string[] | null;
  readonly RepoDigests?: readonly string[] | null;
  /** Seconds since 1970. */
  readonly Created: number;
  readonly Size: number;
  readonly SharedSize?: number;
  readonly Containers?: number;
  readonly Labels?: Labels | null;
  /** What it holds for which platform, where that was asked for and the daemon's store knows. */
  readonly Manifests?: readonly ImageManifest[] | null;
}

/** Sizes in bytes. */
export interface ImageManifest {
  readonly ID: string;
  readonly Kind: string;
  readonly Size?: { readonly Total?: number; readonly Content?: number };
  readonly ImageData?: {
    readonly Platform?: { readonly os?: string; readonly architecture?: string; readonly variant?: string };
    readonly Containers?: readonly string[] | null;
  };
}

export interface HistoryEntry {
  readonly Id: string;
  /** Seconds since 1970. */
  readonly Created: number;
  readonly CreatedBy: string;
  readonly Tags?: readonly string[] | null;
  readonly Size: number;
  readonly Comment: string;
}

export interface RemovedImage {
  readonly Untagged?: string;
  readonly Deleted?: string;
}

/** One line of a pull. */
export interface PullProgress {
  readonly status?: string;
  /** Printed as it is. */
  readonly stream?: string;
  readonly id?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number } | null;
  readonly error?: string;
  readonly errorDetail?: { readonly message?: string };
}

export interface VersionReply {
  readonly Platform?: { readonly Name?: string };
  readonly Components?:
    | readonly {
        readonly Name: string;
        readonly Version: string;
        readonly Details?: Readonly<Record<string, string>> | null;
      }[]
    | null;
  readonly Version: string;
  readonly ApiVersion?: string;
  readonly MinAPIVersion?: string;
  readonly GitCommit?: string;
  readonly GoVersion?: string;
  readonly Os?: string;
  readonly Arch?: string;
  readonly KernelVersion?: string;
  readonly BuildTime?: string;
  readonly Experimental?: boolean;
}

export interface EventMessage {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes?: Readonly<Record<string, string>> | null };
  readonly scope?: string;
  readonly time: number;
  readonly timeNano: number;
}

export interface VolumeDetails {
  readonly Name: string;
  readonly Driver: string;
  readonly Mountpoint: string;
  readonly Scope?: string;
  readonly Labels?: Labels | null;
}

export interface VolumeSnapshot {
  readonly Name: string;
  readonly CreatedAt: string;
}

export interface NetworkSummary {
  readonly Id: string;
  readonly Name: string;
  readonly Driver: string;
  readonly Scope: string;
  readonly EnableIPv4?: boolean;
  readonly EnableIPv6?: boolean;
  readonly Internal?: boolean;
  readonly Created?: string;
  readonly Labels?: Labels | null;
}

interface CpuSample {
  readonly cpu_usage?: { readonly total_usage?: number; readonly percpu_usage?: readonly number[] | null };
  readonly system_cpu_usage?: number;
  readonly online_cpus?: number;
}

export interface StatsSample {
  readonly id?: string;
  readonly name?: string;
  readonly cpu_stats?: CpuSample;
  readonly precpu_stats?: CpuSample;
  readonly memory_stats?: {
    readonly usage?: number;
    readonly limit?: number;
    readonly stats?: Readonly<Record<string, number>>;
  };
  readonly networks?: Readonly<
    Record<string, { readonly rx_bytes?: number; readonly tx_bytes?: number }>
  > | null;
  readonly blkio_stats?: {
    readonly io_service_bytes_recursive?: readonly { readonly op: string; readonly value: number }[] | null;
  };
  readonly pids_stats?: { readonly current?: number };
}

export interface ExecBody {
  readonly User?: string;
  readonly Privileged?: boolean;
  readonly Tty?: boolean;
  readonly ConsoleSize?: [number, number];
  readonly AttachStdin?: boolean;
  readonly AttachStdout?: boolean;
  readonly AttachStderr?: boolean;
  readonly DetachKeys?: string;
  readonly Env?: readonly string[];
  readonly WorkingDir?: string;
  readonly Cmd: readonly string[];
}

/** Filters by key, each with its wanted values. */
export type Filters = Readonly<Record<string, readonly string[]>>;
