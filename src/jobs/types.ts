import type { Socket } from "node:net";
import type { Container, ContainerSpec, MountPoint, ResourceSpec, RestartPolicy } from "#container";
import type { EngineEvent, JobRecord } from "#engine";
import type { ExitRecord, Statistics } from "#exec";
import type { Change, Image } from "#graph";
import type { Endpoint, Network, PublishedPort } from "#network";
import type { Digest, ImageConfig } from "#oci";
import type { Volume } from "#volume";

/** A container and what only the kernel, the network and the graph can say of it now. */
export interface ContainerView {
  readonly container: Container;
  /** How the image is named today: a tag, or its id. */
  readonly imageName: string;
  readonly endpoints: readonly Endpoint[];
  readonly ports: readonly PublishedPort[];
  readonly execIds: readonly string[];
  /** Of the graph driver, for inspect. */
  readonly graphData?: Readonly<Record<string, string>>;
  /** Bytes; when they were asked for. */
  readonly sizeRw?: number;
  readonly sizeRootFs?: number;
  readonly files?: { readonly hosts: string; readonly hostname: string; readonly resolvConf: string };
  /** For inspect; empty where the kernel has no AppArmor. */
  readonly appArmorProfile?: string;
}

export interface ExecView {
  readonly id: string;
  readonly containerId: string;
  readonly spec: ExecSpec;
  readonly isRunning: boolean;
  /** Null until it has ended. */
  readonly exitCode: number | null;
  readonly pid: number;
  readonly canRemove: boolean;
}

export interface ExecSpec {
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly user: string;
  readonly workingDirectory: string;
  readonly tty: boolean;
  readonly privileged: boolean;
  readonly attachStdin: boolean;
  readonly attachStdout: boolean;
  readonly attachStderr: boolean;
  readonly detachKeys: string;
  readonly consoleSize?: { readonly rows: number; readonly columns: number };
}

/** One message of a log. `time` in nanoseconds since the epoch; `bytes` with its newline, if it had one. */
export interface LogLine {
  readonly stream: "stdout" | "stderr";
  readonly time: bigint;
  readonly bytes: Uint8Array;
  readonly attributes: Readonly<Record<string, string>>;
}

/** Docker's filters: key → values. Values of one key are alternatives, keys must all hold; labels must all hold. */
export type Filters = Readonly<Record<string, readonly string[]>>;

export interface ImageView extends Image {
  readonly containers: number;
}

export interface HistoryEntry {
  readonly id: string;
  readonly created: string;
  readonly createdBy: string;
  readonly size: number;
  readonly comment: string;
  readonly tags: readonly string[];
}

/** Facts, each measured or read when asked. */
export interface SystemInfo {
  readonly id: string;
  readonly name: string;
  readonly containers: { readonly running: number; readonly paused: number; readonly stopped: number };
  readonly images: number;
  readonly driver: string;
  readonly driverStatus: readonly (readonly [string, string])[];
  readonly dataRoot: string;
  readonly execDrivers: readonly string[];
  readonly networkDrivers: readonly string[];
  readonly volumeDrivers: readonly string[];
  readonly logDrivers: readonly string[];
  /** Of containers that name none. */
  readonly logDriver: string;
  readonly cgroupVersion: "1" | "2";
  readonly cgroupDriver: string;
  readonly cgroupControllers: readonly string[];
  /** Whether swap is counted and can be limited. */
  readonly swapLimit: boolean;
  readonly kernelVersion: string;
  readonly operatingSystem: string;
  readonly architecture: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly securityOptions: readonly string[];
  readonly ipForward: boolean;
  readonly bridgeNfIptables: boolean;
  readonly bridgeNfIp6tables: boolean;
  readonly registry: { readonly mirrors: readonly string[]; readonly insecure: readonly string[] };
  readonly labels: readonly string[];
  readonly debug: boolean;
  readonly descriptors: number;
  readonly jobs: number;
  readonly eventListeners: number;
  readonly liveRestore: boolean;
  readonly defaultAddressPools: readonly { readonly base: string; readonly size: number }[];
  /** What is missing on this host and what that costs. */
  readonly warnings: readonly string[];
  readonly systemTime: string;
  readonly version: string;
}

type Ref = { readonly ref: string };

