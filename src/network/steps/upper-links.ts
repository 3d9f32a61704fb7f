import { constants } from "node:os";
import { type Netlink, NetlinkMessage } from "#host";
import type { NetlinkPatch, NetlinkStep } from "#oci";
import {
  IFF_UP,
  IFLA_ADDRESS,
  IFLA_IFNAME,
  IFLA_INFO_DATA,
  IFLA_INFO_KIND,
  IFLA_LINKINFO,
  IFLA_MTU,
  IFLA_NET_NS_FD,
  linkBody,
  MAKE,
  macBytes,
  RTM_NEWLINK,
  SET,
  step,
  textBytes,
} from "./step.ts";

/** Attributes and values (linux/if_link.h, if_vlan.h). */
const IFLA_LINK = 5;
const IFLA_IFALIAS = 20;
const IFLA_VLAN_ID = 1;
const IFLA_MACVLAN_MODE = 1;
const IFLA_IPVLAN_MODE = 1;
const IFLA_IPVLAN_FLAGS = 2;
const { EOPNOTSUPP } = constants.errno;

const shortBytes = (value: number): Uint8Array => Uint8Array.of(value & 255, value >> 8);

export const MACVLAN_MODES = { private: 1, vepa: 2, bridge: 4, passthru: 8 } as const;
export const IPVLAN_MODES = { l2: 0, l3: 1, l3s: 2 } as const;
export const IPVLAN_FLAGS = { bridge: 0, private: 1, vepa: 2 } as const;

export type UpperKind =
  | { readonly kind: "macvlan"; readonly mode: keyof typeof MACVLAN_MODES }
  | {
      readonly kind: "ipvlan";
      readonly mode: keyof typeof IPVLAN_MODES;
      readonly flag: keyof typeof IPVLAN_FLAGS;
    };

export interface UpperLink {
  readonly upper: UpperKind;
  /** A link of the host. */
  readonly parent: string;
  /** Its name in the child's namespace, where it is born. */
  readonly name: string;
  /** Empty: the kernel's choice; ipvlan has its parent's. */
  readonly macAddress: string;
  /** 0: that of the parent. */
  readonly mtu: number;
  /** Where it is born; the child's if absent. */
  readonly netns?: "host" | "child";
}

/** A link over another one. */
export function makeUpperLink(link: UpperLink): NetlinkStep {
  const { upper, parent, name, macAddress, mtu, netns = "child" } = link;
  const message = new NetlinkMessage(RTM_NEWLINK, MAKE);
  const patches: NetlinkPatch[] = [];
  linkBody(message);
  message.text(IFLA_IFNAME, name);
  if (macAddress !== "") message.attribute(IFLA_ADDRESS, macBytes(macAddress));
  if (mtu > 0) message.number(IFLA_MTU, mtu);
  patches.push({ offset: message.number(IFLA_LINK, 0), kind: "index", name: parent });
  if (netns === "child") patches.push({ offset: message.number(IFLA_NET_NS_FD, 0), kind: "netns" });
  message.nested(IFLA_LINKINFO, () => {
    message.attribute(IFLA_INFO_KIND, textBytes(upper.kind));
    message.nested(IFLA_INFO_DATA, () => {
      if (upper.kind === "macvlan") message.number(IFLA_MACVLAN_MODE, MACVLAN_MODES[upper.mode]);
      else {
        message.attribute(IFLA_IPVLAN_MODE, shortBytes(IPVLAN_MODES[upper.mode]));
        message.attribute(IFLA_IPVLAN_FLAGS, shortBytes(IPVLAN_FLAGS[upper.flag]));
      }
    });
  });
  return step(message, {
    netns: "host",
    purpose: `make the ${upper.kind} link ${name} over ${parent}`,
    patches,
  });
}

/** 802.1q, up. */
export function makeVlan(
  name: string,
  { parent, vlan }: { readonly parent: string; readonly vlan: number },
): NetlinkStep {
  const message = new NetlinkMessage(RTM_NEWLINK, MAKE);
  linkBody(message, IFF_UP);
  message.text(IFLA_IFNAME, name);
  const offset = message.number(IFLA_LINK, 0);
  message.nested(IFLA_LINKINFO, () => {
    message.attribute(IFLA_INFO_KIND, textBytes("vlan"));
    message.nested(IFLA_INFO_DATA, () => message.attribute(IFLA_VLAN_ID, shortBytes(vlan)));
  });
  return step(message, {
    netns: "host",
    purpose: `make ${name}, VLAN ${vlan} of ${parent}`,
    patches: [{ offset, kind: "index", name: parent }],
  });
}

/** A link that leads nowhere, up. */
export function makeDummy(name: string): NetlinkStep {
  const message = new NetlinkMessage(RTM_NEWLINK, MAKE);
  linkBody(message, IFF_UP);
  message.text(IFLA_IFNAME, name);
  message.nested(IFLA_LINKINFO, () => message.attribute(IFLA_INFO_KIND, textBytes("dummy")));
  return step(message, { netns: "host", purpose: `make the link ${name}` });
}

/** By its alias a link says whose it is. The kernel takes none with the request that makes a link. */
export function markLink(name: string, alias: string): NetlinkStep {
  const message = new NetlinkMessage(RTM_NEWLINK, SET);
  const offset = linkBody(message);
  message.attribute(IFLA_IFALIAS, textBytes(alias));
  return step(message, {
    netns: "host",
    purpose: `mark the link ${name}`,
    patches: [{ offset, kind: "index", name }],
  });
}

/**
 * Whether this kernel can make links of a kind. It is asked for one with a hardware address that is too short, which
 * every kind refuses; a kind it does not know it refuses with other words.
 */
export function knowsLinkKind(netlink: Netlink, kind: string): boolean {
  const message = new NetlinkMessage(RTM_NEWLINK, MAKE);
  linkBody(message);
  message.text(IFLA_IFNAME, "bunker-probe");
  message.attribute(IFLA_ADDRESS, Uint8Array.of(2));
  message.nested(IFLA_LINKINFO, () => message.attribute(IFLA_INFO_KIND, textBytes(kind)));
  return netlink.ask(message.finish()).errno !== EOPNOTSUPP;
}
