import type { Log } from "#host";
import type { PublishedPort } from "./driver.ts";

/** A bridge whose traffic is filtered and translated. */
export interface FilteredBridge {
  readonly name: string;
  /** `172.17.0.0/16`, and the host's own address in it. */
  readonly subnet: string;
  readonly gateway: string;
  /** Whether what leaves by another interface gets that one's address. */
  readonly isMasqueraded: boolean;
  /** Whether its containers may speak to one another beside their published ports. */
  readonly isOpenInside: boolean;
  /** Without any way out. */
  readonly isInternal: boolean;
}

/** The IPv4 ports of one container, translated to its address. */
export interface Forwarding {
  readonly containerId: string;
  readonly address: string;
  readonly ports: readonly PublishedPort[];
}

export interface FirewallState {
  readonly bridges: readonly FilteredBridge[];
  readonly forwardings: readonly Forwarding[];
}

/** Forwardings that come and go together, so that one process can do them all. */
export interface FirewallChange {
  readonly add: readonly Forwarding[];
  readonly remove: readonly Forwarding[];
}

/** One way of telling the kernel. Touches no rule but its own, whatever else there is. */
export interface FirewallBackend {
  /** Undefined, or what this host lacks for it. */
  missing(): string | undefined;
  /** Makes the rules say exactly this, whatever they said before. */
  replace(state: FirewallState): Promise<void>;
  /** Throws when the rules are not as they were left: then `replace` is the cure. */
  change(change: FirewallChange): Promise<void>;
  /** Removes every rule and chain of its own; a user's chain with rules in it stays. */
  clear(): Promise<void>;
}

/** Keeps what the rules should be, and makes changes one after another: those that come together go together. */
export class Firewall {
  readonly #backend: FirewallBackend;
  readonly #log: Log;
  readonly #forwardings = new Map<string, Forwarding>();
  #bridges: readonly FilteredBridge[] = [];
  #pending: { add: Forwarding[]; remove: Forwarding[] } = { add: [], remove: [] };
  #next: Promise<void> | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(backend: FirewallBackend, log: Log) {
    this.#backend = backend;
    this.#log = log;
  }

  missing(): string | undefined {
    return this.#backend.missing();
  }

  /** All rules anew, for these bridges and the forwardings of running containers. */
  async replace(state: FirewallState): Promise<void> {
    this.#bridges = state.bridges;
    this.#forwardings.clear();
    for (const forwarding of state.forwardings) this.#forwardings.set(forwarding.containerId, forwarding);
    await this.#inTurn(() => this.#backend.replace(this.#state()));
  }

  async publish(forwarding: Forwarding): Promise<void> {
    this.#forwardings.set(forwarding.containerId, forwarding);
    this.#pending.add.push(forwarding);
    await this.#flush();
  }

  /** Does nothing for a container that has no forwarding. */
  async withdraw(containerId: string): Promise<void> {
    const forwarding = this.#forwardings.get(containerId);
    if (forwarding === undefined) return;
    this.#forwardings.delete(containerId);
    this.#pending.remove.push(forwarding);
    await this.#flush();
  }

  async clear(): Promise<void> {
    this.#bridges = [];
    this.#forwardings.clear();
    await this.#inTurn(() => this.#backend.clear());
  }

  #state(): FirewallState {
    return { bridges: this.#bridges, forwardings: [...this.#forwardings.values()] };
  }

  #flush(): Promise<void> {
    this.#next ??= this.#inTurn(async () => {
      this.#next = undefined;
      const change = this.#pending;
      this.#pending = { add: [], remove: [] };
      await this.#apply(change);
    });
    return this.#next;
  }

  async #apply(change: FirewallChange): Promise<void> {
    try {
      await this.#backend.change(change);
    } catch (error) {
      this.#log("warn", `The firewall's rules were not as bunker left them; they are made again (${error})`);
      await this.#backend.replace(this.#state());
    }
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const mine = this.#last.then(work);
    this.#last = mine.catch(() => {});
    return mine;
  }
}
