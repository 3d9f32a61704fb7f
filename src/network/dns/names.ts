import { addressBytes, parseAddress } from "../addresses.ts";

/** What one endpoint on one network is called and where it is. Names are Docker's "DNS names" of an endpoint. */
export interface NameEntry {
  /** What PTR says, with the network's name behind it. */
  readonly containerName: string;
  readonly shortId: string;
  /** Its aliases on this network, and its hostname. */
  readonly names: readonly string[];
  /** Empty where it has none of the family. */
  readonly addresses: { readonly v4: string; readonly v6: string };
}

/** A network whose names may be asked for, by its id and by what follows the last dot of `name.network`. */
export interface NamedNetwork {
  readonly id: string;
  readonly name: string;
}

export type Family = "v4" | "v6";

interface Stored {
  readonly entry: NameEntry;
  readonly names: readonly string[];
  readonly reverse: readonly string[];
  /** In network order; absent where it has none of the family. */
  readonly bytes: { readonly v4?: Uint8Array; readonly v6?: Uint8Array };
}

interface Bearers {
  readonly all: Stored[];
  /** Whose turn it is to stand first. */
  turn: number;
}

interface Zone {
  readonly endpoints: Map<string, Stored>;
  readonly names: Map<string, Bearers>;
  readonly reverse: Map<string, Stored[]>;
}

/** More endpoints than these under one name are not told: an answer has an end. */
const MAX_BEARERS_TOLD = 1000;

/**
 * The names of all endpoints on networks that have names, one zone a network; kept in memory, made again from the
 * endpoints' records at start. The default bridge has no names: nothing of it is put here.
 */
export class NameTable {
  readonly #zones = new Map<string, Zone>();

  /** Puts an endpoint, or what has become of it, under a key that is its owner's own: it may be known from elsewhere. */
  set(networkId: string, endpointKey: string, entry: NameEntry): void {
    this.remove(networkId, endpointKey);
    const zone = this.#zoneOf(networkId);
    const stored = store(entry);
    zone.endpoints.set(endpointKey, stored);
    for (const name of stored.names) {
      const bearers = zone.names.get(name);
      if (bearers === undefined) zone.names.set(name, { all: [stored], turn: 0 });
      else bearers.all.push(stored);
    }
    for (const name of stored.reverse) zone.reverse.set(name, [...(zone.reverse.get(name) ?? []), stored]);
  }

  remove(networkId: string, endpointKey: string): void {
    const zone = this.#zones.get(networkId);
    const stored = zone?.endpoints.get(endpointKey);
    if (zone === undefined || stored === undefined) return;
    zone.endpoints.delete(endpointKey);
    if (zone.endpoints.size === 0) this.#zones.delete(networkId);
    for (const name of stored.names) {
      const all = zone.names.get(name)?.all ?? [];
      all.splice(all.indexOf(stored), 1);
      if (all.length === 0) zone.names.delete(name);
    }
    for (const name of stored.reverse) {
      const left = (zone.reverse.get(name) ?? []).filter((other) => other !== stored);
      if (left.length === 0) zone.reverse.delete(name);
      else zone.reverse.set(name, left);
    }
  }

  removeNetwork(networkId: string): void {
    this.#zones.delete(networkId);
  }

  /**
   * The addresses behind a name (lower case, plain or `name.network`) on the first of the networks that knows it in
   * this family, in turn when there are several. Empty when the name is known, but not in this family; undefined when
   * it is not known.
   */
  find(networks: readonly NamedNetwork[], name: string, family: Family): readonly Uint8Array[] | undefined {
    let found: readonly Uint8Array[] | undefined;
    for (const network of networks) {
      const bearers = this.#bearers(network, name);
      if (bearers === undefined) continue;
      found = inTurn(bearers, family);
      if (found.length > 0) return found;
    }
    return found;
  }

  /** `name.network` for `2.0.18.172.in-addr.arpa`, of each endpoint at that address. */
  findReverse(networks: readonly NamedNetwork[], name: string): readonly string[] | undefined {
    const found = networks.flatMap((network) =>
      (this.#zones.get(network.id)?.reverse.get(name) ?? []).map(
        ({ entry }) => `${entry.containerName}.${network.name}`,
      ),
    );
    return found.length === 0 ? undefined : found;
  }

  #bearers({ id, name: networkName }: NamedNetwork, name: string): Bearers | undefined {
    const zone = this.#zones.get(id);
    if (zone === undefined) return undefined;
    const known = zone.names.get(name);
    if (known !== undefined) return known;
    const end = name.length - networkName.length - 1;
    if (end <= 0 || name[end] !== "." || !name.endsWith(networkName.toLowerCase())) return undefined;
    return zone.names.get(name.slice(0, end));
  }

  #zoneOf(networkId: string): Zone {
    const known = this.#zones.get(networkId);
    if (known !== undefined) return known;
    const zone = { endpoints: new Map(), names: new Map(), reverse: new Map() };
    this.#zones.set(networkId, zone);
    return zone;
  }
}

function store(entry: NameEntry): Stored {
  const { containerName, shortId, names, addresses } = entry;
  const all = [containerName, shortId, ...names].filter((name) => name !== "");
  const v4 = parseAddress(addresses.v4);
  const v6 = parseAddress(addresses.v6);
  const known = [v4, v6].flatMap((address) => (address === undefined ? [] : [addressBytes(address)]));
  return {
    entry,
    names: [...new Set(all.map((name) => name.toLowerCase()))],
    reverse: known.map(reverseName),
    bytes: {
      ...(v4 !== undefined && { v4: addressBytes(v4) }),
      ...(v6 !== undefined && { v6: addressBytes(v6) }),
    },
  };
}

/** Source: RFC 1035, section 3.5; RFC 3596, section 2.5. */
export function reverseName(address: Uint8Array): string {
  const backwards = [...address].reverse();
  if (address.length === 4) return `${backwards.join(".")}.in-addr.arpa`;
  const digits = backwards.flatMap((byte) => [byte & 15, byte >> 4]);
  return `${digits.map((digit) => digit.toString(16)).join(".")}.ip6.arpa`;
}

function inTurn(bearers: Bearers, family: Family): readonly Uint8Array[] {
  const { all } = bearers;
  const only = all.length === 1 ? all[0]?.bytes[family] : undefined;
  if (all.length === 1) return only === undefined ? [] : [only];
  const addresses = all.slice(0, MAX_BEARERS_TOLD).flatMap(({ bytes }) => bytes[family] ?? []);
  const start = addresses.length === 0 ? 0 : bearers.turn % addresses.length;
  bearers.turn = start + 1;
  return [...addresses.slice(start), ...addresses.slice(0, start)];
}
