import type { Log, Netlink } from "#host";
import type { NetlinkStep } from "#oci";
import type { Firewall } from "./firewall/index.ts";
import type { Relays } from "./relays.ts";
import type {
  AddressPool,
  Endpoint,
  Finding,
  LinkedHost,
  Network,
  PortReport,
  PublishedPort,
} from "./types.ts";

export type * from "./types.ts";

/** How the default bridge is set up: `--bridge`, `--bip`, `--mtu`, … */
export interface BridgeSettings {
  readonly name: string;
  /** Address with prefix length; absent: the first free pool. */
  readonly bip?: string;
  readonly bip6?: string;
  readonly fixedCidr?: string;
  readonly fixedCidrV6?: string;
  /** Of the default bridge's containers, where it is not the bridge itself. */
  readonly defaultGateway?: string;
  readonly defaultGatewayV6?: string;
  /** Of the default bridge. */
  readonly ipv6: boolean;
  readonly mtu: number;
  readonly icc: boolean;
  readonly ipForward: boolean;
  /** Leaves the policy of FORWARD alone when forwarding is turned on. */
  readonly ipForwardNoDrop: boolean;
  readonly ipMasquerade: boolean;
  readonly iptables: boolean;
  readonly ip6tables: boolean;
  /** Empty: what the host has. */
  readonly firewallBackend: "" | "iptables" | "nftables";
  /** Other hosts may reach published ports at the containers' own addresses. */
  readonly allowDirectRouting: boolean;
  /** Whether relays may carry what translation cannot. */
  readonly userlandProxy: boolean;
  /** `input`: published ports obey the host's INPUT rules. */
  readonly publishMode: "forward" | "input";
  /** What `host-gateway` stands for; empty: the default bridge's own addresses. */
  readonly hostGatewayAddresses: readonly string[];
  readonly defaultAddress: string;
  /** Empty: Docker's own. */
  readonly addressPools: readonly { readonly base: string; readonly size: number }[];
  /** Driver → options of each new network of it that names none of its own. */
  readonly defaultNetworkOptions: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** What a started container holds of one network: the row of table `endpoint`. */
export interface EndpointRecord {
  readonly containerId: string;
  readonly containerName: string;
  readonly networkId: string;
  /** Where the container's hosts, hostname and resolv.conf are. */
  readonly directory: string;
  /** What the host's end of its link is called, if the driver makes one; empty where there is no link at all. */
  readonly link: string;
  readonly endpoint: Endpoint;
  /** Of the one endpoint of a container that has its default route and whose driver carries ports; else none. */
  readonly ports: readonly PublishedPort[];
  /** Where its default route would lead, as its driver said when it joined. */
  readonly way?: Way;
  /** `container` or `container:alias`, for the asking container alone. */
  readonly links?: readonly string[];
  /** Containers of the same network that it is linked to. */
  readonly linked?: readonly LinkedHost[];
}

/** A way out of a network; nothing where it has none. */
export interface Way {
  readonly gateway?: string;
  readonly ipv6Gateway?: string;
  /** Default route without a gateway (ipvlan l3). */
  readonly isGatewayOnLink?: boolean;
}

/** For drivers whose networks other hosts share: what they learn of them. */
export interface NetworkCatalog {
  /** A network made on another host, or changed there. */
  learn(network: Network): Promise<void>;
  /** One that was removed elsewhere: it goes here too once no container of this host is on it. */
  forget(networkId: string): Promise<void>;
  /** An endpoint on another host: its names are answered here. `key` tells it from others of that network. */
  learnPeer(networkId: string, key: string, peer: NetworkPeer): void;
  forgetPeer(networkId: string, key: string): void;
}

export interface NetworkPeer {
  readonly containerName: string;
  readonly names: readonly string[];
  readonly addresses: readonly string[];
}

/** What the room hands a driver: the host's network, and what carries ports. */
export interface NetworkHost {
  readonly catalog: NetworkCatalog;
  /** Another driver, for one that builds on it; there once all are open. */
  readonly driver: (name: string) => NetworkDriver | undefined;
  readonly settings: BridgeSettings;
  readonly netlink: Netlink;
  readonly firewall: Firewall;
  readonly relays: Relays;
  /** A folder that is this daemon's alone, which does not outlive a restart of the host. */
  readonly stateDirectory: string;
  readonly log: Log;
}

/** How one published port gets to its container. */
export interface Carriage extends PublishedPort, Pick<PortReport, "address" | "carrier" | "reach"> {
  /** A relay has a socket there: nobody else need hold the port while the container lives. */
  readonly isHeld: boolean;
}

/** What a container needs of a driver to be on a network. The default route goes over its way out, or another's. */
export interface Joined extends Way {
  /** What the driver decided of the endpoint itself. */
  readonly endpoint?: Endpoint;
  /**
   * Steps that leave a link of the record's interface name in the child's namespace, up and with its addresses. The
   * loopback is the room's, and so are routes, link-local addresses, and removing the link from a live container.
   */
  readonly links: readonly NetlinkStep[];
  readonly sysctls: Readonly<Record<string, string>>;
}

/**
 * Joins containers to networks of one kind. Knows nothing of names, records and files: addresses are given to
 * it, and what it makes for an endpoint can be found again by the endpoint's record alone.
 */
export interface NetworkDriver {
  /** Whose network namespace a container has: one of its own, or the host's. */
  readonly namespace: "new" | "host";
  /** Whether its endpoints have addresses. */
  readonly isAddressed: boolean;
  /** Whether ports can be published on it. */
  readonly carriesPorts: boolean;
  /** Another program answers for it, and may be gone for good: by force its networks are forgotten without it. */
  readonly isForeign?: boolean;
  /** Links keep the hardware address that they come with, unless one was asked for. */
  readonly leavesMac?: boolean;
  /** Which IPAM it wants when the user names none. */
  readonly defaultIpam?: string;
  /**
   * Checks a new network's options and writes what the driver decides into it (the bridge's name, the parent link).
   * Of the daemon's own bridge that is also its pools, as the settings and the link that is there want them. What
   * pools then lack the IPAM driver gives. Touches nothing. Throws `invalid` naming the option, `conflict` naming the other network, `unsupported`.
   */
  admit(network: Network, others: readonly Network[]): Network;
  /**
   * Makes what the network needs on this host, keeps what is there, and removes what belongs to none of the
   * live endpoints. Returns the network as it is now. Of a failure nothing is left.
   */
  setUp(network: Network, live: readonly EndpointRecord[]): Promise<Network>;
  /** Called once when all networks have been set up after a start of the daemon: for what is done for all at once. */
  restored?(): Promise<void>;
  /** Removes all that the network has on this host. */
  tearDown(network: Network): Promise<void>;
  /** Tells the store that hosts share, if there is one: once the pools are given and before setUp; before tearDown. */
  announce?(network: Network): Promise<Network>;
  retract?(network: Network): Promise<void>;
  join(network: Network, record: EndpointRecord): Promise<Joined>;
  /** Makes the ports reachable. The record may have joined without ports: they come with the default route. */
  open(network: Network, record: EndpointRecord): Promise<void>;
  /** What the container is linked to has changed. For drivers that can keep containers of one network apart. */
  relink?(network: Network, record: EndpointRecord): Promise<void>;
  /** Undoes open alone: the ports go with the default route to another endpoint. */
  shut(network: Network, record: EndpointRecord): Promise<void>;
  /**
   * Undoes join and open, also when they were not completed. What the kernel does by itself when the container's
   * namespace ends may come a moment later: `settle` waits for it.
   */
  close(network: Network, record: EndpointRecord): Promise<void>;
  settle(): Promise<void>;
  /** After the container's names have changed, for whoever tells other hosts. */
  renamed?(record: EndpointRecord): void;
  /** Each port of the record, in its order. */
  carriage?(network: Network, record: EndpointRecord): readonly Carriage[];
  /** What `network doctor` should say of it. */
  diagnose?(): Promise<readonly Finding[]>;
}

export type Verdict = { readonly usable: true } | { readonly usable: false; readonly reason: string };

export interface NetworkDriverKind {
  readonly name: string;
  probe(): Verdict;
  open(host: NetworkHost): NetworkDriver;
}

/**
 * Gives subnets and addresses. Shaped like libnetwork's IPAM driver, so that a remote one fits behind it.
 * Addresses are text with prefix length where libnetwork's are.
 */
export interface IpamDriver {
  /** As a network driver's. */
  readonly isForeign?: boolean;
  /** Whether each request for a container's address must say the hardware address it is for. */
  requiresMac?(): Promise<boolean>;
  /** An empty subnet asks for any free one. Throws `conflict` when it overlaps one that is in use. */
  requestPool(request: {
    readonly family: 4 | 6;
    readonly subnet: string;
    readonly range: string;
    readonly options: Readonly<Record<string, string>>;
  }): Promise<{ readonly poolId: string; readonly subnet: string; readonly gateway?: string }>;
  releasePool(poolId: string): Promise<void>;
  /** An empty address asks for any. Throws `conflict` when it is taken, `invalid` outside the pool. Bare address. */
  requestAddress(
    poolId: string,
    request: { readonly address: string; readonly options: Readonly<Record<string, string>> },
  ): Promise<string>;
  releaseAddress(poolId: string, address: string): Promise<void>;
  /** After a start of the daemon: what is in use, and what was given last (empty: nothing), to be given again last. */
  restore(pool: AddressPool, poolId: string, addresses: readonly string[], last: string): Promise<void>;
}

export interface IpamDriverKind {
  readonly name: string;
  open(): IpamDriver;
}
