import { Fault } from "#errors";
import { canonicalAddress, parseAddress } from "../../addresses.ts";
import { DEFAULT_BRIDGE } from "../../defaults.ts";
import type { BridgeSettings, Network } from "../../driver.ts";

/** Docker's names of a bridge network's options. Source: Docker's "Bridge network driver" page. */
const PREFIX = "com.docker.network.bridge.";
export const NAME = `${PREFIX}name`;
const ICC = `${PREFIX}enable_icc`;
const MASQUERADE = `${PREFIX}enable_ip_masquerade`;
const HOST_BINDING = `${PREFIX}host_binding_ipv4`;
const TRUSTED = `${PREFIX}trusted_host_interfaces`;
const INHIBIT_IPV4 = `${PREFIX}inhibit_ipv4`;
const GATEWAY_MODES = { 4: `${PREFIX}gateway_mode_ipv4`, 6: `${PREFIX}gateway_mode_ipv6` } as const;
const SOURCES = { 4: "com.docker.network.host_ipv4", 6: "com.docker.network.host_ipv6" } as const;
const MTU = "com.docker.network.driver.mtu";
const IFACE_PREFIX = "com.docker.network.container_iface_prefix";

/** It becomes a part of rules and of paths: nothing that means something there. */
const LINK_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$/;
/** Of a container's links: a number follows. */
const LINK_PREFIX = /^[A-Za-z_][A-Za-z0-9_.-]{0,11}$/;
const SMALLEST_MTU = 68;
const LARGEST_MTU = 65535;
/** The words of Go's ParseBool, which Docker reads these options by. */
const TRUE = ["1", "t", "T", "TRUE", "true", "True"];
const FALSE = ["0", "f", "F", "FALSE", "false", "False"];

const GATEWAY_MODE_WORDS = ["nat", "nat-unprotected", "routed", "isolated"] as const;
export type GatewayMode = (typeof GATEWAY_MODE_WORDS)[number];

/** What a network's options say, or the daemon's settings where they say nothing. */
export interface BridgeOptions {
  readonly name: string;
  /** Of the daemon's own. */
  readonly isDefault: boolean;
  readonly isOpenInside: boolean;
  readonly isMasqueraded: boolean;
  readonly trustedInterfaces: readonly string[];
  readonly gatewayModes: Readonly<Record<4 | 6, GatewayMode>>;
  /** The address that what leaves gets; empty: that of the interface. */
  readonly sources: Readonly<Record<4 | 6, string>>;
  /** The bridge itself has no IPv4 address, though containers are told of one. */
  readonly isWithoutIpv4: boolean;
  readonly mtu: number;
}

export const DEFAULT_MTU = 1500;

/** The daemon's own, as it is told from others. */
export const isDefaultNetwork = ({ options }: Pick<Network, "options">): boolean =>
  options[DEFAULT_BRIDGE] === "true";

/** Throws `invalid`, naming the option, for what is not to be understood. */
export function readOptions(
  network: Pick<Network, "id" | "name" | "options" | "isInternal">,
  settings: Pick<BridgeSettings, "name" | "icc" | "ipMasquerade" | "mtu">,
): BridgeOptions {
  const { options } = network;
  const isDefault = isDefaultNetwork(network);
  const name = isDefault ? settings.name : (options[NAME] ?? `br-${network.id.slice(0, 12)}`);
  if (!LINK_NAME.test(name))
    throw refused(NAME, name, "a link's name has at most 15 letters, digits, dots, dashes and underscores");
  const prefix = options[IFACE_PREFIX];
  if (prefix !== undefined && !LINK_PREFIX.test(prefix))
    throw refused(IFACE_PREFIX, prefix, "it must be at most 12 letters and digits");
  const binding = options[HOST_BINDING] ?? "";
  if (binding !== "" && parseAddress(binding)?.family !== 4)
    throw refused(HOST_BINDING, binding, "it is no IPv4 address");
  return {
    name,
    isDefault,
    isOpenInside: isDefault ? settings.icc : truth(options, ICC, true),
    isMasqueraded: isDefault ? settings.ipMasquerade : truth(options, MASQUERADE, true),
    trustedInterfaces: linkNames(options[TRUSTED] ?? ""),
    gatewayModes: { 4: gatewayMode(network, 4), 6: gatewayMode(network, 6) },
    sources: { 4: source(options, 4), 6: source(options, 6) },
    isWithoutIpv4: truth(options, INHIBIT_IPV4, false),
    mtu: mtuOf(options[MTU]) ?? (isDefault ? settings.mtu || DEFAULT_MTU : DEFAULT_MTU),
  };
}

/** As Docker shows the network that every daemon has. */
export function defaultOptions(settings: BridgeSettings): Readonly<Record<string, string>> {
  return {
    [DEFAULT_BRIDGE]: "true",
    [ICC]: String(settings.icc),
    [MASQUERADE]: String(settings.ipMasquerade),
    [HOST_BINDING]: settings.defaultAddress || "0.0.0.0",
    [NAME]: settings.name,
    [MTU]: String(settings.mtu || DEFAULT_MTU),
  };
}

function truth(options: Network["options"], key: string, otherwise: boolean): boolean {
  const text = options[key];
  if (text === undefined || text === "") return otherwise;
  if (TRUE.includes(text)) return true;
  if (FALSE.includes(text)) return false;
  throw refused(key, text, "it takes true or false");
}

function linkNames(text: string): string[] {
  // Docker separates them by colons, since commas separate options in some places.
  const names = text.split(/[:,]/).filter(Boolean);
  const wrong = names.find((name) => !LINK_NAME.test(name));
  if (wrong !== undefined) throw refused(TRUSTED, text, `${wrong} cannot be the name of a link`);
  return [...new Set(names)];
}

function gatewayMode(
  { options, isInternal }: Pick<Network, "options" | "isInternal">,
  family: 4 | 6,
): GatewayMode {
  const key = GATEWAY_MODES[family];
  const text = options[key] || "nat";
  const mode = GATEWAY_MODE_WORDS.find((word) => word === text);
  if (mode === undefined) throw refused(key, text, `it takes ${GATEWAY_MODE_WORDS.join(", ")}`);
  if (mode === "isolated" && !isInternal)
    throw refused(key, text, "only an internal network can be isolated");
  return mode;
}

function source(options: Network["options"], family: 4 | 6): string {
  const text = options[SOURCES[family]] ?? "";
  if (text === "") return "";
  const address = canonicalAddress(text);
  if (address !== undefined && parseAddress(address)?.family === family) return address;
  throw refused(SOURCES[family], text, `it is no IPv${family} address`);
}

function mtuOf(text: string | undefined): number | undefined {
  if (text === undefined || text === "" || text === "0") return undefined;
  const mtu = Number(text);
  if (/^\d{1,5}$/.test(text) && mtu >= SMALLEST_MTU && mtu <= LARGEST_MTU) return mtu;
  throw refused(MTU, text, `it takes a number from ${SMALLEST_MTU} to ${LARGEST_MTU}`);
}

function refused(key: string, value: string, reason: string): Fault {
  return new Fault("invalid", `Cannot use the network option ${key}=${value}: ${reason}`);
}
