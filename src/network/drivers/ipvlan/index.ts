import { Fault } from "#errors";
import type { Network, NetworkDriverKind } from "../../driver.ts";
import { IPVLAN_FLAGS, IPVLAN_MODES, type UpperKind } from "../../steps/upper-links.ts";
import { UpperDriver, type UpperStyle } from "../upper/driver.ts";

/** Source: Docker, ipvlan driver. */
const MODE = "ipvlan_mode";
const FLAG = "ipvlan_flag";
type Ipvlan = Extract<UpperKind, { kind: "ipvlan" }>;

const STYLE: UpperStyle = {
  kind: "ipvlan",
  options: [MODE, FLAG],
  hasOwnMac: false,
  upperOf: ipvlanOf,
  isGatewayOnLink: (network) => ipvlanOf(network).mode !== "l2",
  // The kernel keeps both once for a parent: a link with others changes those of all.
  clash(network, other) {
    if (other.driver !== "ipvlan") return `a link carries either ipvlan or ${other.driver} networks`;
    const [mine, its] = [ipvlanOf(network), ipvlanOf(other)];
    if (mine.mode === its.mode && mine.flag === its.flag) return undefined;
    return `all ipvlan networks of a link have one mode and flag, there ${its.mode} and ${its.flag}`;
  },
};

/** Containers that share the hardware address of a link of the host's. */
export const ipvlanNetwork: NetworkDriverKind = {
  name: "ipvlan",
  probe: () => ({ usable: true }),
  open: (host) => new UpperDriver(host, STYLE),
};

export function ipvlanOf({ options }: Pick<Network, "options">): Ipvlan {
  const mode = options[MODE] || "l2";
  const flag = options[FLAG] || "bridge";
  if (!Object.hasOwn(IPVLAN_MODES, mode))
    throw new Fault(
      "invalid",
      `requested ipvlan mode '${mode}' is not valid, 'l2' mode is the ipvlan driver default; there are ${Object.keys(IPVLAN_MODES).join(", ")}`,
    );
  if (!Object.hasOwn(IPVLAN_FLAGS, flag))
    throw new Fault(
      "invalid",
      `requested ipvlan flag '${flag}' is not valid, 'bridge' is the ipvlan driver default; there are ${Object.keys(IPVLAN_FLAGS).join(", ")}`,
    );
  return { kind: "ipvlan", mode: mode as Ipvlan["mode"], flag: flag as Ipvlan["flag"] };
}
