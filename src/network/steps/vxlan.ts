import { constants } from "node:os";
import { type Netlink, NetlinkMessage, readAttributes, readNumber } from "#host";
import type { NetlinkStep } from "#oci";
import { addressBytes, type IpAddress } from "../addresses.ts";
import {
  AF_INET,
  AF_INET6,
  IFF_UP,
  IFLA_IFNAME,
  IFLA_INFO_DATA,
  IFLA_INFO_KIND,
  IFLA_LINKINFO,
  IFLA_MASTER,
  IFLA_MTU,
  linkBody,
  MAKE,
  macBytes,
  RTM_NEWLINK,
  SET,
  step,
  textBytes,
} from "./step.ts";

/** Requests, attributes and values (linux/rtnetlink.h, if_link.h, neighbour.h). */
const RTM_NEWNEIGH = 28;
const RTM_DELNEIGH = 29;
const RTM_GETNEIGH = 30;
const NLM_F_REPLACE = 0x100;
const NLM_F_CREATE = 0x400;
const IFLA_VXLAN_ID = 1;
const IFLA_VXLAN_LOCAL = 4;
const IFLA_VXLAN_LEARNING = 7;
const IFLA_VXLAN_PROXY = 11;
const IFLA_VXLAN_PORT = 15;
const IFLA_VXLAN_LOCAL6 = 17;
const NDA_DST = 1;
const NDA_LLADDR = 2;
const NTF_SELF = 2;
const NUD_NOARP = 0x40;
const NUD_PERMANENT = 0x80;
const AF_BRIDGE = 7;
const NDMSG_BYTES = 12;
/** struct ifinfomsg. */
const LINK_BODY_BYTES = 16;
const { ENOENT, ESRCH } = constants.errno;

export interface Vxlan {
  readonly name: string;
  readonly bridge: string;
  readonly vni: number;
  readonly local: IpAddress;
  readonly port: number;
  readonly mtu: number;
}

/**
 * The bridge's port to other hosts, up. It learns nothing and floods nothing: who is where is told to it, and it answers
 * neighbours' questions (ARP, ND) by itself.
 */
export function makeVxlan({ name, bridge, vni, local, port, mtu }: Vxlan): NetlinkStep {
  const message = new NetlinkMessage(RTM_NEWLINK, MAKE);
  linkBody(message, IFF_UP);
  message.text(IFLA_IFNAME, name);
  message.number(IFLA_MTU, mtu);
  const offset = message.number(IFLA_MASTER, 0);
  message.nested(IFLA_LINKINFO, () => {
    message.attribute(IFLA_INFO_KIND, textBytes("vxlan"));
    message.nested(IFLA_INFO_DATA, () => {
      message.number(IFLA_VXLAN_ID, vni);
      message.attribute(local.family === 4 ? IFLA_VXLAN_LOCAL : IFLA_VXLAN_LOCAL6, addressBytes(local));
      message.attribute(IFLA_VXLAN_LEARNING, Uint8Array.of(0));
      message.attribute(IFLA_VXLAN_PROXY, Uint8Array.of(1));
      message.attribute(IFLA_VXLAN_PORT, Uint8Array.of(port >> 8, port & 255));
    });
  });
  const patches = [{ offset, kind: "index", name: bridge }] as const;
  return step(message, {
    netns: "host",
    purpose: `make the link ${name} to other hosts (VXLAN ${vni})`,
    patches,
  });
}

/** Frames for this hardware address go to that host. */
export interface ForwardingEntry {
  readonly macAddress: string;
  readonly host: IpAddress;
}

/** This address has that hardware address. */
export interface NeighbourEntry {
  readonly address: IpAddress;
  readonly macAddress: string;
}

