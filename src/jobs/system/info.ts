import { readdir, readFile } from "node:fs/promises";
import { arch, availableParallelism, hostname, release } from "node:os";
import { z } from "zod";
import { type Container, nowNanoseconds, timestamp } from "#container";
import { defineJob } from "#engine";
import { type Cgroups, defaultAppArmorProfile, detectCgroups, findCdiDevices } from "#libcontainer";
import type { RegistryProxies } from "#registry";
import { hasJournal } from "../container/log/journald.ts";
import { LOG_DRIVERS } from "../container/log/options.ts";
import { OWN_RUNTIME, runtimeNamed } from "../container/runtime.ts";
import { hasSwapLimit } from "../container/validate-resources.ts";
import type { Rooms } from "../rooms.ts";
import type { SystemInfo } from "../types.ts";

type Needs = Pick<Rooms, "settings" | "plugins"> & {
  readonly containers: Pick<Rooms["containers"], "list">;
  readonly graph: {
    readonly images: Pick<Rooms["graph"]["images"], "list">;
    readonly driver: Pick<Rooms["graph"]["driver"], "name" | "status">;
  };
  readonly events: { readonly listenerCount: number };
  readonly volumes: Pick<Rooms["volumes"], "drivers">;
};

/** What this engine and its host are like: each fact is read when asked for. */
export const systemInfo = (needs: Needs) =>
  defineJob({
    name: "system.info",
    input: z.object({}),

    async run(): Promise<SystemInfo> {
      const { graph, settings, plugins } = needs;
      const [volumePlugins, networkPlugins] = await Promise.all([
        plugins.names("VolumeDriver"),
        plugins.names("NetworkDriver"),
      ]);
      const facts = await hostFacts(settings.seccompProfile);
      const hasOwnUsers = settings.userNamespace !== undefined;
      return {
        ...facts,
        securityOptions: [...facts.securityOptions, ...(hasOwnUsers ? ["name=userns"] : [])],
        id: await engineId(),
        containers: count(needs.containers.list()),
        images: graph.images.list().length,
        driver: graph.driver.name,
        driverStatus: [...(await graph.driver.status()), ...(settings.passedOver ?? [])],
        dataRoot: settings.dataRoot,
        runtimes: { [OWN_RUNTIME]: { path: OWN_RUNTIME, args: [] }, ...settings.runtimes },
        defaultRuntime: runtimeNamed(settings.defaultRuntime, settings.runtimes) ?? OWN_RUNTIME,
        networkDrivers: [...new Set([...settings.networkDrivers, ...networkPlugins])],
        volumeDrivers: [...new Set([...needs.volumes.drivers(), ...volumePlugins])],
        logDrivers: LOG_DRIVERS.filter((name) => name !== "journald" || hasJournal()),
        logDriver: settings.defaults.log.type,
        registry: { mirrors: settings.registryMirrors, insecure: settings.insecureRegistries },
        labels: settings.labels,
        debug: settings.debug,
        eventListeners: needs.events.listenerCount,
        liveRestore: settings.liveRestore,
        authorizationPlugins: settings.authorizationPlugins,
        initBinary: settings.defaults.initPath ?? "",
        isExperimental: settings.isExperimental,
        proxies: withoutSecrets(settings.proxies),
        cdi: cdiFacts(settings.cdiDirectories ?? []),
        defaultAddressPools: settings.addressPools,
        warnings: settings.warnings,
        systemTime: timestamp(nowNanoseconds()),
        version: settings.version,
      };
    },
  });

/** What everybody may read who may ask for /info. Source: Docker Engine API, GET /info, HttpProxy. */
function withoutSecrets({ http = "", https = "", none = "" }: RegistryProxies): SystemInfo["proxies"] {
  const masked = (text: string) => {
    const url = URL.parse(text);
    if (url === null || `${url.username}${url.password}` === "") return text;
    return text.replace(/\/\/[^@/]*@/, "//xxxxx:xxxxx@");
  };
  return { http: masked(http), https: masked(https), none };
}

function cdiFacts(directories: readonly string[]): SystemInfo["cdi"] {
  return { directories, devices: [...findCdiDevices(directories).devices.keys()].sort() };
}

