import { constants } from "node:os";
import { NetlinkMessage } from "#host";
import type { NetlinkPatch, NetlinkStep } from "#oci";
import {
  IFF_UP,
  IFLA_ADDRESS,
  IFLA_IFNAME,
  IFLA_INFO_DATA,
  IFLA_INFO_KIND,
  IFLA_LINKINFO,
  IFLA_MASTER,
  IFLA_MTU,
  IFLA_NET_NS_FD,
  linkBody,
  MAKE,
  macBytes,
  RTM_DELLINK,
  RTM_NEWLINK,
  SET,
  step,
  textBytes,
} from "./step.ts";

/** Attributes (linux/if_link.h, veth.h). */
const IFLA_IFALIAS = 20;
const VETH_INFO_PEER = 1;
const { EEXIST, ENODEV } = constants.errno;

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
    message.attribute(IFLA_INFO_KIND, textBytes("veth"));
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

/** A bridge with a hardware address of its own, so that it does not change with its ports; fine when it is there. */
export function makeBridge(name: string, macAddress: string): NetlinkStep {
  const message = new NetlinkMessage(RTM_NEWLINK, MAKE);
  linkBody(message);
  message.text(IFLA_IFNAME, name);
  message.attribute(IFLA_ADDRESS, macBytes(macAddress));
  message.nested(IFLA_LINKINFO, () => message.attribute(IFLA_INFO_KIND, textBytes("bridge")));
  return step(message, { netns: "host", purpose: `make the bridge ${name}`, tolerate: [EEXIST] });
}

/** Sets MTU and alias of a link of the host, and brings it up. */
export function configureLink(name: string, { mtu, alias }: { mtu: number; alias: string }): NetlinkStep {
  const message = new NetlinkMessage(RTM_NEWLINK, SET);
  const offset = linkBody(message, IFF_UP);
  message.number(IFLA_MTU, mtu);
  message.attribute(IFLA_IFALIAS, textBytes(alias));
  const patches = [{ offset, kind: "index", name }] as const;
  return step(message, { netns: "host", purpose: `set up the link ${name}`, patches });
}

export interface HandedLink {
  /** What it is called on the host, and what in the child's namespace. */
  readonly source: string;
  readonly name: string;
  /** Empty: the one that it has. */
  readonly macAddress: string;
}

/** A link of the host becomes the child's, all in one message: the kernel moves it first and then changes it. */
export function handLinkOver({ source, name, macAddress }: HandedLink): NetlinkStep {
  const message = new NetlinkMessage(RTM_NEWLINK, SET);
  const offset = linkBody(message);
  message.text(IFLA_IFNAME, name);
  if (macAddress !== "") message.attribute(IFLA_ADDRESS, macBytes(macAddress));
  const netns = message.number(IFLA_NET_NS_FD, 0);
  return step(message, {
    netns: "host",
    purpose: `move the link ${source} into the container as ${name}`,
    patches: [
      { offset, kind: "index", name: source },
      { offset: netns, kind: "netns" },
    ],
  });
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
  return deletion(name, "host");
}

/** A link of the child's namespace, whatever it is joined to outside. */
export function deleteChildLink(name: string): NetlinkStep {
  return deletion(name, "child");
}

function deletion(name: string, netns: NetlinkStep["netns"]): NetlinkStep {
  const message = new NetlinkMessage(RTM_DELLINK, SET);
  linkBody(message);
  message.text(IFLA_IFNAME, name);
  return step(message, { netns, purpose: `remove the link ${name}`, tolerate: [ENODEV] });
}