export function setForwarding(link: string, { macAddress, host }: ForwardingEntry): NetlinkStep {
  const message = neighbour(RTM_NEWNEIGH, {
    family: AF_BRIDGE,
    state: NUD_NOARP | NUD_PERMANENT,
    flags: NTF_SELF,
  });
  message.attribute(NDA_LLADDR, macBytes(macAddress));
  message.attribute(NDA_DST, addressBytes(host));
  return finish(message, { link, purpose: `send frames for ${macAddress} to another host` });
}

export function removeForwarding(link: string, { macAddress, host }: ForwardingEntry): NetlinkStep {
  const message = neighbour(RTM_DELNEIGH, { family: AF_BRIDGE, state: 0, flags: NTF_SELF });
  message.attribute(NDA_LLADDR, macBytes(macAddress));
  message.attribute(NDA_DST, addressBytes(host));
  return finish(message, { link, purpose: `forget where ${macAddress} is` });
}

export function setNeighbour(link: string, { address, macAddress }: NeighbourEntry): NetlinkStep {
  const family = address.family === 4 ? AF_INET : AF_INET6;
  const message = neighbour(RTM_NEWNEIGH, { family, state: NUD_PERMANENT, flags: 0 });
  message.attribute(NDA_DST, addressBytes(address));
  message.attribute(NDA_LLADDR, macBytes(macAddress));
  return finish(message, { link, purpose: `answer for ${macAddress} on ${link}` });
}

export function removeNeighbour(link: string, address: IpAddress): NetlinkStep {
  const family = address.family === 4 ? AF_INET : AF_INET6;
  const message = neighbour(RTM_DELNEIGH, { family, state: 0, flags: 0 });
  message.attribute(NDA_DST, addressBytes(address));
  return finish(message, { link, purpose: `forget a neighbour on ${link}` });
}

/** struct ndmsg. */
function neighbour(type: number, { family, state, flags }: { family: number; state: number; flags: number }) {
  const message = new NetlinkMessage(type, type === RTM_NEWNEIGH ? SET | NLM_F_CREATE | NLM_F_REPLACE : SET);
  message.fields([1, family], [1, 0], [2, 0], [4, 0], [2, state], [1, flags], [1, 0]);
  return message;
}

/** The index of struct ndmsg stands after struct nlmsghdr and four bytes. */
const INDEX_OFFSET = 20;

function finish(message: NetlinkMessage, { link, purpose }: { link: string; purpose: string }): NetlinkStep {
  const patches = [{ offset: INDEX_OFFSET, kind: "index", name: link }] as const;
  return step(message, { netns: "host", purpose, patches, tolerate: [ENOENT, ESRCH] });
}

/** A permanent entry of a link: bytes in network order. */
export interface KernelEntry {
  readonly lladdr: string;
  readonly destination: Uint8Array;
}

/** What a VXLAN link was told: where hardware addresses are. */
export function listForwardings(netlink: Netlink, index: number): KernelEntry[] {
  return entries(netlink, { family: AF_BRIDGE, index });
}

/** What it was told of neighbours, of both families. */
export function listNeighbours(netlink: Netlink, index: number): KernelEntry[] {
  return [AF_INET, AF_INET6].flatMap((family) => entries(netlink, { family, index }));
}

function entries(netlink: Netlink, { family, index }: { family: number; index: number }): KernelEntry[] {
  const body = new Uint8Array(family === AF_BRIDGE ? LINK_BODY_BYTES : NDMSG_BYTES);
  body[0] = family;
  return netlink.dump(RTM_GETNEIGH, body).flatMap((reply) => {
    const state = (reply[8] ?? 0) | ((reply[9] ?? 0) << 8);
    if (readNumber(reply, 4) !== index || (state & NUD_PERMANENT) === 0) return [];
    const attributes = readAttributes(reply, NDMSG_BYTES);
    const [destination, lladdr] = [attributes.get(NDA_DST), attributes.get(NDA_LLADDR)];
    if (destination === undefined || lladdr === undefined) return [];
    const parts = Array.from(lladdr, (byte) => byte.toString(16).padStart(2, "0"));
    return [{ lladdr: parts.join(":"), destination }];
  });
}
