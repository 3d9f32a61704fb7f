import type { Socket } from "node:net";
import type { HostSide, LogSink, ProcessSpec, Resources, RuntimeSpec } from "#libcontainer";

export type Verdict = { readonly usable: true } | { readonly usable: false; readonly reason: string };

/** One container to be launched. */
export interface LaunchRequest {
  readonly id: string;
  /** One of those that the settings name; absent: the engine's own. */
  readonly runtime?: string;
  readonly spec: RuntimeSpec;
  readonly host: HostSide;
  readonly stdio: StdioSpec;
  readonly signal?: AbortSignal;
}

export interface StdioSpec {
  readonly terminal: boolean;
  /** Keep the standard input open for attaching clients. */
  readonly openStdin: boolean;
  /** Close it for good once the first attached client has gone. */
  readonly stdinOnce: boolean;
  readonly consoleSize?: { readonly rows: number; readonly columns: number };
  /** Absent: nothing is logged. */
  readonly log?: readonly LogSink[];
}

/** How a process ended. `code` is what `wait` reports: the status, or 128 + the signal. Time in nanoseconds since the epoch. */
export interface ExitRecord {
  readonly code: number;
  readonly signal?: number;
  readonly outOfMemory: boolean;
  readonly time: bigint;
}

/**
 * Set up, its first process waiting before exec. Its namespaces exist: `/proc/<pid>/ns/net`.
 * Disposing it undoes everything; `start` moves it on, after which disposing does nothing.
 */
export interface Prepared extends AsyncDisposable {
  readonly pid: number;
  /** An attach stream opened now misses no byte. */
  attach(streams: AttachStreams): Promise<Socket>;
  /** Throws a Fault with Docker's words ("executable file not found in $PATH", "permission denied", …) if the exec fails. */
  start(): Promise<RunningContainer>;
}

/** Which streams an attached client wants. Output is framed as Docker frames it unless there is a terminal. */
export interface AttachStreams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

export interface RunningContainer {
  readonly id: string;
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: a pid is believed only together with it. */
  readonly startTicks: string;
  /** Settles once the output has been drained (two seconds at most) and the exit recorded. Never rejects. */
  readonly exited: Promise<ExitRecord>;
  /** Signals the first process. Throws `conflict` when it has ended. */
  signal(number: number): Promise<void>;
  /** Signals every process of the container, for a container without a pid namespace of its own. */
  signalAll(number: number): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  isPaused(): Promise<boolean>;
  resize(size: { readonly rows: number; readonly columns: number }): Promise<void>;
  /** A duplex, half-closable stream: its end of writing is the end of the container's standard input. */
  attach(streams: AttachStreams): Promise<Socket>;
  exec(request: ExecRequest): Promise<PreparedExec>;
  statistics(): Promise<Statistics>;
  /** Pids as the host sees them. */
  processes(): Promise<readonly number[]>;
  update(resources: Resources): Promise<void>;
}

export interface ExecRequest {
  readonly execId: string;
  readonly process: ProcessSpec;
  readonly stdin: boolean;
  readonly privileged: boolean;
  readonly consoleSize?: { readonly rows: number; readonly columns: number };
  /** Whatever its first process has left behind ends with it, also where that has left its session. */
  readonly endsWhole?: boolean;
  /** Until it waits before exec. */
  readonly signal?: AbortSignal;
}

/** Waiting before exec, as Prepared is. */
export interface PreparedExec extends AsyncDisposable {
  /** 0 until it is started, where an OCI runtime makes the process. */
  readonly pid: number;
  attach(streams: AttachStreams): Promise<Socket>;
  /** Throws a Fault with Docker's words when the program cannot be run. */
  start(): Promise<RunningExec>;
}

export interface RunningExec {
  readonly pid: number;
  readonly exited: Promise<ExitRecord>;
  resize(size: { readonly rows: number; readonly columns: number }): Promise<void>;
  signal(number: number): Promise<void>;
}

/** What the groups measured; absent where the kernel keeps no such count. Times in nanoseconds, sizes in bytes. */
export interface Statistics {
  readonly readAt: bigint;
  readonly cpuTotal: bigint;
  readonly cpuUser: bigint;
  readonly cpuSystem: bigint;
  readonly perCpu: readonly bigint[];
  readonly throttling: {
    readonly periods: number;
    readonly throttledPeriods: number;
    readonly throttledTime: bigint;
  };
  /** Of the whole host, from /proc/stat. */
  readonly systemCpu: bigint;
  readonly onlineCpus: number;
  readonly memoryUsage?: number;
  readonly memoryMaxUsage?: number;
  readonly memoryFailures?: number;
  readonly memoryLimit?: number;
  readonly memory: Readonly<Record<string, number>>;
  readonly pidsCurrent?: number;
  readonly pidsLimit?: number;
  readonly blkio: readonly {
    readonly major: number;
    readonly minor: number;
    readonly op: string;
    readonly bytes: number;
    readonly operations: number;
  }[];
  /** Per interface inside the container's network namespace. */
  readonly networks: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** What a new daemon finds of a container that an earlier one launched. */
export type Found =
  | { readonly state: "running"; readonly container: RunningContainer }
  | { readonly state: "ended"; readonly exit: ExitRecord }
  /** No supervisor and no exit record: killed, or the host has rebooted. */
  | { readonly state: "lost" };

export interface ExecDriver {
  readonly name: string;
  prepare(request: LaunchRequest): Promise<Prepared>;
  find(id: string): Promise<Found>;
  /** Forgets the run-time files of an ended container. */
  forget(id: string): Promise<void>;
  /** Ends supervisors, and removes groups and files, of containers that are not among `known`. Returns what it removed. */
  sweep(known: ReadonlySet<string>): Promise<readonly string[]>;
}

export interface ExecDriverOptions {
  /** `<exec-root>`: on tmpfs, for sockets, pids and exit records. */
  readonly stateDirectory: string;
  /** The group below which containers get theirs, without a leading slash: `bunker`. */
  readonly cgroupParent: string;
}

export interface ExecDriverKind {
  readonly name: string;
  probe(options: ExecDriverOptions): Promise<Verdict>;
  open(options: ExecDriverOptions): Promise<ExecDriver>;
}
