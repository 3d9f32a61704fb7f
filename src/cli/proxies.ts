import type { ConfigFile } from "./config-file.ts";

/** Settings of a proxy, and the variable that each becomes. Source: docker docs, "Configure the CLI to use a proxy server". */
const VARIABLES: Readonly<Record<string, string>> = {
  httpProxy: "HTTP_PROXY",
  httpsProxy: "HTTPS_PROXY",
  noProxy: "NO_PROXY",
  ftpProxy: "FTP_PROXY",
  allProxy: "ALL_PROXY",
};

/**
 * What new containers are told of proxies, in capitals and small letters: `proxies` of the configuration, those for this
 * daemon before those for any. What somebody has given in either spelling stays.
 */
export function withProxies(
  variables: readonly string[],
  { config, host }: { config: ConfigFile /** The daemon's address. */; host: string },
): string[] {
  const all = config.table("proxies");
  const settings = (Object.hasOwn(all, host) ? all[host] : all.default) ?? {};
  const given = new Set(variables.map((pair) => pair.split("=", 1)[0]));
  const added = Object.entries(VARIABLES).flatMap(([setting, name]) => {
    const value = (settings as Readonly<Record<string, unknown>>)[setting];
    if (typeof value !== "string" || value === "") return [];
    const spellings = [name, name.toLowerCase()];
    return spellings.some((spelling) => given.has(spelling))
      ? []
      : spellings.map((spelling) => `${spelling}=${value}`);
  });
  return [...variables, ...added];
}
