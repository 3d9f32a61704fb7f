import { Fault, sentenceOf } from "#errors";
import type { Log } from "#host";
import { contains, formatSubnet, overlaps, parseAddress, parsePrefix } from "./addresses.ts";
import type { AddressPool, Endpoint, EndpointRequest, IpamDriver, Network } from "./driver.ts";
import { macOf, requireMac } from "./endpoint.ts";
import { ADDRESS_TYPE, GATEWAY_TYPE, requireAddress } from "./ipam.ts";
import type { Cursors, NetworkStore } from "./store.ts";

/** What an endpoint was given, by family. */
export interface Lease {
  readonly v4?: { readonly address: string; readonly pool: AddressPool };
  readonly v6?: { readonly address: string; readonly pool: AddressPool };
  /** Where the addresses were given for one. */
  readonly macAddress?: string;
  /** Of what was not asked for by address: to be written down with the endpoint. */
  readonly cursors: Cursors;
}

/** Of an address request. Source: libnetwork, IPAM driver. */
const MAC_OPTION = "com.docker.network.endpoint.macaddress";

export interface AddressingParts {
  readonly store: NetworkStore;
  /** Undefined when there is none by that name. */
  readonly driverOf: (name: string) => IpamDriver | undefined;
  readonly log: Log;
}

export const NOTHING_LEASED: Lease = { cursors: {} };

/** The pools of networks and the addresses of endpoints, through whichever IPAM driver the network has. */
export class Addressing {
  readonly #store: NetworkStore;
  readonly #parts: AddressingParts;

  constructor(parts: AddressingParts) {
    this.#store = parts.store;
    this.#parts = parts;
  }

  driver(name: string): IpamDriver {
    const driver = this.#parts.driverOf(name);
    if (driver === undefined)
      throw new Fault("not_found", `Cannot use the IPAM driver ${name}: there is no such driver here`);
    return driver;
  }

  /** Whether another program gives its addresses, which may be gone for good. */
  isForeign({ ipam }: Network): boolean {
    return this.#parts.driverOf(ipam.driver)?.isForeign === true;
  }

  /** The network with all of its pools, which are its own from now on: `undo` takes what gives them back. */
  async openPools(network: Network, undo: AsyncDisposableStack): Promise<Network> {
    const driver = this.driver(network.ipam.driver);
    const pools: AddressPool[] = [];
    for (const pool of poolsWanted(network)) {
      this.#refuseOverlap(network, pool);
      pools.push(await this.#openPool({ network, driver, undo }, pool));
    }
    return { ...network, ipam: { ...network.ipam, pools: pools.filter(({ subnet }) => subnet !== "") } };
  }

  /** The driver would refuse it too, but does not know whose the other one is. */
  #refuseOverlap({ ipam }: Network, pool: AddressPool): void {
    const wanted = parsePrefix(pool.subnet)?.subnet;
    if (wanted === undefined) return;
    for (const other of this.#store.networks().filter((one) => one.ipam.driver === ipam.driver))
      for (const { subnet } of other.ipam.pools) {
        const theirs = parsePrefix(subnet)?.subnet;
        if (theirs !== undefined && overlaps(theirs, wanted))
          throw new Fault(
            "conflict",
            `Pool overlaps with other one on this address space: ${pool.subnet} and ${subnet} of network ${other.name}`,
          );
      }
  }

  /** What cannot be given back is logged: whoever asked is to read why it was. */
  #giveBack(undo: AsyncDisposableStack, work: () => Promise<void>): void {
    undo.defer(() =>
      work().catch((error: unknown) =>
        this.#parts.log("error", `What was given may stay in use: ${sentenceOf(error)}`),
      ),
    );
  }

