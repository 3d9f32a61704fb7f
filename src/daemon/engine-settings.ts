import type { EngineSettings } from "#jobs";
import type { Config } from "./config.ts";
import { cdiSettings, fixedDefaults } from "./container-values.ts";
import { FACTS } from "./facts.ts";
import { proxySettings } from "./registry-values.ts";
import { runtimeSettings } from "./runtime-values.ts";
import { storageDefaults } from "./storage-values.ts";
import { userNamespace } from "./user-namespace-values.ts";

/** What of the engine's settings stays as it was at the start, and what was found out about this host. */
export type FixedSettings = ReturnType<typeof fixedSettings>;

/** Reads files of the host: once, at the start. Throws `invalid` for one that cannot be used. */
export function fixedSettings(config: Config, env: Readonly<Record<string, string | undefined>>) {
  const storage = storageDefaults(config["storage-opts"]);
  return {
    proxies: proxySettings(config, env),
    userNamespace: userNamespace(config["userns-remap"]),
    defaults: { ...fixedDefaults(config), storage },
  };
}

/** The configuration in the words of the jobs, with what was found out about this host. */
export function engineSettings(
  config: Config,
  fixed: FixedSettings,
  found: Pick<EngineSettings, "networkDrivers" | "passedOver" | "warnings">,
): EngineSettings {
  return {
    ...found,
    ...changeableSettings(config, fixed),
    dataRoot: config["data-root"],
    version: FACTS.version,
    addressPools: config["default-address-pools"],
    proxies: fixed.proxies,
    userNamespace: fixed.userNamespace,
    seccompProfile: config["seccomp-profile"],
    isExperimental: config.experimental,
  };
}

/** What a reload may change: jobs read it anew each time. */
export function changeableSettings(config: Config, fixed: FixedSettings) {
  return {
    stopTimeoutSeconds: config["default-stop-timeout"],
    shutdownTimeoutSeconds: config["shutdown-timeout"],
    liveRestore: config["live-restore"],
    debug: config.debug,
    labels: config.labels,
    registryMirrors: config["registry-mirrors"],
    insecureRegistries: config["insecure-registries"],
    garbage: config.gc && { high: config.gc.high, low: config.gc.low, keepSeconds: config.gc.keep },
    certificateFolders: config["registry-certs"],
    authorizationPlugins: config["authorization-plugins"],
    concurrentUploads: config["max-concurrent-uploads"],
    downloadAttempts: config["max-download-attempts"],
    ...runtimeSettings(config),
    ...cdiSettings(config),
    defaults: {
      ...fixed.defaults,
      cgroupnsMode: config["default-cgroupns-mode"],
      ipcMode: config["default-ipc-mode"],
      shmSizeBytes: config["default-shm-size"],
      noNewPrivileges: config["no-new-privileges"],
      init: config.init,
      log: { type: config["log-driver"], options: config["log-opts"] },
      dns: config.dns,
      dnsSearch: config["dns-search"],
      dnsOptions: config["dns-opts"],
    },
  } satisfies Partial<EngineSettings>;
}
