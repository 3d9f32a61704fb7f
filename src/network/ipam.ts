import { Fault } from "#errors";
import {
  contains,
  formatAddress,
  formatSubnet,
  type IpAddress,
  overlaps,
  requirePrefix,
  type Subnet,
  sizeOf,
} from "./addresses.ts";

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

/** Of a pool that has more, no more are tried: a /8 in /28s would be a million. */
const MAX_TRIED = 65_536n;

/** The first subnet of the pools that overlaps nothing taken. Throws `conflict` when there is none. */
export function chooseSubnet(pools: readonly Pool[], taken: readonly Subnet[]): Subnet {
  for (const pool of pools) {
    const { subnet: base } = requirePrefix(pool.base, "the address pool");
    const candidate = { ...base, prefixLength: pool.size };
    const count = sizeOf(base) / sizeOf(candidate);
    for (let index = 0n; index < count && index < MAX_TRIED; index += 1n) {
      const subnet = { ...candidate, value: base.value + index * sizeOf(candidate) };
      if (!taken.some((other) => overlaps(subnet, other))) return subnet;
    }
  }
  throw new Fault(
    "conflict",
    "Cannot choose a subnet: every one of the address pools overlaps a network this host knows; give one with --bip or --default-address-pool",
  );
}

/** The first address that a host may have. */
export function firstAddress(subnet: Subnet): IpAddress {
  return { family: subnet.family, value: subnet.value + (sizeOf(subnet) > 2n ? 1n : 0n) };
}

/**
 * Gives addresses of one network in turn, so that one given back is used again last. What is taken is the
 * caller's claim (its table has the unique index); this only chooses.
 */
export class AddressRange {
  readonly #subnet: Subnet;
  readonly #first: bigint;
  readonly #last: bigint;
  readonly #taken = new Set<bigint>();
  readonly #reserved: ReadonlySet<bigint>;
  #next: bigint;

  /** `within` narrows what is given without being asked for (`--fixed-cidr`). */
  constructor(subnet: Subnet, gateway: IpAddress, within: Subnet = subnet) {
    if (!contains(subnet, within) || within.prefixLength < subnet.prefixLength)
      throw new Fault(
        "invalid",
        `Cannot give addresses of ${formatSubnet(within)}: it is not a part of ${formatSubnet(subnet)}`,
      );
    this.#subnet = subnet;
    this.#first = within.value;
    this.#last = within.value + sizeOf(within) - 1n;
    const ends = sizeOf(subnet) > 2n ? [subnet.value, subnet.value + sizeOf(subnet) - 1n] : [];
    this.#reserved = new Set([...ends, gateway.value]);
    this.#next = this.#first;
  }

  /** Marks one as in use, whether it was given here or is known from before. */
  occupy(address: IpAddress): void {
    this.#taken.add(address.value);
    if (address.value >= this.#next && address.value <= this.#last) this.#next = address.value + 1n;
  }

  free(address: IpAddress): void {
    this.#taken.delete(address.value);
  }

  /** The next one that is free. Throws `unavailable` when all are in use. */
  give(): IpAddress {
    const count = this.#last - this.#first + 1n;
    let value = this.#next;
    for (let tried = 0n; tried < count; tried += 1n, value += 1n) {
      if (value > this.#last) value = this.#first;
      if (this.#taken.has(value) || this.#reserved.has(value)) continue;
      const address = { family: this.#subnet.family, value };
      this.occupy(address);
      return address;
    }
    throw new Fault(
      "unavailable",
      `Cannot give an address: all ${this.#taken.size} of ${formatSubnet(this.#subnet)} are in use`,
    );
  }

  get used(): number {
    return this.#taken.size;
  }

  describe(address: IpAddress): string {
    return `${formatAddress(address)}/${this.#subnet.prefixLength}`;
  }
}
