import type { z } from "zod";
import {
  contains,
  formatAddress,
  type IpAddress,
  parseAddress,
  parsePrefix,
  type Subnet,
} from "../../addresses.ts";
import type { Endpoint, Way } from "../../driver.ts";
import type { CreateEndpointReply, JoinReply } from "./shapes.ts";

const MAC_ADDRESS = /^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/i;
/** Source: IFNAMSIZ in linux/if.h, dev_valid_name in net/core/dev.c. */
const LINK_NAME = /^(?!\.\.?$)[^\s/:%]{1,15}$/;

/** Says what is wrong with an answer. */
export type Lie = (what: string) => Error;

export interface StaticRoute {
  readonly destination: Subnet;
  /** Absent for what is reached over the link itself. */
  readonly nextHop?: IpAddress;
}

/** What a driver decided of an endpoint. What it was given it must leave as it is. */
export function readEndpoint(
  reply: z.infer<typeof CreateEndpointReply>,
  endpoint: Endpoint,
  lie: Lie,
): Partial<Endpoint> {
  const { Address = "", AddressIPv6 = "", MacAddress = "" } = reply.Interface ?? {};
  const v4 = chosen({ text: Address, given: endpoint.address, family: 4, lie });
  const v6 = chosen({ text: AddressIPv6, given: endpoint.ipv6Address, family: 6, lie });
  const mac = MacAddress.toLowerCase();
  if (mac !== "" && !MAC_ADDRESS.test(mac)) throw lie(`"${MacAddress}" is no hardware address of a link`);
  if (mac !== "" && endpoint.macAddress !== "" && mac !== endpoint.macAddress)
    throw lie(`it has the hardware address ${mac} where ${endpoint.macAddress} was asked for`);
  return {
    ...(v4 !== undefined && { address: v4.address, prefixLength: v4.prefixLength }),
    ...(v6 !== undefined && { ipv6Address: v6.address, ipv6PrefixLength: v6.prefixLength }),
    ...(mac !== "" && { macAddress: mac }),
  };
}

function chosen(answer: {
  readonly text: string;
  readonly given: string;
  readonly family: 4 | 6;
  readonly lie: Lie;
}): { readonly address: string; readonly prefixLength: number } | undefined {
  const { text, given, family, lie } = answer;
  if (text === "") return undefined;
  const parsed = parsePrefix(text);
  if (parsed === undefined || parsed.address.family !== family)
    throw lie(`"${text}" is no IPv${family} address with a prefix length`);
  const address = formatAddress(parsed.address);
  if (given !== "" && given !== address) throw lie(`it has the address ${address} where ${given} was given`);
  return { address, prefixLength: parsed.subnet.prefixLength };
}

/** What the link shall be called: as the user asked, or `eth` and a number unless the driver has another prefix. */
export function readLinkName({ InterfaceName }: JoinReply, asked: string, lie: Lie): string {
  const { DstName = "", DstPrefix = "" } = InterfaceName ?? {};
  const isOrdinary = /^eth\d+$/.test(asked);
  const wanted = DstName || (DstPrefix === "" ? "eth" : DstPrefix) + asked.replace(/^eth/, "");
  if (!isOrdinary) return asked;
  if (!LINK_NAME.test(wanted) || wanted === "lo") throw lie(`no link can be called "${wanted}"`);
  return wanted;
}

export function readSource({ InterfaceName }: JoinReply, lie: Lie): string {
  const name = InterfaceName?.SrcName ?? "";
  if (name === "") throw lie("it names no link for the container");
  if (!LINK_NAME.test(name)) throw lie(`no link can be called "${name}"`);
  return name;
}

export function readRoutes({ StaticRoutes }: JoinReply, lie: Lie): readonly StaticRoute[] {
  return (StaticRoutes ?? []).map(({ Destination, RouteType, NextHop }) => {
    const destination = parsePrefix(Destination)?.subnet;
    if (destination === undefined) throw lie(`"${Destination}" is no destination of a route`);
    if (RouteType === 1) return { destination };
    const nextHop = parseAddress(NextHop);
    if (nextHop === undefined || nextHop.family !== destination.family)
      throw lie(`"${NextHop}" is no next hop for ${Destination}`);
    return { destination, nextHop };
  });
}

/** The gateways must be neighbours: on the endpoint's own subnet, or on a connected route. */
export function readWay(
  reply: JoinReply,
  known: { readonly endpoint: Endpoint; readonly routes: readonly StaticRoute[]; readonly lie: Lie },
): Way {
  const { address, prefixLength, ipv6Address, ipv6PrefixLength } = known.endpoint;
  const own = [`${address}/${prefixLength}`, `${ipv6Address}/${ipv6PrefixLength}`];
  const near = [
    ...own.flatMap((text) => parsePrefix(text)?.subnet ?? []),
    ...known.routes.filter(({ nextHop }) => nextHop === undefined).map(({ destination }) => destination),
  ];
  const gateway = (text: string, family: 4 | 6) => {
    const parsed = parseAddress(text.replace(/\/\d+$/, ""));
    if (text === "") return undefined;
    if (parsed === undefined || parsed.family !== family)
      throw known.lie(`"${text}" is no IPv${family} gateway`);
    if (!near.some((subnet) => contains(subnet, parsed)))
      throw known.lie(`the gateway ${text} is no neighbour of ${address || ipv6Address || "the container"}`);
    return formatAddress(parsed);
  };
  const v4 = gateway(reply.Gateway, 4);
  const v6 = gateway(reply.GatewayIPv6, 6);
  return { ...(v4 !== undefined && { gateway: v4 }), ...(v6 !== undefined && { ipv6Gateway: v6 }) };
}
