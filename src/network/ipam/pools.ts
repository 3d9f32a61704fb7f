import { Fault } from "#errors";
import {
  contains,
  type IpAddress,
  overlaps,
  parseAddress,
  requirePrefix,
  type Subnet,
  sizeOf,
} from "../addresses.ts";

/** A block out of which networks of a given prefix length are cut. */
export interface Pool {
  readonly base: string;
  readonly size: number;
}

/** Docker's: a /16 each of 172.17 to 172.31, then /20s of 192.168. */
export const DEFAULT_POOLS: readonly Pool[] = [
  ...Array.from({ length: 15 }, (_, index) => ({ base: `172.${17 + index}.0.0/16`, size: 16 })),
  { base: "192.168.0.0/16", size: 20 },
];

/** Of a round no more are tried: a /8 in /28s would be a million. */
const MAX_TRIED = 65_536n;
/** Source: RFC 4193, section 3.1: fd00::/8, then 40 bits that nobody else has. */
const ULA_PREFIX = 0xfdn;
const ULA_GLOBAL_ID_BYTES = 5;
const ULA_NETWORK_BITS = 64;

/** Networks of 64 bits out of a block that is this host's alone, as its random number says. */
export function uniqueLocalPool(globalId: Uint8Array): Pool {
  const id = globalId
    .slice(0, ULA_GLOBAL_ID_BYTES)
    .reduce((sum, byte) => sum * 256n + BigInt(byte), ULA_PREFIX);
  const groups = [32n, 16n, 0n].map((shift) => ((id >> shift) & 0xffffn).toString(16));
  return { base: `${groups.join(":")}::/48`, size: ULA_NETWORK_BITS };
}

/** A pool's block, and how many subnets it has. Throws `invalid` for one that cannot be cut so. */
function measure(pool: Pool): { readonly base: Subnet; readonly size: number; readonly count: bigint } {
  const { subnet: base } = requirePrefix(pool.base, "the address pool");
  const longest = base.family === 4 ? 32 : 128;
  if (pool.size < base.prefixLength || pool.size > longest)
    throw new Fault(
      "invalid",
      `Cannot use the address pool ${pool.base}: networks of ${pool.size} bits cannot be cut out of it`,
    );
  return { base, size: pool.size, count: 1n << BigInt(pool.size - base.prefixLength) };
}

/**
 * The next subnet of the pools that overlaps nothing taken: the first behind `last`, which was given last, or from
 * the beginning. Throws `conflict` when there is none.
 */
export function chooseSubnet(pools: readonly Pool[], taken: readonly Subnet[], last?: Subnet): Subnet {
  const measured = pools.map(measure);
  const total = measured.reduce((sum, { count }) => sum + count, 0n);
  const start = last === undefined ? 0n : indexAfter(measured, last);
  for (let tried = 0n; tried < total && tried < MAX_TRIED; tried += 1n) {
    const subnet = subnetAt(measured, (start + tried) % total);
    if (subnet !== undefined && !taken.some((other) => overlaps(subnet, other))) return subnet;
  }
  throw new Fault(
    "conflict",
    "could not find an available, non-overlapping address pool among the defaults to assign to the network: every one of the address pools overlaps a network this host knows; give one with --subnet, or others to the daemon with --default-address-pool",
  );
}

function subnetAt(pools: readonly ReturnType<typeof measure>[], index: bigint): Subnet | undefined {
  let left = index;
  for (const { base, size, count } of pools) {
    const one = { ...base, prefixLength: size };
    if (left < count) return { ...one, value: base.value + left * sizeOf(one) };
    left -= count;
  }
  return undefined;
}

function indexAfter(pools: readonly ReturnType<typeof measure>[], last: Subnet): bigint {
  let before = 0n;
  for (const { base, size, count } of pools) {
    if (contains(base, last) && last.prefixLength === size)
      return before + (last.value - base.value) / sizeOf(last) + 1n;
    before += count;
  }
  return 0n;
}

/** The first address that a host may have. */
export function firstAddress(subnet: Subnet): IpAddress {
  return { family: subnet.family, value: subnet.value + (sizeOf(subnet) > 2n ? 1n : 0n) };
}

/** Throws `invalid`. */
export function requireAddress(text: string): IpAddress {
  const address = parseAddress(text);
  if (address === undefined) throw new Fault("invalid", `invalid IP address: "${text.slice(0, 100)}"`);
  return address;
}
