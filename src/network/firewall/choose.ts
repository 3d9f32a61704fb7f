import { existsSync, readFileSync, realpathSync } from "node:fs";
import { findProgram, type Log } from "#host";
import type { BridgeSettings } from "../driver.ts";
import { Firewall } from "./firewall.ts";
import { IptablesBackend, type IptablesKind } from "./iptables.ts";
import type { Family } from "./iptables-rules.ts";
import { LegacyTables, nftRuleTables, nftTables } from "./kernel-rules.ts";
import { NftBackend } from "./nft.ts";
import { tableOf } from "./nft-script.ts";
import type { FirewallBackend } from "./state.ts";

/** Tables that iptables of either kind works with. */
const IPTABLES_TABLES = ["filter", "nat", "raw", "mangle", "security"];
const LEGACY_NAMES: Readonly<Record<Family, string>> = {
  4: "/proc/net/ip_tables_names",
  6: "/proc/net/ip6_tables_names",
};

export interface FirewallSurroundings {
  readonly log: Log;
  /** Ends the watch over what others do. */
  readonly signal?: AbortSignal;
}

/**
 * The firewall as the settings and the host want it. Of itself it is iptables': where another engine, ufw or an
 * administrator set the policy of FORWARD to DROP, only a rule in that very chain lets a container's packets pass.
 * Tables of our own are chosen where that is asked for, and where there is no iptables.
 */
export function openFirewall(settings: BridgeSettings, { log, signal }: FirewallSurroundings): Firewall {
  const families = familiesOf(settings);
  const backend = chooseBackend(settings, families);
  return new Firewall(backend, log, {
    families,
    ...(signal && { signal }),
    others: () => leftBehind(settings.name, families).filter(({ name }) => name !== backend.name),
  });
}

function familiesOf({ iptables, ip6tables }: BridgeSettings): Family[] {
  const hasIpv6 = existsSync("/proc/sys/net/ipv6");
  return [...(iptables ? [4 as const] : []), ...(ip6tables && iptables && hasIpv6 ? [6 as const] : [])];
}

function chooseBackend(
  { firewallBackend, name }: BridgeSettings,
  families: readonly Family[],
): FirewallBackend {
  const hasIptables = findProgram("iptables-restore") !== undefined;
  const hasNft = findProgram("nft") !== undefined;
  if (firewallBackend === "nftables" || (firewallBackend === "" && !hasIptables && hasNft))
    return new NftBackend({ daemon: name, families });
  return new IptablesBackend({ daemon: name, families, ...chooseKind() });
}

/** The programs for the kind of rules that the host has; those it calls iptables when it has both or none. */
export function chooseKind(): { readonly kind: IptablesKind; readonly isNft: boolean } {
  const isPlainNft = plainIsNft();
  const plain = { kind: "iptables", isNft: isPlainNft } as const;
  const [hasLegacy, hasNft] = [hasLegacyRules(), hasNftRules()];
  if (isPlainNft && hasLegacy && !hasNft && hasPrograms("iptables-legacy"))
    return { kind: "iptables-legacy", isNft: false };
  if (!isPlainNft && hasNft && !hasLegacy && hasPrograms("iptables-nft"))
    return { kind: "iptables-nft", isNft: true };
  return plain;
}

const hasPrograms = (kind: IptablesKind): boolean =>
  findProgram(`${kind}-restore`) !== undefined && findProgram(`${kind}-save`) !== undefined;

/** iptables is a name for one of two programs, which is told by its own name. */
function plainIsNft(): boolean {
  const path = findProgram("iptables-restore");
  if (path === undefined) return true;
  try {
    return realpathSync(path).includes("nft");
  } catch {
    return true;
  }
}

function legacyTablesThere(family: Family): string[] {
  try {
    return readFileSync(LEGACY_NAMES[family], "utf8").split("\n").filter(Boolean);
  } catch {
    return [];
  }
}

export function hasLegacyRules(): boolean {
  const there = legacyTablesThere(4).filter((table) => IPTABLES_TABLES.includes(table));
  if (there.length === 0) return false;
  using tables = new LegacyTables(4);
  return there.some((table) => tables.hasRules(table));
}

export const hasNftRules = (): boolean => nftRuleTables(4).some((table) => IPTABLES_TABLES.includes(table));

/** Back-ends in which an earlier start may have left rules: only where there are tables to look into. */
function leftBehind(daemon: string, families: readonly Family[]): FirewallBackend[] {
  const found: FirewallBackend[] = [];
  const tables = families.flatMap((family) => nftTables(family).map((table) => ({ family, table })));
  if (tables.some(({ family, table }) => tableOf(daemon, family).endsWith(` ${table}`)))
    found.push(new NftBackend({ daemon, families }));
  if (tables.some(({ table }) => IPTABLES_TABLES.includes(table)) && hasPrograms("iptables-nft"))
    found.push(new IptablesBackend({ daemon, families, kind: "iptables-nft", isNft: true }));
  if (families.some((family) => legacyTablesThere(family).length > 0) && hasPrograms("iptables-legacy"))
    found.push(new IptablesBackend({ daemon, families, kind: "iptables-legacy", isNft: false }));
  return found;
}
