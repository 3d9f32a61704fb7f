import { isIP } from "node:net";
import { type EndpointBody, isAtLeast } from "#api";
import { Fault } from "#errors";
import type { ContainerSpec } from "#jobs";

export type EndpointSpec = ContainerSpec["networks"][string];

/** What is asked of a network about which nothing was said. */
export const NOTHING_ASKED: EndpointSpec = {
  aliases: [],
  links: [],
  linkLocalAddresses: [],
  gatewayPriority: 0,
  driverOptions: {},
};

/**
 * Docker's endpoint settings in the engine's words. What the version did not have is left out, as Docker does.
 * Throws `invalid` for what is no address.
 */
export function toEndpointSpec(body: EndpointBody, version: string): EndpointSpec {
  const { IPv4Address = "", IPv6Address = "", LinkLocalIPs = [] } = body.IPAMConfig ?? {};
  const problems = [
    ...(IPv4Address !== "" && isIP(IPv4Address) !== 4 ? [`invalid IPv4 address: ${shown(IPv4Address)}`] : []),
    ...(IPv6Address !== "" && isIP(IPv6Address) !== 6 ? [`invalid IPv6 address: ${shown(IPv6Address)}`] : []),
    ...LinkLocalIPs.filter((address) => isIP(address) === 0).map(
      (address) => `invalid link-local IP address: ${shown(address)}`,
    ),
  ];
  if (problems.length > 0) throw new Fault("invalid", `invalid endpoint settings:\n${problems.join("\n")}`);
  return {
    aliases: body.Aliases,
    links: body.Links,
    ...(IPv4Address !== "" && { ipv4Address: IPv4Address }),
    ...(IPv6Address !== "" && { ipv6Address: IPv6Address }),
    ...(body.MacAddress !== "" && { macAddress: toMacAddress(body.MacAddress) }),
    linkLocalAddresses: LinkLocalIPs,
    gatewayPriority: isAtLeast(version, "1.48") ? body.GwPriority : 0,
    driverOptions: body.DriverOpts,
  };
}

/** In small letters and with colons. Throws `invalid`. */
export function toMacAddress(text: string): string {
  if (/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(text)) return text.toLowerCase().replaceAll("-", ":");
  if (/^[0-9a-f]{4}(\.[0-9a-f]{4}){2}$/i.test(text))
    return (text.toLowerCase().replaceAll(".", "").match(/../g) ?? []).join(":");
  throw new Fault("invalid", `address ${shown(text)}: invalid MAC address`);
}

const shown = (text: string) => text.slice(0, 100);
