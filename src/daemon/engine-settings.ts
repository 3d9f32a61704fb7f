import type { EngineSettings } from "#jobs";
import type { Config } from "./config.ts";
import { cdiSettings } from "./container-values.ts";
import { FACTS } from "./facts.ts";

/** The configuration in the words of the jobs, with what was found out about this host. */
export function engineSettings(
  config: Config,
  found: Pick<EngineSettings, "execDrivers" | "networkDrivers" | "warnings">,
): EngineSettings {
  return {
    ...found,
    ...changeableSettings(config),
    dataRoot: config["data-root"],
    version: FACTS.version,
    addressPools: config["default-address-pools"],
  };
}

/** What a reload may change: jobs read it anew each time. */
export function changeableSettings(config: Config) {
  return {
    stopTimeoutSeconds: config["default-stop-timeout"],
    debug: config.debug,
    labels: config.labels,
    registryMirrors: config["registry-mirrors"],
    insecureRegistries: config["insecure-registries"],
    certificateFolders: config["registry-certs"],
    ...cdiSettings(config),
    defaults: {
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
