import { parseHost } from "#server";
import type { Config } from "./config.ts";
import { checkGraphDriver } from "./drivers.ts";
import { fixedSettings } from "./engine-settings.ts";
import { parseMetricsAddress } from "./metrics/serve.ts";
import { refuseOpenTcp, serverKeys } from "./tcp.ts";

/** What can be said of a configuration without changing anything on the host. Throws as the start would. */
export function validate(config: Config, env: Readonly<Record<string, string | undefined>>): void {
  for (const host of config.hosts) if (!host.startsWith("fd://")) parseHost(host);
  refuseOpenTcp(config);
  serverKeys(config, env);
  fixedSettings(config, env);
  if (config["metrics-addr"] !== undefined) parseMetricsAddress(config["metrics-addr"]);
  checkGraphDriver(config["storage-driver"]);
}
