import { Fault } from "#errors";
import {
  contains,
  formatAddress,
  formatSubnet,
  overlaps,
  parseAddress,
  parsePrefix,
  type Subnet,
  sizeOf,
} from "../addresses.ts";
import type { AddressPool, IpamDriver } from "../driver.ts";
import { chooseSubnet, firstAddress, type Pool, requireAddress } from "./pools.ts";
import { AddressRange } from "./range.ts";

/** The option of an address request that asks for the host's own. Source: libnetwork's IPAM driver protocol. */
export const ADDRESS_TYPE = "RequestAddressType";
export const GATEWAY_TYPE = "com.docker.network.gateway";
/** A network with less than this has no room for a gateway and a container. */
const MOST_BITS = { 4: 31, 6: 127 } as const;

export interface DefaultIpamOptions {
  /** Out of which subnets are cut, of either family. */
  readonly pools: readonly Pool[];
  /** What subnets that nobody asked for must not overlap: asked for at each request. */
  readonly taken: () => readonly Subnet[];
  /** By family what was given last, before this start of the daemon. */
  readonly last: Readonly<Partial<Record<4 | 6, string>>>;
}

interface Allocation {
  readonly subnet: Subnet;
  readonly range: AddressRange;
}

/** Subnets and addresses of this host alone, kept in memory: the records say again at each start what is in use. */
export class DefaultIpam implements IpamDriver {
  readonly #options: DefaultIpamOptions;
  readonly #pools = new Map<string, Allocation>();
  readonly #last = new Map<4 | 6, Subnet>();

  constructor(options: DefaultIpamOptions) {
    this.#options = options;
    for (const family of [4, 6] as const) {
      const last = parsePrefix(options.last[family] ?? "")?.subnet;
      if (last !== undefined) this.#last.set(family, last);
    }
  }

  async requestPool({ family, subnet: asked, range }: Parameters<IpamDriver["requestPool"]>[0]) {
    if (asked === "" && range !== "")
      throw new Fault("invalid", `no matching subnet for range ${range}: an --ip-range needs a --subnet`);
    const subnet = asked === "" ? this.#choose(family) : requireSubnet(asked, family);
    if (this.#overlapping(subnet) !== undefined)
      throw new Fault("conflict", "Pool overlaps with other one on this address space");
    const within = range === "" ? subnet : requireSubnet(range, family, "range");
    const poolId = formatSubnet(subnet);
    this.#pools.set(poolId, { subnet, range: new AddressRange(subnet, within) });
    return { poolId, subnet: poolId };
  }

  #choose(family: 4 | 6): Subnet {
    const pools = this.#options.pools.filter(({ base }) => base.includes(":") === (family === 6));
    const taken = [...this.#options.taken(), ...[...this.#pools.values()].map(({ subnet }) => subnet)];
    const chosen = chooseSubnet(pools, taken, this.#last.get(family));
    this.#last.set(family, chosen);
    return chosen;
  }

  #overlapping(subnet: Subnet): Allocation | undefined {
    return [...this.#pools.values()].find((other) => overlaps(other.subnet, subnet));
  }

  async releasePool(poolId: string): Promise<void> {
    this.#pools.delete(poolId);
  }

  async requestAddress(
    poolId: string,
    { address: asked, options }: Parameters<IpamDriver["requestAddress"]>[1],
  ): Promise<string> {
    const { subnet, range } = this.#require(poolId);
    const isGateway = options[ADDRESS_TYPE] === GATEWAY_TYPE;
    const first = firstAddress(subnet);
    if (asked === "" && isGateway && !range.isTaken(first)) {
      range.occupy(first);
      return formatAddress(first);
    }
    if (asked !== "") return take({ subnet, range }, asked);
    const given = range.give();
    if (given !== undefined) return formatAddress(given);
    throw new Fault(
      "unavailable",
      `no available IPv${subnet.family} addresses on this network's address pools: all ${range.used} of ${formatSubnet(subnet)} are in use`,
    );
  }

  async releaseAddress(poolId: string, text: string): Promise<void> {
    const address = parseAddress(text);
    if (address !== undefined) this.#pools.get(poolId)?.range.free(address);
  }

  async restore(
    pool: AddressPool,
    poolId: string,
    addresses: readonly string[],
    last: string,
  ): Promise<void> {
    const subnet = requireSubnet(pool.subnet, pool.family);
    const within = pool.range === "" ? subnet : requireSubnet(pool.range, pool.family, "range");
    const range = new AddressRange(subnet, within);
    for (const text of addresses) {
      const address = parseAddress(text);
      if (address !== undefined) range.occupy(address);
    }
    const before = parseAddress(last);
    if (before !== undefined) range.resume(before);
    this.#pools.set(poolId, { subnet, range });
  }

  #require(poolId: string): Allocation {
    const pool = this.#pools.get(poolId);
    if (pool === undefined)
      throw new Fault("unavailable", `Cannot give an address of ${poolId}: it is not set up on this host`);
    return pool;
  }
}

function take({ subnet, range }: Allocation, text: string): string {
  const address = requireAddress(text);
  if (!contains(subnet, address))
    throw new Fault(
      "invalid",
      `no configured subnet contains IP address ${text}: it is not in ${formatSubnet(subnet)}`,
    );
  if (range.isTaken(address))
    throw new Fault("conflict", `Address already in use: ${text} of ${formatSubnet(subnet)}; choose another`);
  range.occupy(address);
  return formatAddress(address);
}

/** Throws `invalid` for what is no block of that family with room for a container. */
function requireSubnet(text: string, family: 4 | 6, what = "subnet"): Subnet {
  const subnet = parsePrefix(text)?.subnet;
  if (subnet === undefined)
    throw new Fault(
      "invalid",
      `invalid ${what} ${text.slice(0, 100)}: it is not an address with a prefix length`,
    );
  if (subnet.family !== family)
    throw new Fault("invalid", `invalid ${what} ${text}: it is not one of IPv${family}`);
  if (what === "subnet" && (subnet.prefixLength > MOST_BITS[family] || sizeOf(subnet) < 2n))
    throw new Fault("invalid", `invalid subnet ${text}: it has no room for a gateway and a container`);
  return subnet;
}
