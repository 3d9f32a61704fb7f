import { constants } from "node:os";
import { NetlinkMessage, NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST } from "#host";
import type { NetlinkPatch, NetlinkStep } from "#oci";
import { addressBytes, type IpAddress } from "./addresses.ts";

/** Requests (linux/rtnetlink.h). */
const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_NEWROUTE = 24;
/** Attributes and values (linux/if_link.h, if_addr.h, veth.h, if.h, rtnetlink.h). */
const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_IFALIAS = 20;
const IFLA_NET_NS_FD = 28;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_INFO_SLAVE_KIND = 4;
const IFLA_INFO_SLAVE_DATA = 5;
const IFLA_BRPORT_MODE = 4;
const IFLA_BRPORT_ISOLATED = 33;
const VETH_INFO_PEER = 1;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_BROADCAST = 4;
const IFA_F_NODAD = 0x02;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RT_TABLE_MAIN = 254;
const RTPROT_BOOT = 3;
const RTN_UNICAST = 1;
const IFF_UP = 1;
const AF_UNSPEC = 0;
const AF_INET = 2;
const AF_INET6 = 10;

const SET = NLM_F_REQUEST | NLM_F_ACK;
const MAKE = SET | NLM_F_CREATE | NLM_F_EXCL;
const { EEXIST, ENODEV } = constants.errno;

const encoder = new TextEncoder();

/** Where a step's socket is opened, what it is for, and what beside success is fine. */
interface StepOptions {
  readonly netns: NetlinkStep["netns"];
  readonly purpose: string;
  readonly patches?: readonly NetlinkPatch[];
  readonly tolerate?: readonly number[];
}

function step(message: NetlinkMessage, options: StepOptions): NetlinkStep {
  const { netns, purpose, patches = [], tolerate = [] } = options;
  return { op: "netlink", netns, message: message.finish(), patches, tolerate, purpose };
}

/** struct ifinfomsg; `flags` are those to be set. Returns the offset of its index. */
function linkBody(message: NetlinkMessage, flags = 0, index = 0): number {
  return message.fields([1, AF_UNSPEC], [1, 0], [2, 0], [4, index], [4, flags], [4, flags]) + 4;
}

export const macBytes = (mac: string): Uint8Array =>
  Uint8Array.from(mac.split(":"), (part) => Number.parseInt(part, 16));

export interface VethPair {
  /** Of the host's end. */
  readonly name: string;
  readonly bridge: string;
  /** The container's end: its name, hardware address and network namespace (that of the child). */
  readonly peer: string;
  readonly macAddress: string;
  readonly mtu: number;
}

/**
 * Both ends at once: the host's end up and a port of the bridge, the other born in the child's namespace. That one
 * cannot be brought up in the same message: when the kernel configures it, it is not a pair yet (ENOTCONN).
 */
export function makeVeth({ name, bridge, peer, macAddress, mtu }: VethPair): NetlinkStep {
  const message = new NetlinkMessage(RTM_NEWLINK, MAKE);
  const patches: NetlinkPatch[] = [];
  linkBody(message, IFF_UP);
  message.text(IFLA_IFNAME, name);
  message.number(IFLA_MTU, mtu);
  patches.push({ offset: message.number(IFLA_MASTER, 0), kind: "index", name: bridge });
  message.nested(IFLA_LINKINFO, () => {
    message.attribute(IFLA_INFO_KIND, encoder.encode("veth"));
    message.nested(IFLA_INFO_DATA, () =>
      message.nested(VETH_INFO_PEER, () => {
        linkBody(message);
        message.text(IFLA_IFNAME, peer);
        message.attribute(IFLA_ADDRESS, macBytes(macAddress));
        message.number(IFLA_MTU, mtu);
        patches.push({ offset: message.number(IFLA_NET_NS_FD, 0), kind: "netns" });
      }),
    );
  });
  return step(message, { netns: "host", purpose: `make the link ${name} of bridge ${bridge}`, patches });
}

/** Lets a frame leave by the port it came from: a container that calls its own published port under br_netfilter. */
export function allowHairpin(name: string): NetlinkStep {
  return setPortFlag(name, { flag: IFLA_BRPORT_MODE, purpose: `let ${name} reflect frames` });
}

/** No frame goes from one isolated port of a bridge to another; what the host itself sends or routes reaches them. */
export function isolatePort(name: string): NetlinkStep {
  return setPortFlag(name, {
    flag: IFLA_BRPORT_ISOLATED,
    purpose: `keep ${name} apart from other containers`,
  });
}

function setPortFlag(name: string, { flag, purpose }: { flag: number; purpose: string }): NetlinkStep {
  const message = new NetlinkMessage(RTM_NEWLINK, SET);
  const offset = linkBody(message);
  message.nested(IFLA_LINKINFO, () => {
    message.attribute(IFLA_INFO_SLAVE_KIND, encoder.encode("bridge"));
    message.nested(IFLA_INFO_SLAVE_DATA, () => message.attribute(flag, Uint8Array.of(1)));
  });
  return step(message, { netns: "host", purpose, patches: [{ offset, kind: "index", name }] });
}

