import { NetlinkMessage } from "#host";
import type { NetlinkStep } from "#oci";
import { addressBytes, type IpAddress } from "../addresses.ts";
import { AF_INET, AF_INET6, MAKE, RTM_NEWROUTE, step } from "./step.ts";

/** Attributes and values (linux/rtnetlink.h). */
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RT_TABLE_MAIN = 254;
const RTPROT_BOOT = 3;
const RTN_UNICAST = 1;

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
