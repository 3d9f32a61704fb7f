import { API_VERSION, type Info, isAtLeast, MINIMUM_API_VERSION, type Version } from "#api";
import type { SystemInfo } from "#jobs";
import type { ServerFacts } from "../environment.ts";

/** GET /version. `GoVersion` names what this was built with, under the name the API has for it. */
export function toVersion(facts: ServerFacts): Version {
  const details = {
    ApiVersion: API_VERSION,
    Arch: facts.architecture,
    BuildTime: facts.buildTime,
    Experimental: String(facts.isExperimental ?? false),
    GitCommit: facts.gitCommit,
    GoVersion: `bun${Bun.version}`,
    KernelVersion: facts.kernelVersion,
    MinAPIVersion: facts.minimumApiVersion ?? MINIMUM_API_VERSION,
    Os: "linux",
  };
  return {
    Platform: { Name: "bunker" },
    Components: [{ Name: "Engine", Version: facts.version, Details: details }],
    Version: facts.version,
    ApiVersion: API_VERSION,
    MinAPIVersion: facts.minimumApiVersion ?? MINIMUM_API_VERSION,
    GitCommit: facts.gitCommit,
    GoVersion: details.GoVersion,
    Os: "linux",
    Arch: facts.architecture,
    KernelVersion: facts.kernelVersion,
    BuildTime: facts.buildTime,
  };
}

const NO_SWARM: Info["Swarm"] = {
  NodeID: "",
  NodeAddr: "",
  LocalNodeState: "inactive",
  ControlAvailable: false,
  Error: "",
  RemoteManagers: null,
};

/** GET /info. */
export function toInfo(info: SystemInfo, version: string): Info {
  const { containers } = info;
  return {
    ID: info.id,
    Containers: containers.running + containers.paused + containers.stopped,
    ContainersRunning: containers.running,
    ContainersPaused: containers.paused,
    ContainersStopped: containers.stopped,
    Images: info.images,
    Driver: info.driver,
    DriverStatus: info.driverStatus,
    Plugins: {
      Volume: info.volumeDrivers,
      Network: info.networkDrivers,
      Authorization: info.authorizationPlugins.length === 0 ? null : info.authorizationPlugins,
      Log: info.logDrivers,
    },
    ...toKernelFacts(info, version),
    ...toRegistryFacts(info, version),
    ...toEngineFacts(info, version),
    Warnings: info.warnings.length === 0 ? null : info.warnings,
  };
}

function toKernelFacts(info: SystemInfo, version: string) {
  const has = (controller: string) => info.cgroupControllers.includes(controller);
  return {
    MemoryLimit: has("memory"),
    SwapLimit: info.swapLimit,
    CpuCfsPeriod: has("cpu"),
    CpuCfsQuota: has("cpu"),
    CPUShares: has("cpu"),
    CPUSet: has("cpuset"),
    PidsLimit: has("pids"),
    OomKillDisable: info.cgroupVersion === "1" && has("memory"),
    IPv4Forwarding: info.ipForward,
    ...(!isAtLeast(version, "1.50") && {
      BridgeNfIptables: info.bridgeNfIptables,
      BridgeNfIp6tables: info.bridgeNfIp6tables,
    }),
    CgroupDriver: info.cgroupDriver,
    CgroupVersion: info.cgroupVersion,
    KernelVersion: info.kernelVersion,
    OperatingSystem: info.operatingSystem,
    OSVersion: "",
    OSType: "linux",
    Architecture: info.architecture,
    NCPU: info.cpus,
    MemTotal: info.memoryBytes,
    SecurityOptions: info.securityOptions,
  };
}

function toRegistryFacts({ registry }: SystemInfo, version: string) {
  const isCidr = (host: string) => host.includes("/");
  const insecure = registry.insecure.filter((host) => !isCidr(host));
  const configs = insecure.map((name) => [name, { Name: name, Mirrors: [], Secure: false, Official: false }]);
  return {
    IndexServerAddress: "https://index.docker.io/v1/",
    RegistryConfig: {
      ...(!isAtLeast(version, "1.49") && {
        AllowNondistributableArtifactsCIDRs: null,
        AllowNondistributableArtifactsHostnames: null,
      }),
      InsecureRegistryCIDRs: [...registry.insecure.filter(isCidr), "::1/128", "127.0.0.0/8"],
      IndexConfigs: {
        ...Object.fromEntries(configs),
        "docker.io": { Name: "docker.io", Mirrors: registry.mirrors, Secure: true, Official: true },
      },
      Mirrors: registry.mirrors.length === 0 ? null : registry.mirrors,
    },
  };
}

/** Goroutines there are none, and of programs of others no version is told. */
function toEngineFacts(info: SystemInfo, version: string) {
  const commit = { ID: "", ...(!isAtLeast(version, "1.49") && { Expected: "" }) };
  const runtimes = Object.entries(info.runtimes).map(([name, { path, args }]) => [
    name,
    { path, ...(args.length > 0 && { runtimeArgs: args }) },
  ]);
  return {
    Name: info.name,
    DockerRootDir: info.dataRoot,
    ServerVersion: info.version,
    Debug: info.debug,
    NFd: info.descriptors,
    NGoroutines: 0,
    NEventsListener: info.eventListeners,
    SystemTime: info.systemTime,
    LoggingDriver: info.logDriver,
    HttpProxy: info.proxies.http,
    HttpsProxy: info.proxies.https,
    NoProxy: info.proxies.none,
    Labels: info.labels,
    ExperimentalBuild: info.isExperimental,
    Runtimes: Object.fromEntries(runtimes),
    DefaultRuntime: info.defaultRuntime,
    Swarm: NO_SWARM,
    LiveRestoreEnabled: info.liveRestore,
    Isolation: "",
    InitBinary: info.initBinary,
    ContainerdCommit: commit,
    RuncCommit: commit,
    InitCommit: commit,
    ...(info.defaultAddressPools.length > 0 && {
      DefaultAddressPools: info.defaultAddressPools.map(({ base, size }) => ({ Base: base, Size: size })),
    }),
    GenericResources: null,
    CDISpecDirs: info.cdi.directories,
    ...(info.cdi.devices.length > 0 && {
      DiscoveredDevices: info.cdi.devices.map((ID) => ({ Source: "cdi", ID })),
    }),
  };
}
