import { forgetFlows, NETLINK_NETFILTER, Netlink } from "#host";
import { addressBytes, parseAddress } from "./addresses.ts";
import type { PublishedPort } from "./driver.ts";

const IPPROTO_UDP = 17;

/**
 * A UDP flow has no beginning: one that was tracked before a port was published, or to the container that had it
 * before, goes on past the rules until nobody sends for half a minute. With a container's address: the flows to
 * other places when its ports open; else the flows to anybody.
 */
export function forgetStaleFlows(ports: readonly PublishedPort[], keep?: string): void {
  const udp = ports.filter(({ protocol, hostAddress }) => protocol === "udp" && !hostAddress.includes(":"));
  if (udp.length === 0) return;
  const kept = keep === undefined ? undefined : bytesOf(keep);
  const wanted = udp.map(({ hostAddress, hostPort }) => ({ hostPort, bytes: bytesOf(hostAddress) }));
  using netlink = new Netlink(NETLINK_NETFILTER);
  forgetFlows(netlink, (flow) => {
    if (flow.protocol !== IPPROTO_UDP || (kept !== undefined && isEqual(flow.answeredBy, kept))) return false;
    return wanted.some(
      ({ hostPort, bytes }) =>
        flow.destinationPort === hostPort &&
        (bytes.every((byte) => byte === 0) || isEqual(bytes, flow.destination)),
    );
  });
}

function bytesOf(address: string): Uint8Array {
  const parsed = parseAddress(address);
  return parsed === undefined ? new Uint8Array(4) : addressBytes(parsed);
}

const isEqual = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0;