/** Makes a link that is there a port of the bridge. */
export function joinBridge(name: string, bridge: string): NetlinkStep {
  const message = new NetlinkMessage(RTM_NEWLINK, SET);
  const offset = linkBody(message);
  const master = message.number(IFLA_MASTER, 0);
  const patches = [
    { offset, kind: "index", name },
    { offset: master, kind: "index", name: bridge },
  ] as const;
  return step(message, { netns: "host", purpose: `join ${name} to bridge ${bridge}`, patches });
}

/** A bridge with a hardware address of its own, so that it does not change with its ports; fine when it is there. */
export function makeBridge(name: string, macAddress: string): NetlinkStep {
  const message = new NetlinkMessage(RTM_NEWLINK, MAKE);
  linkBody(message);
  message.text(IFLA_IFNAME, name);
  message.attribute(IFLA_ADDRESS, macBytes(macAddress));
  message.nested(IFLA_LINKINFO, () => message.attribute(IFLA_INFO_KIND, encoder.encode("bridge")));
  return step(message, { netns: "host", purpose: `make the bridge ${name}`, tolerate: [EEXIST] });
}

/** Sets MTU and alias of a link of the host, and brings it up. */
export function configureLink(name: string, { mtu, alias }: { mtu: number; alias: string }): NetlinkStep {
  const message = new NetlinkMessage(RTM_NEWLINK, SET);
  const offset = linkBody(message, IFF_UP);
  message.number(IFLA_MTU, mtu);
  message.attribute(IFLA_IFALIAS, encoder.encode(alias));
  const patches = [{ offset, kind: "index", name }] as const;
  return step(message, { netns: "host", purpose: `set up the link ${name}`, patches });
}

/** The loopback, which has index 1 in every namespace. */
export function bringLoopbackUp(): NetlinkStep {
  const message = new NetlinkMessage(RTM_NEWLINK, SET);
  linkBody(message, IFF_UP, 1);
  return step(message, { netns: "child", purpose: "bring the container's loopback up" });
}

/** A link of the child's namespace. */
export function bringUp(name: string): NetlinkStep {
  const message = new NetlinkMessage(RTM_NEWLINK, SET);
  const patches = [{ offset: linkBody(message, IFF_UP), kind: "index", name }] as const;
  return step(message, { netns: "child", purpose: `bring the container's ${name} up`, patches });
}

export function deleteLink(name: string): NetlinkStep {
  const message = new NetlinkMessage(RTM_DELLINK, SET);
  linkBody(message);
  message.text(IFLA_IFNAME, name);
  return step(message, { netns: "host", purpose: `remove the link ${name}`, tolerate: [ENODEV] });
}

export interface LinkAddressRequest {
  readonly link: string;
  readonly netns: "host" | "child";
  readonly address: IpAddress;
  readonly prefixLength: number;
}

export function addAddress(request: LinkAddressRequest): NetlinkStep {
  return addressStep(RTM_NEWADDR, request);
}

export function removeAddress(request: LinkAddressRequest): NetlinkStep {
  return addressStep(RTM_DELADDR, request);
}

function addressStep(type: number, request: LinkAddressRequest): NetlinkStep {
  const { link, netns, address, prefixLength } = request;
  const message = new NetlinkMessage(type, type === RTM_NEWADDR ? MAKE : SET);
  const isV4 = address.family === 4;
  // An IPv6 address is usable at once: it was given by us, so nobody else can have it.
  const start = message.fields(
    [1, isV4 ? AF_INET : AF_INET6],
    [1, prefixLength],
    [1, isV4 ? 0 : IFA_F_NODAD],
    [1, 0],
    [4, 0],
  );
  message.attribute(IFA_LOCAL, addressBytes(address));
  message.attribute(IFA_ADDRESS, addressBytes(address));
  if (isV4 && prefixLength < 31) message.attribute(IFA_BROADCAST, broadcastBytes(address, prefixLength));
  const verb = type === RTM_NEWADDR ? "give" : "take from";
  return step(message, {
    netns,
    purpose: `${verb} ${link} its address`,
    patches: [{ offset: start + 4, kind: "index", name: link }],
    tolerate: type === RTM_NEWADDR ? [EEXIST] : [constants.errno.EADDRNOTAVAIL],
  });
}

function broadcastBytes({ family, value }: IpAddress, prefixLength: number): Uint8Array {
  return addressBytes({ family, value: value | ((1n << BigInt(32 - prefixLength)) - 1n) });
}

/** The way out of the child's namespace. */
export function addDefaultRoute(link: string, gateway: IpAddress): NetlinkStep {
  const message = new NetlinkMessage(RTM_NEWROUTE, MAKE);
  message.fields(
    [1, gateway.family === 4 ? AF_INET : AF_INET6],
    [1, 0],
    [1, 0],
    [1, 0],
    [1, RT_TABLE_MAIN],
    [1, RTPROT_BOOT],
    [1, 0],
    [1, RTN_UNICAST],
    [4, 0],
  );
  message.attribute(RTA_GATEWAY, addressBytes(gateway));
  const offset = message.number(RTA_OIF, 0);
  const patches = [{ offset, kind: "index", name: link }] as const;
  return step(message, { netns: "child", purpose: `set the default route over ${link}`, patches });
}
