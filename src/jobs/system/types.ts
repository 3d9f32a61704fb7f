import type { EngineEvent } from "#engine";
import type { Filters } from "../shapes.ts";

/** Facts, each measured or read when asked. */
export interface SystemInfo {
  readonly id: string;
  readonly name: string;
  readonly containers: { readonly running: number; readonly paused: number; readonly stopped: number };
  readonly images: number;
  readonly driver: string;
  readonly driverStatus: readonly (readonly [string, string])[];
  readonly dataRoot: string;
  /** By name: where the program is, and the words before its commands'. */
  readonly runtimes: Readonly<Record<string, { readonly path: string; readonly args: readonly string[] }>>;
  readonly defaultRuntime: string;
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
  readonly eventListeners: number;
  readonly liveRestore: boolean;
  /** Folders of vendors' CDI files, and the full names of the devices in them. */
  readonly cdi: { readonly directories: readonly string[]; readonly devices: readonly string[] };
  readonly authorizationPlugins: readonly string[];
  /** Empty: the launcher. */
  readonly initBinary: string;
  readonly isExperimental: boolean;
  /** By which registries are reached, without the passwords in them. Empty: none. */
  readonly proxies: { readonly http: string; readonly https: string; readonly none: string };
  readonly defaultAddressPools: readonly { readonly base: string; readonly size: number }[];
  /** What is missing on this host and what that costs. */
  readonly warnings: readonly string[];
  readonly systemTime: string;
  readonly version: string;
}

/** `broken` needs somebody, `mended` was put right, `note` is no harm. */
export interface DoctorFinding {
  readonly subject: string;
  readonly verdict: "broken" | "mended" | "note";
  readonly sentence: string;
  /** What to do, or what was done. */
  readonly remedy: string;
}

/** Bytes of the blobs that were looked at. */
export interface DoctorReport {
  readonly checked: {
    readonly blobs: number;
    readonly layers: number;
    readonly images: number;
    readonly containers: number;
    readonly volumes: number;
    readonly bytes: number;
  };
  readonly findings: readonly DoctorFinding[];
}

/** Something that nobody needs, and why. `bytes`: of what goes with it and with nothing else. */
export interface GarbageItem {
  readonly kind: "image" | "blob" | "download" | "side file";
  readonly name: string;
  readonly bytes: number;
  readonly reason: string;
}

export type SystemJobs = {
  /**
   * Frees what nobody needs: files of the content store that no record speaks of, images without a name, and with `all`
   * named ones as well, least recently used first; never what a container is made of. `keepSeconds`: images used since
   * then stay. `goalBytes`: no more named images than that takes. `isDry` only tells.
   */
  readonly "system.gc": {
    readonly input: {
      readonly isDry: boolean;
      readonly all: boolean;
      readonly keepSeconds: number;
      readonly goalBytes?: number;
    };
    readonly output: { readonly items: readonly GarbageItem[]; readonly bytes: number };
  };
  /**
   * Looks whether the store is whole. `isQuick`: without reading blobs and trees. `repairs`: mends what can be mended,
   * pulls again what registries have, and takes the rest out of the way; credentials come in the environment, as for
   * "image.pull".
   */
  readonly "system.doctor": {
    readonly input: { readonly isQuick: boolean; readonly repairs: boolean };
    readonly output: DoctorReport;
  };
  /** Credentials come in the environment, as for "image.pull". `server` is empty for Docker Hub. */
  readonly "system.login": {
    readonly input: { readonly server: string };
    readonly output: { readonly identityToken?: string };
  };
  readonly "system.info": { readonly input: Record<string, never>; readonly output: SystemInfo };
  readonly "system.events": {
    readonly input: { readonly since?: bigint; readonly until?: bigint; readonly filters: Filters };
    readonly output: AsyncIterable<EngineEvent>;
  };
};
