import { type NetlinkMessage, NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST } from "#host";
import type { NetlinkPatch, NetlinkStep } from "#oci";

/** Requests (linux/rtnetlink.h) and address families. */
export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_NEWROUTE = 24;
export const AF_UNSPEC = 0;
export const AF_INET = 2;
export const AF_INET6 = 10;
/** Attributes and values (linux/if_link.h, linux/if.h) of which more than one kind of link speaks. */
export const IFLA_ADDRESS = 1;
export const IFLA_IFNAME = 3;
export const IFLA_MTU = 4;
export const IFLA_MASTER = 10;
export const IFLA_LINKINFO = 18;
export const IFLA_NET_NS_FD = 28;
export const IFLA_INFO_KIND = 1;
export const IFLA_INFO_DATA = 2;
export const IFF_UP = 1;

/** Flags of a request that changes what is there, and of one that makes what must not be there yet. */
export const SET = NLM_F_REQUEST | NLM_F_ACK;
export const MAKE = SET | NLM_F_CREATE | NLM_F_EXCL;

const encoder = new TextEncoder();

/** A string without a closing zero, as the kernel wants names of kinds. */
export const textBytes = (text: string): Uint8Array => encoder.encode(text);

/** Where a step's socket is opened, what it is for, and what beside success is fine. */
export interface StepOptions {
  readonly netns: NetlinkStep["netns"];
  readonly purpose: string;
  readonly patches?: readonly NetlinkPatch[];
  readonly tolerate?: readonly number[];
}

export function step(message: NetlinkMessage, options: StepOptions): NetlinkStep {
  const { netns, purpose, patches = [], tolerate = [] } = options;
  return { op: "netlink", netns, message: message.finish(), patches, tolerate, purpose };
}

/** struct ifinfomsg; `flags` are those to be set. Returns the offset of its index. */
export function linkBody(message: NetlinkMessage, flags = 0, index = 0): number {
  return message.fields([1, AF_UNSPEC], [1, 0], [2, 0], [4, index], [4, flags], [4, flags]) + 4;
}

export const macBytes = (mac: string): Uint8Array =>
  Uint8Array.from(mac.split(":"), (part) => Number.parseInt(part, 16));
