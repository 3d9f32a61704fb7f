import { z } from "zod";
import { Fault } from "#errors";
import { listAddresses, listRoutes, Netlink } from "#host";
import {
  addressOf,
  contains,
  formatAddress,
  formatSubnet,
  overlaps,
  parseAddress,
  parsePrefix,
  type Subnet,
  sizeOf,
  subnetOf,
} from "../addresses.ts";
import type { IpamDriver, IpamDriverKind } from "../driver.ts";
import { chooseSubnet, firstAddress } from "../ipam.ts";
import { type Cluster, KEYS } from "./cluster.ts";
import type { Operation } from "./etcd-wire.ts";

/** Docker's for networks of several hosts. */
const IPV4_POOL = { base: "10.0.0.0/8", size: 24 };
const ULA_FIRST_BYTE = 0xfdn;
/** How often hosts may be quicker than this one at the same moment. */
const MAX_ATTEMPTS = 50;
/** Of a subnet that has more, no more addresses are looked at. */
const MAX_LOOKED_AT = 65_536;

const PoolRecord = z.object({
  subnet: z.string(),
  range: z.string(),
  gateway: z.string(),
  /** Never given. */
  reserved: z.array(z.string()).default([]),
});
type PoolRecord = z.infer<typeof PoolRecord>;
type PoolRequest = Parameters<IpamDriver["requestPool"]>[0];

/** The option that says what an address is for. Source: libnetwork, IPAM driver. */
const TYPE = "RequestAddressType";
const GATEWAY_TYPE = "com.docker.network.gateway";

/**
 * Gives subnets and addresses that no other host has given. Subnets stay until they are released; an address is held
 * under its host's lease, and the gateway, which all hosts have, for as long as the subnet.
 */
export const etcdIpam = (cluster: Cluster): IpamDriverKind => ({
  name: "etcd",
  open: () => new EtcdIpam(cluster, blocksHere),
});

export class EtcdIpam implements IpamDriver {
  readonly #cluster: Cluster;
  readonly #blocksHere: () => readonly Subnet[];
  /** Auxiliary addresses, by pool: every host reads them from the network itself. */
  readonly #auxiliary = new Map<string, readonly string[]>();
  /** The last one given of each pool. */
  readonly #last = new Map<string, bigint>();

  constructor(cluster: Cluster, takenHere: () => readonly Subnet[]) {
    this.#cluster = cluster;
    this.#blocksHere = takenHere;
  }

