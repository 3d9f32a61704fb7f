/** One family of a bridge. */
export interface BridgeSubnet {
  readonly family: 4 | 6;
  /** `172.17.0.0/16`. */
  readonly subnet: string;
  /** Whether what leaves by another interface gets that one's address. */
  readonly isMasqueraded: boolean;
  /** The address that what leaves gets instead; empty: that of the interface. */
  readonly sourceAddress: string;
  /** What can be reached from elsewhere by a container's own address: nothing, published ports, everything. */
  readonly directReach: "none" | "published" | "all";
}

/** A bridge whose traffic is filtered and translated. */
export interface FilteredBridge {
  readonly name: string;
  readonly subnets: readonly BridgeSubnet[];
  /** Whether its containers may speak to one another beside their published ports. */
  readonly isOpenInside: boolean;
  /** Without any way out. */
  readonly isInternal: boolean;
  /** Links of the host whose neighbours may reach every port by a container's own address. */
  readonly trustedInterfaces: readonly string[];
}

/** One port of the host or of a container that may be reached from elsewhere. */
export interface ForwardedPort {
  readonly family: 4 | 6;
  readonly protocol: "tcp" | "udp" | "sctp";
  /** The host's side: `0.0.0.0` and `::` for all. */
  readonly hostAddress: string;
  readonly hostPort: number;
  /** The container's side. */
  readonly address: string;
  readonly containerPort: number;
  /** Whether the host's side leads to the container's. */
  readonly isTranslated: boolean;
  /** Whether the container's side may be reached directly. */
  readonly isDirect: boolean;
}

/** A port of a neighbour that one container may reach though the bridge's containers are kept apart. */
export interface Passage {
  readonly family: 4 | 6;
  readonly protocol: "tcp" | "udp" | "sctp";
  readonly from: string;
  readonly to: string;
  readonly port: number;
}

/** What concerns one container on one bridge. */
export interface Forwarding {
  readonly containerId: string;
  readonly bridge: string;
  readonly ports: readonly ForwardedPort[];
  readonly passages: readonly Passage[];
}

export interface FirewallState {
  readonly bridges: readonly FilteredBridge[];
  readonly forwardings: readonly Forwarding[];
  /** Families for which the daemon itself turned forwarding on: what is nobody's bridge's is not forwarded then. */
  readonly closedFamilies: readonly (4 | 6)[];
  /** Families for which it was turned off again: the policy that closed it goes too. */
  readonly reopenedFamilies: readonly (4 | 6)[];
}

export const EMPTY_STATE: FirewallState = {
  bridges: [],
  forwardings: [],
  closedFamilies: [],
  reopenedFamilies: [],
};

/** Whether anything is to be said in this family. */
export const hasFamily = ({ bridges, closedFamilies }: FirewallState, family: 4 | 6): boolean =>
  closedFamilies.includes(family) ||
  bridges.some(({ subnets }) => subnets.some((subnet) => subnet.family === family));

/** What comes and goes together, so that one process can do it all. */
export interface FirewallParts {
  readonly bridges: readonly FilteredBridge[];
  readonly forwardings: readonly Forwarding[];
}

export interface FirewallChange {
  readonly add: FirewallParts;
  readonly remove: FirewallParts;
}

/** Who changed rules beside this daemon, as far as the kernel tells: `iptables (pid 812)`, or `another program`. */
export type Intruder = string;

/** Tells cheaply whether rules may have been removed by others. Asked once a second. */
export interface FirewallWatch extends Disposable {
  /** How often to look, in milliseconds; absent where `notice` is called when there is something to look at. */
  readonly interval?: number;
  /** Undefined while nobody else removed anything since the last look. */
  look(): Intruder | undefined;
  /** Runs a program of our own: what it removes is not another's doing. */
  own<T extends { readonly pid: number }>(work: () => Promise<T>): Promise<T>;
}

/** One way of telling the kernel. Touches no rule but its own, whatever else there is. */
export interface FirewallBackend {
  /** `iptables-nft`, `iptables-legacy`, `nftables`. */
  readonly name: string;
  /** Undefined, or what this host lacks for it. */
  missing(): string | undefined;
  /** Makes the rules say exactly this, whatever they said before. A user's own chain stays as it is. */
  replace(state: FirewallState): Promise<void>;
  /** Throws when the rules are not as they were left: then `replace` is the cure. */
  change(change: FirewallChange): Promise<void>;
  /** Removes every rule and chain of its own; a user's chain with rules in it stays. */
  clear(): Promise<void>;
  /** Whether every rule of this state is there. */
  isIntact(state: FirewallState): Promise<boolean>;
  /** `notice` is called soon after somebody changed something, ourselves included. */
  watch(notice: () => void): FirewallWatch;
}
