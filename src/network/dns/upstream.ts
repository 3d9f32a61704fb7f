import { contains, parseAddress, parsePrefix } from "../addresses.ts";
import { FALLBACK_SERVERS, parseResolvConf } from "../resolv-conf.ts";

/** A DNS server beyond our own. */
export interface Upstream {
  readonly address: string;
  /** 53 unless it says otherwise. */
  readonly port?: number;
  /** In whose network namespace it is asked. */
  readonly from: "container" | "host";
}

/** Where containers on user-defined networks find their names. */
export const EMBEDDED_SERVER = "127.0.0.11";
/** As glibc's resolver: more are never asked. */
const MAX_UPSTREAMS = 3;
const LOOPBACK = parsePrefix("127.0.0.0/8")?.subnet;

/**
 * The servers that names of the outer world are asked of: those the container was given, from its own namespace; else
 * the host's, from the container's too, but those that only the host can reach (on its loopback, link-local, IPv6
 * for a container without) from the host's.
 */
export function upstreamsOf(request: {
  readonly dns: readonly string[];
  readonly hostResolvConf: string;
  readonly hasIpv6: boolean;
}): readonly Upstream[] {
  const own = request.dns.map((address) => ({ address, from: "container" as const }));
  if (own.length > 0) return own.filter(isOther).slice(0, MAX_UPSTREAMS);
  const { servers } = parseResolvConf(request.hostResolvConf);
  const known = servers.filter((server) => parseAddress(withoutZone(server)) !== undefined);
  return (known.length > 0 ? known : FALLBACK_SERVERS)
    .map((address) => ({
      address,
      from: isOnlyForHost(address, request.hasIpv6) ? ("host" as const) : ("container" as const),
    }))
    .slice(0, MAX_UPSTREAMS);
}

const withoutZone = (text: string): string => text.replace(/%.*$/, "");

/** Asking ourselves would never end. */
const isOther = ({ address }: Upstream): boolean => address !== EMBEDDED_SERVER;

function isOnlyForHost(text: string, hasIpv6: boolean): boolean {
  const address = parseAddress(withoutZone(text));
  if (address === undefined) return false;
  if (address.family === 6) return !hasIpv6 || text.includes("%") || address.value === 1n;
  return LOOPBACK !== undefined && contains(LOOPBACK, address);
}

/** `host(127.0.0.53)`, `10.0.0.1`: as the comments in a container's resolv.conf tell them. */
export function describeUpstream({ address, from }: Upstream): string {
  return from === "host" ? `host(${address})` : address;
}
