import { type Containers, HealthChecks, Monitor } from "#container";
import type { Engine, EventBus } from "#engine";
import type { ExecDriver, RunningContainer } from "#exec";
import type { Graph } from "#graph";
import type { GraphDB } from "#graphdb";
import type { Networks } from "#network";
import type { Plugins } from "#plugin";
import type { OpenRegistry, RegistryProxies } from "#registry";
import type { Volumes } from "#volume";
import { announcer } from "./container/announce.ts";
import { Attachments } from "./container/attachments.ts";
import type { StorageDefaults } from "./container/size-limit.ts";
import type { ProcessDefaults } from "./container/spec-process.ts";
import type { UserNamespace } from "./container/user-namespace.ts";
import { Execs } from "./exec/store.ts";
import type { GarbageSettings } from "./system/gc-policy.ts";

/** What the daemon was told to be like, as far as containers notice. */
export interface EngineSettings {
  readonly dataRoot: string;
  readonly version: string;
  readonly stopTimeoutSeconds: number;
  readonly debug: boolean;
  /** Containers go on when the daemon stops. */
  readonly liveRestore: boolean;
  /** How long the daemon waits for containers that are to stop with it; -1 is for ever. */
  readonly shutdownTimeoutSeconds: number;
  readonly labels: readonly string[];
  readonly networkDrivers: readonly string[];
  /** OCI runtimes besides the engine's own, by name. */
  readonly runtimes: Readonly<Record<string, { readonly path: string; readonly args: readonly string[] }>>;
  readonly defaultRuntime: string;
  readonly registryMirrors: readonly string[];
  readonly insecureRegistries: readonly string[];
  /** Each with a folder a registry that holds its certificates. */
  readonly certificateFolders: readonly string[];
  /** `builtin`, `unconfined`, or the file of the profile of containers that ask for none. */
  readonly seccompProfile: string;
  readonly isExperimental: boolean;
  /** Who decides over every request. */
  readonly authorizationPlugins: readonly string[];
  /** How often a request to a registry is made before it is given up. */
  readonly downloadAttempts: number;
  /** So many blobs of one image are pushed at the same time. */
  readonly concurrentUploads: number;
  /** By which registries are reached. */
  readonly proxies: RegistryProxies;
  /** Where vendors describe devices; undefined where CDI is switched off. */
  readonly cdiDirectories?: readonly string[] | undefined;
  /** Of containers that do not ask for the host's; absent: they all have that. */
  readonly userNamespace?: UserNamespace | undefined;
  /** Without it garbage is collected when somebody asks. */
  readonly garbage?: GarbageSettings | undefined;
  readonly addressPools: readonly { readonly base: string; readonly size: number }[];
  /** What containers get that ask for nothing else. */
  readonly defaults: ContainerDefaults;
  /** Storage drivers that would have come before the one in use: a title and the reason of each. */
  readonly passedOver?: readonly (readonly [string, string])[];
  /** What was found missing on this host at start, and what that costs. */
  readonly warnings: readonly string[];
}

/** Sizes in bytes. */
export interface ContainerDefaults extends Pick<ProcessDefaults, "initPath" | "seccomp" | "ulimits"> {
  readonly cgroupnsMode: "host" | "private";
  readonly ipcMode: "private" | "shareable";
  readonly shmSizeBytes: number;
  readonly storage?: StorageDefaults;
  readonly noNewPrivileges: boolean;
  readonly init: boolean;
  readonly log: { readonly type: string; readonly options: Readonly<Record<string, string>> };
  readonly dns: readonly string[];
  readonly dnsSearch: readonly string[];
  readonly dnsOptions: readonly string[];
}

/** The rooms that jobs bring together, opened by the daemon. */
export interface Rooms extends ContainerRooms {
  readonly engine: Pick<Engine, "list" | "cancel">;
  readonly events: EventBus;
  readonly graph: Graph;
  /** For whoever looks whether what is written down can be. */
  readonly database: Pick<GraphDB, "examine" | "takeOut" | "edges">;
  readonly networks: Networks;
  readonly volumes: Volumes;
  readonly plugins: Pick<Plugins, "names" | "require">;
  readonly exec: ExecDriver;
  readonly openRegistry: OpenRegistry;
  readonly settings: EngineSettings;
  /** Told of what went wrong when there is no caller to throw at. */
  readonly complain: (sentence: string, cause: unknown) => void;
}

export interface ContainerRooms {
  readonly containers: Containers;
  readonly monitor: Monitor<RunningContainer>;
  readonly health: HealthChecks;
  readonly attachments: Attachments;
  readonly execs: Execs;
}

/** What belongs to containers and lives as long as the daemon does. */
export function openContainerRooms(
  containers: Containers,
  { events, complain }: Pick<Rooms, "events" | "complain">,
): ContainerRooms {
  return {
    containers,
    monitor: new Monitor<RunningContainer>({ containers, announce: announcer(events), complain }),
    health: new HealthChecks({ containers, announce: announcer(events), complain }),
    attachments: new Attachments(),
    execs: new Execs(),
  };
}