/**
 * Every verb bunker knows: name → what goes in, what comes out. `ref` is an id, a name or a unique prefix.
 * A result of `changed: false` is Docker's 304. Duplex results are unix sockets of the supervisor: bytes
 * pass through untouched (framed as Docker frames them unless there is a terminal), half-close is the end of stdin.
 */
export type Jobs = {
  readonly "container.create": {
    readonly input: { readonly name?: string; readonly spec: ContainerSpec };
    readonly output: { readonly id: string; readonly warnings: readonly string[] };
  };
  readonly "container.list": {
    readonly input: {
      readonly all: boolean;
      readonly limit: number;
      readonly size: boolean;
      readonly filters: Filters;
    };
    readonly output: readonly ContainerView[];
  };
  readonly "container.inspect": {
    readonly input: Ref & { readonly size: boolean };
    readonly output: ContainerView;
  };
  readonly "container.start": { readonly input: Ref; readonly output: { readonly changed: boolean } };
  /** Seconds: -1 waits for ever; absent is the container's own, else the daemon's. */
  readonly "container.stop": {
    readonly input: Ref & { readonly timeoutSeconds?: number; readonly signal?: string };
    readonly output: { readonly changed: boolean };
  };
  readonly "container.restart": {
    readonly input: Ref & { readonly timeoutSeconds?: number; readonly signal?: string };
    readonly output: Record<string, never>;
  };
  readonly "container.kill": {
    readonly input: Ref & { readonly signal: string };
    readonly output: Record<string, never>;
  };
  readonly "container.remove": {
    readonly input: Ref & { readonly force: boolean; readonly volumes: boolean; readonly link: boolean };
    readonly output: Record<string, never>;
  };
  readonly "container.pause": { readonly input: Ref; readonly output: Record<string, never> };
  readonly "container.unpause": { readonly input: Ref; readonly output: Record<string, never> };
  readonly "container.rename": {
    readonly input: Ref & { readonly name: string };
    readonly output: Record<string, never>;
  };
  readonly "container.update": {
    readonly input: Ref & { readonly resources: ResourceSpec; readonly restartPolicy?: RestartPolicy };
    readonly output: { readonly warnings: readonly string[] };
  };
  readonly "container.resize": {
    readonly input: Ref & { readonly rows: number; readonly columns: number };
    readonly output: Record<string, never>;
  };
  /**
   * `armed` settles at once when the wait is in place (the reply's header may go out then); `result` when it is over.
   */
  readonly "container.wait": {
    readonly input: Ref & { readonly condition: "not-running" | "next-exit" | "removed" };
    readonly output: {
      readonly result: Promise<{ readonly code: number; readonly error?: string }>;
      /** For a client that has gone: nobody wants the result any more. */
      cancel(): void;
    };
  };
  /**
   * Attaches to a container, also to one that was only created: `open` settles when it runs, and misses no byte.
   * With `logs`, `backlog` holds what was logged before.
   */
  readonly "container.attach": {
    readonly input: Ref & {
      readonly stdin: boolean;
      readonly stdout: boolean;
      readonly stderr: boolean;
      readonly stream: boolean;
      readonly logs: boolean;
      readonly detachKeys: string;
    };
    readonly output: {
      readonly tty: boolean;
      readonly backlog?: AsyncIterable<LogLine>;
      readonly open: Promise<Socket>;
      /** For a client that has gone before it was connected. */
      cancel(): void;
    };
  };
  readonly "container.logs": {
    readonly input: Ref & {
      readonly follow: boolean;
      readonly stdout: boolean;
      readonly stderr: boolean;
      /** Nanoseconds since the epoch. */
      readonly since?: bigint;
      readonly until?: bigint;
      /** Absent: all. */
      readonly tail?: number;
    };
    readonly output: { readonly tty: boolean; readonly lines: AsyncIterable<LogLine> };
  };
  readonly "container.top": {
    readonly input: Ref & { readonly psArgs: readonly string[] };
    readonly output: {
      readonly titles: readonly string[];
      readonly processes: readonly (readonly string[])[];
    };
  };
  /** One sample a second while `stream`; with `oneShot` a first sample without waiting for a second. */
  readonly "container.stats": {
    readonly input: Ref & { readonly stream: boolean; readonly oneShot: boolean };
    readonly output: AsyncIterable<{
      readonly id: string;
      readonly name: string;
      readonly statistics?: Statistics;
      readonly previous?: Statistics;
    }>;
  };
  readonly "container.changes": { readonly input: Ref; readonly output: readonly Change[] };
  readonly "container.prune": {
    readonly input: { readonly filters: Filters };
    readonly output: { readonly deleted: readonly string[]; readonly reclaimedBytes: number };
  };

  readonly "exec.create": {
    readonly input: Ref & { readonly spec: ExecSpec };
    readonly output: { readonly id: string };
  };
  /** Without `attach` it runs by itself. */
  readonly "exec.start": {
    readonly input: {
      readonly id: string;
      readonly attach: boolean;
      readonly tty?: boolean;
      readonly consoleSize?: { readonly rows: number; readonly columns: number };
    };
    readonly output: {
      readonly tty: boolean;
      readonly stream?: Socket;
      /** Why an attached one could not be run, for the client's stream; `exited` then has its code. */
      readonly failure?: string;
      readonly exited: Promise<ExitRecord>;
    };
  };
  readonly "exec.inspect": { readonly input: { readonly id: string }; readonly output: ExecView };
  readonly "exec.resize": {
    readonly input: { readonly id: string; readonly rows: number; readonly columns: number };
    readonly output: Record<string, never>;
  };

  /** Credentials come in the environment: `REGISTRY_AUTH`, the JSON of X-Registry-Auth decoded. */
  readonly "image.pull": {
    readonly input: { readonly reference: string; readonly platform?: string; readonly allTags: boolean };
    readonly output: { readonly id: Digest; readonly digest: Digest; readonly changed: boolean };
  };
  readonly "image.list": {
    readonly input: { readonly all: boolean; readonly filters: Filters };
    readonly output: readonly ImageView[];
  };
  readonly "image.inspect": {
    readonly input: Ref;
    readonly output: ImageView & {
      readonly graphData: Readonly<Record<string, string>>;
      readonly driver: string;
    };
  };
  readonly "image.history": { readonly input: Ref; readonly output: readonly HistoryEntry[] };
  readonly "image.tag": {
    readonly input: Ref & { readonly repository: string; readonly tag: string };
    readonly output: Record<string, never>;
  };
  readonly "image.remove": {
    readonly input: Ref & { readonly force: boolean; readonly prune: boolean };
    readonly output: { readonly untagged: readonly string[]; readonly deleted: readonly string[] };
  };
  readonly "image.prune": {
    readonly input: { readonly filters: Filters };
    readonly output: {
      readonly untagged: readonly string[];
      readonly deleted: readonly string[];
      readonly reclaimedBytes: number;
    };
  };

  readonly "volume.list": {
    readonly input: { readonly filters: Filters };
    readonly output: readonly Volume[];
  };
  readonly "volume.create": {
    readonly input: {
      readonly name?: string;
      readonly driver?: string;
      readonly labels: Readonly<Record<string, string>>;
      readonly options: Readonly<Record<string, string>>;
    };
    readonly output: Volume;
  };
  readonly "volume.inspect": { readonly input: { readonly name: string }; readonly output: Volume };
  readonly "volume.remove": {
    readonly input: { readonly name: string; readonly force: boolean };
    readonly output: Record<string, never>;
  };

  readonly "network.list": {
    readonly input: { readonly filters: Filters };
    readonly output: readonly Network[];
  };
  readonly "network.inspect": {
    readonly input: Ref;
    readonly output: {
      readonly network: Network;
      readonly endpoints: readonly {
        readonly containerId: string;
        readonly name: string;
        readonly endpoint: Endpoint;
      }[];
    };
  };

  readonly "system.info": { readonly input: Record<string, never>; readonly output: SystemInfo };
  readonly "system.events": {
    readonly input: { readonly since?: bigint; readonly until?: bigint; readonly filters: Filters };
    readonly output: AsyncIterable<EngineEvent>;
  };
  readonly "job.list": { readonly input: Record<string, never>; readonly output: readonly JobRecord[] };
  readonly "job.cancel": { readonly input: { readonly id: string }; readonly output: Record<string, never> };
};

export type { Container, ContainerSpec, EngineEvent, ImageConfig, JobRecord, MountPoint };
