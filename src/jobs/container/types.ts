import type { Socket } from "node:net";
import type { Container, ContainerSpec, ResourceSpec, RestartPolicy } from "#container";
import type { Statistics } from "#exec";
import type { Change } from "#graph";
import type { Endpoint, PublishedPort } from "#network";
import type { Filters, Ref } from "../shapes.ts";

/** A container and what only the kernel, the network and the graph can say of it now. */
export interface ContainerView {
  readonly container: Container;
  /** How the image is named today: a tag, or its id. */
  readonly imageName: string;
  readonly endpoints: readonly Endpoint[];
  readonly ports: readonly PublishedPort[];
  /** Of a container that does not run but did: its networks' names, with the id of each that is still there. */
  readonly networkIds?: Readonly<Record<string, string>>;
  readonly execIds: readonly string[];
  /** `/target:/source/alias` of each link it has. */
  readonly links?: readonly string[];
  /** `/parent/alias` of each link to it. */
  readonly linkedNames?: readonly string[];
  /** Of the graph driver, for inspect. */
  readonly graphData?: Readonly<Record<string, string>>;
  /** Bytes; when they were asked for. */
  readonly sizeRw?: number;
  readonly sizeRootFs?: number;
  readonly files?: { readonly hosts: string; readonly hostname: string; readonly resolvConf: string };
  /** For inspect; empty where the kernel has no AppArmor. */
  readonly appArmorProfile?: string;
}

/** What is at a path of a container. `mode` as in st_mode, `modified` RFC 3339. */
export interface PathLook {
  readonly name: string;
  readonly size: number;
  readonly mode: number;
  readonly modified: string;
  /** Of a link: the path that it leads to. */
  readonly target: string;
}

/** What an image and a container both settle. */
export type ImageSettings = Pick<
  ContainerSpec,
  | "entrypoint"
  | "command"
  | "env"
  | "user"
  | "workingDirectory"
  | "labels"
  | "exposedPorts"
  | "volumes"
  | "stopSignal"
  | "healthcheck"
>;

export type ContainerJobs = {
  /** Paths are the container's; one that ends with `/` or `/.` can only be a directory. */
  readonly "container.archive-stat": {
    readonly input: Ref & { readonly path: string };
    readonly output: PathLook;
  };
  /** A folder with everything below it, or a file, as a tar archive. */
  readonly "container.archive-get": {
    readonly input: Ref & { readonly path: string };
    readonly output: { readonly stat: PathLook; readonly bytes: AsyncIterable<Uint8Array> };
  };
  /**
   * Reads the archive from its input stream. `keepsKinds`: nothing but a directory replaces a directory, and the other
   * way round. `copiesOwner`: everything belongs to the container's user, if it names one.
   */
  readonly "container.archive-put": {
    readonly input: Ref & {
      readonly path: string;
      readonly keepsKinds: boolean;
      readonly copiesOwner: boolean;
    };
    readonly output: Record<string, never>;
  };
  /** The root without what is mounted in it, as a tar archive. */
  readonly "container.export": { readonly input: Ref; readonly output: AsyncIterable<Uint8Array> };
  /** `pause`: a running container stands still meanwhile. `settings` go before the container's own. Dockerfile instructions in `changes`. */
  readonly "container.commit": {
    readonly input: Ref & {
      readonly repository: string;
      readonly tag: string;
      readonly comment: string;
      readonly author: string;
      readonly pause: boolean;
      readonly settings: ImageSettings;
      readonly changes: string[];
    };
    readonly output: { readonly id: string };
  };
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
      /** In the client's form already: framed unless there is a terminal. */
      readonly backlog?: AsyncIterable<Uint8Array>;
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
      readonly timestamps: boolean;
      readonly details: boolean;
    };
    /** Many messages in a piece, in the client's form already: framed unless there is a terminal. */
    readonly output: { readonly tty: boolean; readonly pieces: AsyncIterable<Uint8Array> };
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
};
