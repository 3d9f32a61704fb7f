import type { RegistrySettings } from "../types.ts";
import { Certificates } from "./certificates.ts";
import { mayBePlain } from "./endpoints.ts";
import type { HttpSettings } from "./http.ts";
import type { Limits } from "./limits.ts";
import { proxyFor } from "./proxy.ts";

/** What one errand knows of the hosts it may meet. */
export function httpSettings(
  settings: Pick<RegistrySettings, "insecure" | "certificateFolders" | "proxies">,
  limits: Limits,
): HttpSettings {
  const certificates = new Certificates(settings.certificateFolders);
  const { proxies } = settings;
  return {
    limits,
    ...(proxies === undefined ? {} : { proxyFor: (url: URL) => proxyFor(url, proxies) }),
    mayBePlain: (host) => mayBePlain(host, settings),
    trust: (host) => certificates.trust(host),
  };
}
