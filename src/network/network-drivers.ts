import type { IpamDriver, NetworkDriver, NetworkHost } from "./driver.ts";

/** Drivers that are not the engine's own. */
export interface ForeignDrivers {
  /** Without asking anybody: what records tell of has a driver, whether its plugin runs or not. */
  open(name: string): NetworkDriver | undefined;
  /** Whether there is one that networks can be made with now. Throws when it cannot be asked. */
  isThere(name: string): Promise<boolean>;
}

/** What opens them. */
export interface ForeignKinds {
  networks(host: Pick<NetworkHost, "netlink">): ForeignDrivers;
  /** Without asking anybody; undefined for what can be no driver's name. */
  addresses(name: string): IpamDriver | undefined;
}

/** The network drivers by the names that networks have them by. */
export class NetworkDrivers {
  readonly #own = new Map<string, NetworkDriver>();
  readonly #foreign = new Map<string, NetworkDriver>();
  readonly #found: ForeignDrivers | undefined;

  constructor(found: ForeignDrivers | undefined) {
    this.#found = found;
  }

  add(name: string, driver: NetworkDriver): void {
    this.#own.set(name, driver);
  }

  own(name: string): NetworkDriver | undefined {
    return this.#own.get(name);
  }

  ownNames(): readonly string[] {
    return [...this.#own.keys()];
  }

  /** Of a network that is there. */
  get(name: string): NetworkDriver | undefined {
    const known = this.#own.get(name) ?? this.#foreign.get(name);
    if (known !== undefined) return known;
    const opened = this.#found?.open(name);
    if (opened !== undefined) this.#foreign.set(name, opened);
    return opened;
  }

  /** For a new network: undefined when there is no such driver on this host. */
  async find(name: string): Promise<NetworkDriver | undefined> {
    if (this.#own.has(name)) return this.#own.get(name);
    return (await this.#found?.isThere(name)) === true ? this.get(name) : undefined;
  }

  values(): readonly NetworkDriver[] {
    return this.entries().map(([, driver]) => driver);
  }

  entries(): readonly (readonly [name: string, driver: NetworkDriver])[] {
    return [...this.#own, ...this.#foreign];
  }
}
