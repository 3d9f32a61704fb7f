import { type FlowFilter, forgetFlows, NETLINK_NETFILTER, Netlink, type TrackedFlow } from "#host";
import { addressBytes, parseAddress } from "./addresses.ts";
import type { PublishedPort } from "./driver.ts";

const IPPROTO_UDP = 17;
/** Each port is looked for by itself, unless there are more than these. */
const MAX_PORTS_APART = 8;

/**
 * A UDP flow has no beginning: one that was tracked before a port was published, or to the container that had it
 * before, goes on past the rules until nobody sends for half a minute. With a container's addresses: the flows to
 * other places when its ports open; else the flows to anybody.
 */
export function forgetStaleFlows(ports: readonly PublishedPort[], keep: readonly string[]): void {
  const udp = ports.filter(({ protocol }) => protocol === "udp");
  if (udp.length === 0) return;
  const kept = keep.flatMap((address) => bytesOf(address) ?? []);
  using netlink = new Netlink(NETLINK_NETFILTER);
  for (const family of [4, 6] as const) {
    const wanted = udp.flatMap(({ hostAddress, hostPort }) => {
      const bytes = bytesOf(hostAddress);
      return bytes === undefined || (bytes.length === 4) !== (family === 4) ? [] : [{ hostPort, bytes }];
    });
    const isStale = (flow: TrackedFlow): boolean => {
      if (flow.protocol !== IPPROTO_UDP || kept.some((bytes) => isEqual(flow.answeredBy, bytes)))
        return false;
      return wanted.some(
        ({ hostPort, bytes }) =>
          flow.destinationPort === hostPort &&
          (bytes.every((byte) => byte === 0) || isEqual(bytes, flow.destination)),
      );
    };
    const all = { family, protocol: IPPROTO_UDP };
    for (const filter of filtersFor(all, new Set(wanted.map(({ hostPort }) => hostPort))))
      forgetFlows(netlink, filter, isStale);
  }
}

function filtersFor(all: FlowFilter, ports: ReadonlySet<number>): readonly FlowFilter[] {
  if (ports.size > MAX_PORTS_APART) return [all];
  return [...ports].map((destinationPort) => ({ ...all, destinationPort }));
}

function bytesOf(address: string): Uint8Array | undefined {
  const parsed = parseAddress(address);
  return parsed === undefined ? undefined : addressBytes(parsed);
}

const isEqual = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0;
