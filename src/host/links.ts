import type { Netlink } from "./netlink.ts";
import { NetlinkMessage, NLM_F_REQUEST, readAttributes, readNumber, readText } from "./netlink-message.ts";

/** rtnetlink's requests (linux/rtnetlink.h) and attributes (linux/if_link.h, if_addr.h). */
const RTM_GETLINK = 18;
const RTM_GETADDR = 22;
const RTM_GETROUTE = 26;
const IFLA_IFNAME = 3;
const IFLA_ADDRESS = 1;
const IFLA_MTU = 4;
const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_IFALIAS = 20;
const IFLA_INFO_KIND = 1;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const RTA_DST = 1;
const RTA_OIF = 4;
const IFF_UP = 1;
/** struct ifinfomsg, ifaddrmsg, rtmsg. */
const LINK_BODY_BYTES = 16;
const ADDRESS_BODY_BYTES = 8;
const ROUTE_BODY_BYTES = 12;

export interface Link {
  readonly index: number;
  readonly name: string;
  readonly kind: string;
  readonly alias: string;
  readonly macAddress: string;
  readonly mtu: number;
  /** Index of the bridge it belongs to; 0 for none. */
  readonly master: number;
  readonly isUp: boolean;
}

/** Bytes in network order: 4 of them or 16. */
export interface LinkAddress {
  readonly index: number;
  readonly bytes: Uint8Array;
  readonly prefixLength: number;
}

export function listLinks(netlink: Netlink): Link[] {
  return netlink.dump(RTM_GETLINK, new Uint8Array(LINK_BODY_BYTES)).map(readLink);
}

export function findLink(netlink: Netlink, name: string): Link | undefined {
  const request = new NetlinkMessage(RTM_GETLINK, NLM_F_REQUEST);
  request.fields(...Array.from({ length: LINK_BODY_BYTES }, () => [1, 0] as const));
  request.text(IFLA_IFNAME, name);
  const body = netlink.get(request.finish());
  return body === undefined ? undefined : readLink(body);
}

function readLink(body: Uint8Array): Link {
  const attributes = readAttributes(body, LINK_BODY_BYTES);
  const info = attributes.get(IFLA_LINKINFO);
  const hardware = Array.from(attributes.get(IFLA_ADDRESS) ?? []);
  return {
    index: readNumber(body, 4) ?? 0,
    name: readText(attributes.get(IFLA_IFNAME)),
    kind: info === undefined ? "" : readText(readAttributes(info).get(IFLA_INFO_KIND)),
    alias: readText(attributes.get(IFLA_IFALIAS)),
    macAddress: hardware.map((byte) => byte.toString(16).padStart(2, "0")).join(":"),
    mtu: readNumber(attributes.get(IFLA_MTU)) ?? 0,
    master: readNumber(attributes.get(IFLA_MASTER)) ?? 0,
    isUp: ((readNumber(body, 8) ?? 0) & IFF_UP) !== 0,
  };
}

export function listAddresses(netlink: Netlink): LinkAddress[] {
  return netlink.dump(RTM_GETADDR, new Uint8Array(ADDRESS_BODY_BYTES)).flatMap((body) => {
    const attributes = readAttributes(body, ADDRESS_BODY_BYTES);
    const bytes = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS);
    return bytes === undefined
      ? []
      : [{ index: readNumber(body, 4) ?? 0, bytes, prefixLength: body[1] ?? 0 }];
  });
}

/** Where routes lead, and over which link; the default routes have no bytes and are left out. */
export function listRoutes(netlink: Netlink): LinkAddress[] {
  return netlink.dump(RTM_GETROUTE, new Uint8Array(ROUTE_BODY_BYTES)).flatMap((body) => {
    const attributes = readAttributes(body, ROUTE_BODY_BYTES);
    const bytes = attributes.get(RTA_DST);
    if (bytes === undefined) return [];
    return [{ index: readNumber(attributes.get(RTA_OIF)) ?? 0, bytes, prefixLength: body[1] ?? 0 }];
  });
}
