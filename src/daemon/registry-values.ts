import { z } from "zod";
import type { EngineSettings } from "#jobs";

const ProxyUrl = z.url({ protocol: /^https?$/, error: "a proxy is http://HOST:PORT or https://HOST:PORT" });

/** By which registries are reached, and how patiently. Source: Docker's dockerd reference, "Daemon configuration file". */
export const REGISTRY_VALUES = {
  "http-proxy": ProxyUrl.optional(),
  "https-proxy": ProxyUrl.optional(),
  "no-proxy": z.string().optional(),
  proxies: z
    .strictObject({
      "http-proxy": ProxyUrl.optional(),
      "https-proxy": ProxyUrl.optional(),
      "no-proxy": z.string().optional(),
    })
    .default({}),
  "max-concurrent-uploads": z.number().int().min(1).max(64).default(5),
  "max-download-attempts": z.number().int().min(1).max(1000).default(5),
};

const Values = z.object(REGISTRY_VALUES);
type Environment = Readonly<Record<string, string | undefined>>;

/** What is not set the environment says, as with Docker's daemon. */
export function proxySettings(config: z.infer<typeof Values>, env: Environment): EngineSettings["proxies"] {
  const proxy = (key: "http-proxy" | "https-proxy" | "no-proxy") => {
    const name = key.replace("-", "_");
    return config[key] ?? config.proxies[key] ?? env[name.toUpperCase()] ?? env[name] ?? "";
  };
  return { http: proxy("http-proxy"), https: proxy("https-proxy"), none: proxy("no-proxy") };
}

/** Once read they are handed to whom they are for: nothing else of the daemon goes by a proxy. */
export function forgetProxies(env: Record<string, string | undefined>): void {
  for (const name of ["http_proxy", "https_proxy", "no_proxy", "all_proxy"]) {
    delete env[name];
    delete env[name.toUpperCase()];
  }
}