  async requestPool(request: PoolRequest): Promise<{ poolId: string; subnet: string; gateway?: string }> {
    const guard = this.#cluster.key(KEYS.poolGuard);
    const token = crypto.randomUUID();
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const before = await this.#cluster.etcd.get(guard);
      if (before?.value.startsWith(token)) {
        const poolId = before.value.slice(token.length + 1);
        return { poolId, subnet: poolId };
      }
      const record = await this.#draft(request);
      const { succeeded } = await this.#cluster.etcd.txn(
        [
          before === undefined
            ? { kind: "absent", key: guard }
            : { kind: "unchanged", key: guard, modRevision: before.mod_revision },
        ],
        [
          { kind: "put", key: guard, value: `${token} ${record.subnet}` },
          { kind: "put", key: this.#poolKey(record.subnet), value: JSON.stringify(record) },
        ],
      );
      if (!succeeded) continue;
      return { poolId: record.subnet, subnet: record.subnet };
    }
    throw new Fault(
      "unavailable",
      "Cannot choose a subnet: other hosts choose theirs at the same moment; try again",
    );
  }

  async #draft({ family, subnet: asked, range }: PoolRequest): Promise<PoolRecord> {
    const there = await this.#cluster.etcd.list(this.#cluster.key(KEYS.pools), { keysOnly: true });
    const start = this.#cluster.key(KEYS.pools).length;
    const taken = there.entries.flatMap(({ key }) => parsePrefix(key.slice(start))?.subnet ?? []);
    const subnet =
      asked === "" ? choose(family, [...taken, ...this.#blocksHere()]) : requireSubnet(asked, family);
    if (asked !== "" && taken.some((other) => overlaps(other, subnet)))
      throw new Fault("conflict", "Pool overlaps with other one on this address space");
    if (range !== "") {
      const within = requireSubnet(range, family);
      if (asked === "" || !contains(subnet, within) || within.prefixLength < subnet.prefixLength)
        throw new Fault("invalid", `no matching subnet for range ${range}`);
    }
    return { subnet: formatSubnet(subnet), range, gateway: "", reserved: [] };
  }

  async releasePool(poolId: string): Promise<void> {
    const { etcd } = this.#cluster;
    this.#auxiliary.delete(poolId);
    this.#last.delete(poolId);
    const held = (await etcd.list(this.#addressKey(poolId, ""), { keysOnly: true })).entries;
    for (const { key } of held) await this.#cluster.claims.give(key);
    await etcd.txn(
      [],
      [
        { kind: "delete", key: this.#poolKey(poolId) },
        { kind: "delete below", prefix: this.#addressKey(poolId, "") },
      ],
    );
  }

  async requestAddress(
    poolId: string,
    { address: asked, options }: Parameters<IpamDriver["requestAddress"]>[1],
  ): Promise<string> {
    const pool = await this.#poolOf(poolId);
    const subnet = requireSubnet(pool.subnet);
    if (options[TYPE] !== undefined)
      return this.#reserve(poolId, { asked, isGateway: options[TYPE] === GATEWAY_TYPE });
    if (asked !== "") return this.#take(poolId, subnet, asked);
    return this.#give(poolId, pool, subnet);
  }

  async #take(poolId: string, subnet: Subnet, text: string): Promise<string> {
    const pool = await this.#poolOf(poolId);
    const address = requireWithin(subnet, text);
    const isFree =
      ![pool.gateway, ...pool.reserved].includes(address) &&
      (await this.#cluster.claims.take(this.#addressKey(poolId, address), this.#cluster.identity.hostId));
    if (isFree) return address;
    throw new Fault("conflict", `Address already in use: ${address} of ${poolId}; choose another`);
  }

  async #give(poolId: string, pool: PoolRecord, subnet: Subnet): Promise<string> {
    const { claims, identity, etcd } = this.#cluster;
    const within = pool.range === "" ? subnet : requireSubnet(pool.range);
    const prefix = this.#addressKey(poolId, "");
    const { entries } = await etcd.list(prefix, { keysOnly: true });
    const taken = new Set([
      pool.gateway,
      ...pool.reserved,
      ...entries.map(({ key }) => key.slice(prefix.length)),
    ]);
    let looked = 0;
    for (const value of candidates(within, subnet, this.#last.get(poolId))) {
      looked += 1;
      if (looked > MAX_LOOKED_AT) break;
      const address = formatAddress({ family: subnet.family, value });
      if (taken.has(address)) continue;
      if (!(await claims.take(`${prefix}${address}`, identity.hostId))) continue;
      this.#last.set(poolId, value);
      return address;
    }
    throw new Fault("unavailable", `Cannot give an address: all of ${poolId} are in use, over all hosts`);
  }

  /** What belongs to the subnet itself, whatever becomes of this host. */
  async #reserve(
    poolId: string,
    { asked, isGateway }: { asked: string; isGateway: boolean },
  ): Promise<string> {
    const { etcd } = this.#cluster;
    const key = this.#poolKey(poolId);
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const there = await etcd.get(key);
      if (there === undefined) throw gone(poolId);
      const record = parseRecord(there.value);
      const subnet = requireSubnet(record.subnet);
      const address = asked === "" ? formatAddress(firstAddress(subnet)) : requireWithin(subnet, asked);
      const next: PoolRecord = isGateway
        ? { ...record, gateway: address }
        : { ...record, reserved: [...new Set([...record.reserved, address])] };
      const put: Operation = { kind: "put", key, value: JSON.stringify(next) };
      const { succeeded } = await etcd.txn(
        [{ kind: "unchanged", key, modRevision: there.mod_revision }],
        [put],
      );
      if (!succeeded) continue;
      return address;
    }
    throw new Fault(
      "unavailable",
      `Cannot reserve an address of ${poolId}: other hosts change it at the same moment`,
    );
  }

  async releaseAddress(poolId: string, address: string): Promise<void> {
    await this.#cluster.claims.give(this.#addressKey(poolId, address));
  }

  async restore(
    { gateway, auxiliary }: Parameters<IpamDriver["restore"]>[0],
    poolId: string,
    addresses: readonly string[],
    last: string,
  ): Promise<void> {
    const apart = Object.values(auxiliary);
    this.#auxiliary.set(poolId, apart);
    const before = parseAddress(last);
    if (before !== undefined) this.#last.set(poolId, before.value);
    for (const address of addresses)
      if (address !== gateway && !apart.includes(address))
        this.#cluster.claims.putLater(this.#addressKey(poolId, address), this.#cluster.identity.hostId);
  }

  /** As the store has it: what other hosts reserved counts as well. */
  async #poolOf(poolId: string): Promise<PoolRecord> {
    const there = await this.#cluster.etcd.get(this.#poolKey(poolId));
    if (there === undefined) throw gone(poolId);
    const record = parseRecord(there.value);
    return { ...record, reserved: [...record.reserved, ...(this.#auxiliary.get(poolId) ?? [])] };
  }

  #poolKey(poolId: string): string {
    return this.#cluster.key(`${KEYS.pools}${poolId}`);
  }

  #addressKey(poolId: string, address: string): string {
    return this.#cluster.key(`${KEYS.addresses(poolId)}${address}`);
  }
}

const gone = (poolId: string): Fault =>
  new Fault("unavailable", `Cannot give an address of ${poolId}: the cluster store does not know it`);

function parseRecord(text: string): PoolRecord {
  try {
    return PoolRecord.parse(JSON.parse(text));
  } catch (cause) {
    throw new Fault(
      "unavailable",
      "Cannot understand a subnet in the cluster store: another program wrote it",
      { cause },
    );
  }
}

function choose(family: 4 | 6, taken: readonly Subnet[]): Subnet {
  if (family === 4) return chooseSubnet([IPV4_POOL], taken);
  // Source: RFC 4193, section 3.2: 40 random bits, and here the 16 of the subnet as well.
  const bytes = crypto.getRandomValues(new Uint8Array(7));
  const value = bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), ULA_FIRST_BYTE);
  return { family: 6, value: value << 64n, prefixLength: 64 };
}