type HostFacts = Pick<
  SystemInfo,
  | "name"
  | "cgroupVersion"
  | "cgroupDriver"
  | "cgroupControllers"
  | "swapLimit"
  | "kernelVersion"
  | "operatingSystem"
  | "architecture"
  | "cpus"
  | "memoryBytes"
  | "securityOptions"
  | "ipForward"
  | "bridgeNfIptables"
  | "bridgeNfIp6tables"
  | "descriptors"
>;

async function hostFacts(seccomp: string): Promise<HostFacts> {
  const cgroups = detectCgroups();
  return {
    name: hostname(),
    cgroupVersion: cgroups.version === 2 ? "2" : "1",
    cgroupDriver: cgroups.version === 0 ? "none" : "cgroupfs",
    cgroupControllers: await controllersOf(cgroups),
    swapLimit: hasSwapLimit(cgroups),
    kernelVersion: release(),
    operatingSystem: parseOsRelease(await textOf("/etc/os-release")),
    architecture: arch() === "x64" ? "x86_64" : arch() === "arm64" ? "aarch64" : arch(),
    cpus: availableParallelism(),
    memoryBytes: parseMemoryTotal(await textOf("/proc/meminfo")),
    securityOptions: await securityOptions(cgroups, seccomp),
    ipForward: await isOn("/proc/sys/net/ipv4/ip_forward"),
    bridgeNfIptables: await isOn("/proc/sys/net/bridge/bridge-nf-call-iptables"),
    bridgeNfIp6tables: await isOn("/proc/sys/net/bridge/bridge-nf-call-ip6tables"),
    descriptors: (await readdir("/proc/self/fd")).length,
  };
}

function count(containers: readonly Container[]): SystemInfo["containers"] {
  const paused = containers.filter(({ state }) => state.status === "paused").length;
  const running = containers.filter(({ state }) => ["running", "restarting"].includes(state.status)).length;
  return { running, paused, stopped: containers.length - running - paused };
}

/** PRETTY_NAME. Source: os-release(5). */
export function parseOsRelease(text: string): string {
  const value = /^PRETTY_NAME=(.*)$/m.exec(text)?.[1]?.trim() ?? "Linux";
  return value.replace(/^(["'])(.*)\1$/, "$2");
}

/** In bytes. Source: proc_meminfo(5), MemTotal in kB. */
export function parseMemoryTotal(text: string): number {
  return Number(/^MemTotal:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024;
}

async function controllersOf(cgroups: Cgroups): Promise<readonly string[]> {
  if (cgroups.version === 0) return [];
  if (cgroups.version === 2)
    return (await textOf(`${cgroups.mountpoint}/cgroup.controllers`)).trim().split(" ").filter(Boolean);
  return cgroups.hierarchies.flatMap(({ controllers }) => controllers).filter((name) => !name.includes("="));
}

/** What containers are confined by. Source: Docker Engine API, GET /info, SecurityOptions. */
async function securityOptions(cgroups: Cgroups, seccomp: string): Promise<readonly string[]> {
  const hasAppArmor = defaultAppArmorProfile() !== undefined;
  const hasSeccomp = (await textOf("/proc/sys/kernel/seccomp/actions_avail")) !== "";
  return [
    ...(hasAppArmor ? ["name=apparmor"] : []),
    ...(hasSeccomp ? [`name=seccomp,profile=${seccomp}`] : []),
    ...(cgroups.version === 2 ? ["name=cgroupns"] : []),
  ];
}

/** The same for as long as the host's own id is; that id itself is not to be shown. Source: machine-id(5). */
async function engineId(): Promise<string> {
  const machine = (await textOf("/etc/machine-id")).trim() || hostname();
  return Bun.randomUUIDv5(machine, "oid");
}

async function isOn(path: string): Promise<boolean> {
  return (await textOf(path)).trim() === "1";
}

/** Empty when there is no such file: the kernel lacks the thing then. */
async function textOf(path: string): Promise<string> {
  return await readFile(path, "utf8").catch(() => "");
}
