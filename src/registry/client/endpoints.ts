import { BlockList, isIP } from "node:net";
import { Fault } from "#errors";
import { DEFAULT_DOMAIN, type Reference } from "#oci";
import type { RegistrySettings } from "../types.ts";

const DOCKER_HUB = "registry-1.docker.io";

/** Where a repository may be asked for. */
export interface Endpoint {
  /** `registry-1.docker.io`, `127.0.0.1:5000` */
  readonly host: string;
  /** URLs without a slash at the end; a later one is for when the earlier ones do not speak its protocol. */
  readonly bases: readonly string[];
  readonly isMirror: boolean;
}

/** In the order in which they are asked. Throws `invalid` for a mirror that cannot be used. */
export function endpointsOf({ domain }: Reference, settings: RegistrySettings): readonly Endpoint[] {
  const host = domain === DEFAULT_DOMAIN ? DOCKER_HUB : domain;
  const bases = mayBePlain(host, settings) ? [`https://${host}`, `http://${host}`] : [`https://${host}`];
  const own = { host, bases, isMirror: false };
  if (domain !== DEFAULT_DOMAIN) return [own];
  return [...settings.mirrors.map((mirror) => mirrorEndpoint(mirror, settings)), own];
}

function mirrorEndpoint(mirror: string, settings: RegistrySettings): Endpoint {
  const url = URL.parse(mirror);
  if (url === null || !/^https?:$/.test(url.protocol) || url.search !== "" || url.hash !== "")
    throw new Fault("invalid", `Cannot use "${mirror}" as a registry mirror: expected http(s)://host[:port]`);
  if (url.username !== "" || url.password !== "")
    throw new Fault("invalid", `Cannot use the registry mirror on ${url.host}: its URL holds a password`);
  if (url.protocol === "http:" && !mayBePlain(url.host, settings))
    throw new Fault(
      "invalid",
      `Cannot use the registry mirror ${mirror} without TLS: add --insecure-registry ${url.host} to allow it`,
    );
  return { host: url.host, bases: [url.href.replace(/\/+$/, "")], isMirror: true };
}

/** Whether a host (`name`, `name:port`, `[::1]:port`) may be spoken to without TLS or with a certificate nobody vouches for. */
export function mayBePlain(host: string, { insecure }: Pick<RegistrySettings, "insecure">): boolean {
  const name = hostname(host);
  if (name === "localhost" || isWithin(name, "127.0.0.0/8") || isWithin(name, "::1/128")) return true;
  return insecure.some((entry) =>
    entry.includes("/")
      ? isWithin(name, entry)
      : entry.toLowerCase() === host.toLowerCase() || (hostname(entry) === name && !hasPort(entry)),
  );
}

function hasPort(host: string): boolean {
  return /:[0-9]+$/.test(host) && (host.startsWith("[") || host.indexOf(":") === host.lastIndexOf(":"));
}

function hostname(host: string): string {
  const name = hasPort(host) ? host.slice(0, host.lastIndexOf(":")) : host;
  return name.replace(/^\[|\]$/g, "").toLowerCase();
}

/** Names are not looked up: whoever answers for a name would decide whether it is trusted. */
function isWithin(address: string, cidr: string): boolean {
  const [network = "", bits = ""] = cidr.split("/");
  const family = isIP(network);
  const prefix = Number(bits);
  const isProper = family !== 0 && /^[0-9]{1,3}$/.test(bits) && prefix <= (family === 4 ? 32 : 128);
  if (!isProper || isIP(address) !== family) return false;
  const list = new BlockList();
  list.addSubnet(network, prefix, family === 4 ? "ipv4" : "ipv6");
  return list.check(address, family === 4 ? "ipv4" : "ipv6");
}