/** From behind the last one given around to it. */
function* candidates(within: Subnet, subnet: Subnet, last: bigint | undefined): Generator<bigint> {
  const size = sizeOf(within);
  const start = last === undefined ? 0n : last - within.value + 1n;
  for (let index = 0n; index < size; index += 1n) {
    const value = within.value + ((start + index) % size);
    const isFirst = value === subnet.value;
    const isLast = subnet.family === 4 && value === subnet.value + sizeOf(subnet) - 1n;
    if (sizeOf(subnet) <= 2n || !(isFirst || isLast)) yield value;
  }
}

function requireSubnet(text: string, family?: 4 | 6): Subnet {
  const subnet = parsePrefix(text)?.subnet;
  if (subnet === undefined || (family !== undefined && subnet.family !== family))
    throw new Fault(
      "invalid",
      `invalid subnet ${text.slice(0, 100)}: it is not a block of IPv${family ?? "4 or IPv6"}`,
    );
  return subnet;
}

function requireWithin(subnet: Subnet, text: string): string {
  const address = parseAddress(text);
  if (address === undefined || !contains(subnet, address))
    throw new Fault(
      "invalid",
      `no configured subnet contains IP address ${text.slice(0, 100)}: it is not in ${formatSubnet(subnet)}`,
    );
  return formatAddress(address);
}

/** What this host's routes and links know; what an overlay network has is in the store, too. */
function blocksHere(): readonly Subnet[] {
  using netlink = new Netlink();
  return [...listRoutes(netlink), ...listAddresses(netlink)]
    .filter(({ prefixLength }) => prefixLength > 0)
    .map(({ bytes, prefixLength }) => subnetOf(addressOf(bytes), prefixLength));
}
