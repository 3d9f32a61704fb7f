import { Fault } from "#errors";
import { findLink, listLinks } from "#host";
import type { Network, NetworkHost } from "../../driver.ts";
import { performOnHost } from "../../host-steps.ts";
import { deleteLink } from "../../steps/links.ts";
import { knowsLinkKind, makeDummy, makeVlan, markLink } from "../../steps/upper-links.ts";

/** The option that names the link of the host below the network. Source: Docker, macvlan and ipvlan drivers. */
export const PARENT = "parent";
const MAX_NAME_CHARACTERS = 15;
const MAX_VLAN = 4094;

type Host = Pick<NetworkHost, "netlink" | "settings">;

const shortOf = ({ id }: Pick<Network, "id">): string => id.slice(0, 12);
/** For a network without a parent: a link that leads nowhere, called as Docker calls it. */
export const standInName = (network: Pick<Network, "id">): string => `dm-${shortOf(network)}`;
/** By this a link says that bunker made it, which daemon (by its bridge), and for which network. */
const aliasStart = ({ settings }: Host): string => `bunker parent ${settings.name} `;
const parentOf = ({ options }: Network): string => options[PARENT] ?? "";

/** `eth0.10` → eth0 and 10. Undefined for what has no dot. Throws `invalid` for a number that is none of a VLAN. */
export function parseVlan(parent: string): { parent: string; vlan: number } | undefined {
  const dot = parent.lastIndexOf(".");
  if (dot < 0) return undefined;
  const [head, tail] = [parent.slice(0, dot), parent.slice(dot + 1)];
  const vlan = Number(tail);
  if (head === "" || !/^\d+$/.test(tail))
    throw new Fault(
      "invalid",
      `Cannot use -o parent=${parent}: a VLAN's link is named PARENT.VLAN, for instance eth0.10`,
    );
  if (vlan < 1 || vlan > MAX_VLAN)
    throw new Fault("invalid", `vlan id must be between 1-${MAX_VLAN}, received: ${tail}`);
  return { parent: head, vlan };
}

/** Throws `invalid` when the network cannot stand on its parent, `unsupported` when the kernel cannot make it. */
export function admitParent(host: Host, network: Network): Network {
  const asked = parentOf(network);
  if (asked === "lo")
    throw new Fault("invalid", `loopback interface is not a valid ${network.driver} parent link`);
  if (asked.length > MAX_NAME_CHARACTERS || /[\s/]/.test(asked))
    throw new Fault("invalid", `-o parent interface was not found on the host: ${asked}`);
  const parent = asked === "" ? standInName(network) : asked;
  const { kind } = plan(host, { ...network, options: { ...network.options, [PARENT]: parent } });
  if (kind !== "there" && !knowsLinkKind(host.netlink, kind))
    throw new Fault(
      "unsupported",
      `Cannot make ${parent} for network ${network.name}: this kernel has no ${kind} links; give -o parent=LINK, one that is there`,
    );
  return { ...network, options: { ...network.options, [PARENT]: parent } };
}

type Plan =
  | { readonly kind: "there" }
  | { readonly kind: "dummy" }
  | { readonly kind: "vlan"; readonly parent: string; readonly vlan: number };

function plan({ netlink }: Host, network: Network): Plan {
  const parent = parentOf(network);
  if (findLink(netlink, parent) !== undefined) return { kind: "there" };
  if (parent === standInName(network)) return { kind: "dummy" };
  const vlan = parseVlan(parent);
  if (vlan === undefined || findLink(netlink, vlan.parent) === undefined)
    throw new Fault("invalid", `-o parent interface was not found on the host: ${vlan?.parent ?? parent}`);
  return { kind: "vlan", ...vlan };
}

/** The parent is there when this returns: made where it was not, and then marked as ours. */
export function raiseParent(host: Host, network: Network): void {
  const made = plan(host, network);
  if (made.kind === "there") return;
  const parent = parentOf(network);
  performOnHost(host.netlink, made.kind === "dummy" ? makeDummy(parent) : makeVlan(parent, made));
  performOnHost(host.netlink, markLink(parent, `${aliasStart(host)}${shortOf(network)}`));
}

/** Removes the parents that we made and that none of these networks stands on. */
export function dropParents(host: Host, networks: Iterable<Network>): void {
  const used = new Set([...networks].map(parentOf));
  for (const { name, alias } of listLinks(host.netlink))
    if (alias.startsWith(aliasStart(host)) && !used.has(name)) performOnHost(host.netlink, deleteLink(name));
}