  async #openPool(
    job: { readonly network: Network; readonly driver: IpamDriver; readonly undo: AsyncDisposableStack },
    asked: AddressPool,
  ): Promise<AddressPool> {
    const { driver, undo } = job;
    const { options } = job.network.ipam;
    const { family, subnet, range } = asked;
    const given = await driver.requestPool({ family, subnet, range, options });
    this.#giveBack(undo, () => driver.releasePool(given.poolId));
    if (given.subnet === "") return asked;
    const pool = {
      ...asked,
      subnet: given.subnet,
      poolId: given.poolId,
      isAsked: subnet !== "",
    };
    requireInside(pool);
    // What was asked for goes before what the driver chose.
    const isChosen = ["", given.gateway].includes(asked.gateway);
    const gateway =
      (isChosen ? given.gateway : undefined) ??
      (await driver.requestAddress(given.poolId, {
        address: asked.gateway,
        options: { ...options, [ADDRESS_TYPE]: GATEWAY_TYPE },
      }));
    for (const address of Object.values(asked.auxiliary))
      await driver.requestAddress(given.poolId, { address, options });
    return { ...pool, gateway: withoutLength(gateway) };
  }

  /** Of a network that is being removed. */
  async closePools({ ipam }: Network): Promise<void> {
    const driver = this.driver(ipam.driver);
    for (const pool of ipam.pools) {
      const own = [pool.gateway, ...Object.values(pool.auxiliary)].filter((address) => address !== "");
      for (const address of own) await driver.releaseAddress(poolIdOf(pool), address);
      await driver.releasePool(poolIdOf(pool));
    }
  }

  /** After a start of the daemon. */
  async restore({ id, ipam }: Network, live: readonly Endpoint[]): Promise<void> {
    const driver = this.driver(ipam.driver);
    for (const pool of ipam.pools) {
      const inUse = live.map((endpoint) => (pool.family === 4 ? endpoint.address : endpoint.ipv6Address));
      const own = [pool.gateway, ...Object.values(pool.auxiliary)];
      const addresses = [...own, ...inUse.filter((text) => isIn(pool, text))].filter((text) => text !== "");
      await driver.restore(pool, poolIdOf(pool), addresses, this.#store.cursor(cursorOf(id, pool)));
    }
  }

  /** An address of each family that the network has. Throws `conflict` for one in use, `invalid` outside. */
  async lease(network: Network, request: EndpointRequest, undo: AsyncDisposableStack): Promise<Lease> {
    const requiresMac = (await this.driver(network.ipam.driver).requiresMac?.()) === true;
    const macAddress = request.macAddress === undefined ? macOf(undefined) : requireMac(request.macAddress);
    const told = { ...network.ipam.options, ...(requiresMac && { [MAC_OPTION]: macAddress }) };
    const v4 = await this.#leaseOne({ network, undo, family: 4, options: told }, request.address);
    const v6 = await this.#leaseOne({ network, undo, family: 6, options: told }, request.ipv6Address);
    return {
      ...(requiresMac && { macAddress }),
      ...(v4 !== undefined && { v4 }),
      ...(v6 !== undefined && { v6 }),
      cursors: {
        ...(v4 !== undefined &&
          request.address === undefined && { [cursorOf(network.id, v4.pool)]: v4.address }),
        ...(v6 !== undefined &&
          request.ipv6Address === undefined && { [cursorOf(network.id, v6.pool)]: v6.address }),
      },
    };
  }

  async #leaseOne(
    job: {
      readonly network: Network;
      readonly undo: AsyncDisposableStack;
      readonly family: 4 | 6;
      readonly options: Readonly<Record<string, string>>;
    },
    asked: string | undefined,
  ): Promise<Lease["v4"]> {
    const { network, undo, family, options } = job;
    const pools = network.ipam.pools.filter((pool) => pool.family === family);
    const fitting = asked === undefined ? pools : pools.filter((pool) => isIn(pool, asked));
    if (asked !== undefined && fitting.length === 0) {
      requireAddress(asked);
      throw new Fault(
        "invalid",
        `no configured subnet contains IP address ${asked} on network ${network.name}`,
      );
    }
    const driver = this.driver(network.ipam.driver);
    for (const [index, pool] of fitting.entries()) {
      try {
        const given = await driver.requestAddress(poolIdOf(pool), { address: asked ?? "", options });
        const address = withoutLength(given);
        if (address === "") return undefined;
        this.#giveBack(undo, () => driver.releaseAddress(poolIdOf(pool), address));
        return { address, pool };
      } catch (thrown) {
        const isFull = thrown instanceof Fault && thrown.kind === "unavailable";
        if (!isFull || index === fitting.length - 1) throw thrown;
      }
    }
    return undefined;
  }

  async free(network: Network, { address, ipv6Address }: Endpoint): Promise<void> {
    const driver = this.driver(network.ipam.driver);
    for (const text of [address, ipv6Address]) {
      const pool = network.ipam.pools.find((one) => isIn(one, text));
      if (pool !== undefined) await driver.releaseAddress(poolIdOf(pool), text);
    }
  }
}

export const poolIdOf = (pool: AddressPool): string => pool.poolId ?? pool.subnet;

const cursorOf = (networkId: string, { subnet }: AddressPool): string => `${networkId}/${subnet}`;

/** A remote driver's address has the prefix length behind it. */
const withoutLength = (text: string): string => text.replace(/\/.*$/, "");

function isIn({ subnet }: AddressPool, text: string): boolean {
  const block = parsePrefix(subnet)?.subnet;
  const address = parseAddress(text);
  return block !== undefined && address !== undefined && contains(block, address);
}

/** One of each family that it has, unless more were asked for. */
function poolsWanted({ ipam, isIpv4, isIpv6 }: Network): readonly AddressPool[] {
  const families = [...(isIpv4 ? [4 as const] : []), ...(isIpv6 ? [6 as const] : [])];
  return families.flatMap((family): readonly AddressPool[] => {
    const asked = ipam.pools.filter((pool) => pool.family === family);
    return asked.length > 0 ? asked : [{ family, subnet: "", gateway: "", range: "", auxiliary: {} }];
  });
}

/** Throws `invalid`, in Docker's words, for a block that is written by an address within it: it may be a slip. */
export function requireAligned(pools: readonly AddressPool[]): void {
  for (const { subnet, range } of pools)
    for (const [what, text] of [
      ["subnet", subnet],
      ["ip-range", range],
    ] as const) {
      const parsed = parsePrefix(text);
      if (parsed !== undefined && parsed.address.value !== parsed.subnet.value)
        throw new Fault("invalid", `invalid ${what} ${text}: it should be ${formatSubnet(parsed.subnet)}`);
    }
}

/** Throws `invalid`, in the words of Docker's client, for a gateway or an auxiliary address outside the subnet. */
function requireInside(pool: AddressPool): void {
  const named = [
    ["gateway", pool.gateway] as const,
    ...Object.values(pool.auxiliary).map((one) => ["aux-address", one] as const),
  ];
  for (const [what, text] of named) {
    if (text === "") continue;
    requireAddress(text);
    if (!isIn(pool, text))
      throw new Fault("invalid", `no matching subnet for ${what} ${text}: it is not in ${pool.subnet}`);
  }
}
