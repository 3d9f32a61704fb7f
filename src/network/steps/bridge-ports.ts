import { NetlinkMessage } from "#host";
import type { NetlinkStep } from "#oci";
import { IFLA_LINKINFO, IFLA_MASTER, linkBody, RTM_NEWLINK, SET, step, textBytes } from "./step.ts";

/** Attributes (linux/if_link.h). */
const IFLA_INFO_SLAVE_KIND = 4;
const IFLA_INFO_SLAVE_DATA = 5;
const IFLA_BRPORT_MODE = 4;
const IFLA_BRPORT_ISOLATED = 33;

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
    message.attribute(IFLA_INFO_SLAVE_KIND, textBytes("bridge"));
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
