import { z } from "zod";
import { DEFAULT_DOMAIN, type Reference } from "#oci";

/** Registry → Docker's AuthConfig, as X-Registry-Config carries it. */
const Config = z.record(z.string(), z.unknown());
/** Docker Hub's names in configurations. */
const HUB_HOSTS: readonly string[] = [DEFAULT_DOMAIN, "index.docker.io", "registry-1.docker.io"];

type Environment = Readonly<Record<string, string>>;

/**
 * The environment of a pull, out of one with the credentials for many registries: those of the image's own registry and
 * nothing of the others.
 */
export function pullEnvironment(
  { REGISTRY_CONFIG, ...rest }: Environment,
  { domain }: Reference,
): Environment {
  const found = Object.entries(configOf(REGISTRY_CONFIG)).find(([key]) => isSameHost(hostIn(key), domain));
  return found === undefined ? rest : { ...rest, REGISTRY_AUTH: JSON.stringify(found[1]) };
}

/** What cannot be read is no credentials, as with X-Registry-Auth. */
function configOf(json: string | undefined): z.infer<typeof Config> {
  try {
    return Config.parse(JSON.parse(json ?? "{}"));
  } catch {
    return {};
  }
}

/** Keys are hosts, or URLs as of old: https://index.docker.io/v1/. */
const hostIn = (key: string) => key.replace(/^https?:\/\//, "").split("/")[0] ?? "";

const isSameHost = (host: string, domain: string) =>
  host === domain || (HUB_HOSTS.includes(host) && HUB_HOSTS.includes(domain));
