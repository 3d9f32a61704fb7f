import { Fault } from "#errors";
import type { Network, NetworkDriverKind } from "../../driver.ts";
import { MACVLAN_MODES, type UpperKind } from "../../steps/upper-links.ts";
import { UpperDriver, type UpperStyle } from "../upper/driver.ts";

/** Source: Docker, macvlan driver. */
const MODE = "macvlan_mode";
type Macvlan = Extract<UpperKind, { kind: "macvlan" }>;

const STYLE: UpperStyle = {
  kind: "macvlan",
  options: [MODE],
  hasOwnMac: true,
  upperOf: macvlanOf,
  isGatewayOnLink: () => false,
  clash(network, other) {
    if (other.driver !== "macvlan") return `a link carries either macvlan or ${other.driver} networks`;
    const passthru = [network, other].find((one) => macvlanOf(one).mode === "passthru");
    return passthru === undefined ? undefined : "mode passthru takes the whole link";
  },
};

/** Containers with hardware addresses of their own on a network of the host's. */
export const macvlanNetwork: NetworkDriverKind = {
  name: "macvlan",
  probe: () => ({ usable: true }),
  open: (host) => new UpperDriver(host, STYLE),
};

export function macvlanOf({ options }: Pick<Network, "options">): Macvlan {
  const mode = options[MODE] || "bridge";
  if (Object.hasOwn(MACVLAN_MODES, mode)) return { kind: "macvlan", mode: mode as Macvlan["mode"] };
  throw new Fault(
    "invalid",
    `requested macvlan mode '${mode}' is not valid, 'bridge' mode is the macvlan driver default; there are ${Object.keys(MACVLAN_MODES).join(", ")}`,
  );
}
