import { NetlinkMessage, NLM_F_CREATE } from "#host";
import type { NetlinkStep } from "#oci";
import { addressBytes, formatSubnet, type IpAddress, type Subnet } from "../addresses.ts";
import { AF_INET, AF_INET6, RTM_NEWROUTE, SET, step } from "./step.ts";

/** Attributes and values (linux/rtnetlink.h). */
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RT_TABLE_MAIN = 254;
const RTPROT_BOOT = 3;
const RTN_UNICAST = 1;
const RT_SCOPE_LINK = 253;
/** linux/netlink.h */
const NLM_F_REPLACE = 0x100;

/** The way out of the child's namespace, in place of another. Without a gateway every address is a neighbour. */
export function setDefaultRoute(link: string, family: 4 | 6, gateway?: IpAddress): NetlinkStep {
  const message = new NetlinkMessage(RTM_NEWROUTE, SET | NLM_F_CREATE | NLM_F_REPLACE);
  message.fields(
    [1, family === 4 ? AF_INET : AF_INET6],
    [1, 0],
    [1, 0],
    [1, 0],
    [1, RT_TABLE_MAIN],
    [1, RTPROT_BOOT],
    [1, gateway === undefined && family === 4 ? RT_SCOPE_LINK : 0],
    [1, RTN_UNICAST],
    [4, 0],
  );
  if (gateway !== undefined) message.attribute(RTA_GATEWAY, addressBytes(gateway));
  const offset = message.number(RTA_OIF, 0);
  const patches = [{ offset, kind: "index", name: link }] as const;
  return step(message, { netns: "child", purpose: `set the default route over ${link}`, patches });
}

export interface RouteRequest {
  readonly link: string;
  readonly destination: Subnet;
  /** Absent for what is reached over the link itself. */
  readonly nextHop?: IpAddress;
}

/** One more route of the child's namespace. */
export function addRoute({ link, destination, nextHop }: RouteRequest): NetlinkStep {
  const { family, prefixLength } = destination;
  const message = new NetlinkMessage(RTM_NEWROUTE, SET | NLM_F_CREATE | NLM_F_REPLACE);
  message.fields(
    [1, family === 4 ? AF_INET : AF_INET6],
    [1, prefixLength],
    [1, 0],
    [1, 0],
    [1, RT_TABLE_MAIN],
    [1, RTPROT_BOOT],
    [1, nextHop === undefined && family === 4 ? RT_SCOPE_LINK : 0],
    [1, RTN_UNICAST],
    [4, 0],
  );
  message.attribute(RTA_DST, addressBytes(destination));
  if (nextHop !== undefined) message.attribute(RTA_GATEWAY, addressBytes(nextHop));
  const patches = [{ offset: message.number(RTA_OIF, 0), kind: "index", name: link }] as const;
  const purpose = `set the route to ${formatSubnet(destination)} over ${link}`;
  return step(message, { netns: "child", purpose, patches });
}
