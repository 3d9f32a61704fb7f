import type { ContainerSpec } from "#container";
import type { ContainerDefaults } from "../rooms.ts";

/** The request with the daemon's settings where it leaves a choice; they stay with the container from then on. */
export function withDefaults(
  spec: ContainerSpec,
  { shmSizeBytes, init, log, cgroupnsMode, ipcMode, storage, ulimits = [] }: ContainerDefaults,
): ContainerSpec {
  const { host } = spec;
  const type = host.logConfig.type || log.type;
  const own = new Set(host.ulimits.map(({ name }) => name));
  const inherited = type === log.type ? log.options : {};
  return {
    ...spec,
    host: {
      ...host,
      cgroupnsMode: host.cgroupnsMode || cgroupnsMode,
      ipcMode: host.ipcMode || ipcMode,
      ulimits: [...host.ulimits, ...ulimits.filter(({ name }) => !own.has(name))],
      shmSizeBytes: host.shmSizeBytes === 0 ? shmSizeBytes : host.shmSizeBytes,
      logConfig: { type, options: { ...inherited, ...host.logConfig.options } },
      ...(host.init === undefined && init ? { init } : {}),
      ...(storage?.size !== undefined && {
        storageOptions: { size: storage.size, ...lowerKeys(host.storageOptions) },
      }),
    },
  };
}

const lowerKeys = (options: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(options).map(([key, value]) => [key.toLowerCase(), value]));

/** Name servers are looked up anew at each start: the container's own, else the daemon's. */
export function resolverOf({ host }: ContainerSpec, { dns, dnsSearch, dnsOptions }: ContainerDefaults) {
  return {
    dns: host.dns.length > 0 ? host.dns : dns,
    dnsSearch: host.dnsSearch.length > 0 ? host.dnsSearch : dnsSearch,
    dnsOptions: host.dnsOptions.length > 0 ? host.dnsOptions : dnsOptions,
  };
}
