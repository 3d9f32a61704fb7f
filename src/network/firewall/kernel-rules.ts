import { NETLINK_NETFILTER, Netlink, RawSocket, readAttributes, readNumber, readText } from "#host";
import type { Family } from "./iptables-rules.ts";

/** Source: linux/netfilter_ipv4/ip_tables.h, netfilter_ipv6/ip6_tables.h: struct ipt_getinfo. */
const SOCK_RAW = 3;
const IPPROTO_RAW = 255;
const SOCKETS: Readonly<Record<Family, { readonly family: number; readonly level: number }>> = {
  4: { family: 2, level: 0 },
  6: { family: 10, level: 41 },
};
const GET_INFO = 64;
const NAME_BYTES = 32;
const INFO_BYTES = 84;
const COUNT_OFFSET = 76;
/** A table without rules has an entry for each chain's policy, and one that ends it. */
const BARE_ENTRIES: Readonly<Record<string, number>> = { raw: 3, nat: 5, filter: 4 };
/** Source: linux/netfilter/nf_tables.h. */
const NFT_GETTABLE = (10 << 8) | 1;
const NFT_GETRULE = (10 << 8) | 7;
const NFTA_TABLE = 1;
/** struct nfgenmsg. */
const BODY_BYTES = 4;
/** `inet` tables are for both families. */
const NFPROTO = { 4: 2, 6: 10, inet: 1 } as const;

/** Asks the kernel about the tables of iptables-legacy. Asking for one that is not there would make it. */
export class LegacyTables implements Disposable {
  readonly #socket: RawSocket;
  readonly #level: number;

  /** Throws `internal` when the kernel has no sockets of that family. */
  constructor(family: Family) {
    this.#socket = new RawSocket(SOCKETS[family].family, SOCK_RAW, IPPROTO_RAW);
    this.#level = SOCKETS[family].level;
  }

  /** How long a table is and where its chains begin, as the kernel has it; empty when there is no such table. */
  shape(table: string): Uint8Array {
    const info = new Uint8Array(INFO_BYTES);
    new TextEncoder().encodeInto(table, info);
    return this.#socket.get(this.#level, GET_INFO, info) < 0 ? new Uint8Array() : info.subarray(NAME_BYTES);
  }

  hasRules(table: string): boolean {
    const entries = readNumber(this.shape(table), COUNT_OFFSET - NAME_BYTES);
    return entries !== undefined && entries > (BARE_ENTRIES[table] ?? 0);
  }

  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]();
  }
}

/** `filter`, `nat`, …: the tables that nftables has of a family. */
export function nftTables(family: keyof typeof NFPROTO): readonly string[] {
  return namesIn(NFT_GETTABLE, family);
}

/** The table of each rule that nftables has of a family. */
export function nftRuleTables(family: Family): readonly string[] {
  return namesIn(NFT_GETRULE, family);
}

function namesIn(request: number, family: keyof typeof NFPROTO): string[] {
  try {
    using netlink = new Netlink(NETLINK_NETFILTER);
    const bodies = netlink.dump(request, Uint8Array.of(NFPROTO[family], 0, 0, 0));
    return bodies.map((body) => readText(readAttributes(body, BODY_BYTES).get(NFTA_TABLE)));
  } catch {
    // This kernel has no nftables.
    return [];
  }
}
