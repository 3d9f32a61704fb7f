import type { Fault } from "#errors";
import type { Log, Netlink } from "#host";
import type { NetlinkStep } from "#oci";
import type { Firewall } from "./firewall.ts";
import type { Relays } from "./relays.ts";

/** One published or exposed port, as asked for. A host port of 0 is chosen when the container starts. */
export interface PortRequest {
  readonly containerPort: number;
  readonly protocol: "tcp" | "udp" | "sctp";
  /** Empty for all addresses, IPv4 and IPv6. */
  readonly hostAddress: string;
  readonly hostPort: number;
  /** The last of a range to choose from; equal to hostPort for a fixed one. */
  readonly hostPortEnd: number;
}

/** One that has been given a host port. */
export interface PublishedPort {
  readonly containerPort: number;
  readonly protocol: "tcp" | "udp" | "sctp";
  readonly hostAddress: string;
  readonly hostPort: number;
}

/** What a container has on one network. Prefix lengths in bits. */
export interface Endpoint {
  readonly networkId: string;
  readonly networkName: string;
  readonly endpointId: string;
  readonly macAddress: string;
  readonly address: string;
  readonly prefixLength: number;
  readonly gateway: string;
  readonly ipv6Address: string;
  readonly ipv6PrefixLength: number;
  readonly ipv6Gateway: string;
  readonly aliases: readonly string[];
  /** All names it answers to on a user-defined network: the container's, its short id, its aliases. */
  readonly dnsNames: readonly string[];
  /** `eth0`; empty where the container has no link of its own. */
  readonly interfaceName: string;
  /** The endpoint with the highest one has the default route; of equals the network whose name comes first. */
  readonly gatewayPriority: number;
  readonly driverOptions: Readonly<Record<string, string>>;
}

export type NetworkMode =
  /** A namespace of its own, on the networks of the request. */
  | { readonly kind: "networks" }
  | { readonly kind: "host" }
  | { readonly kind: "none" }
  /** Shares the network namespace, and the files, of another container. */
  | { readonly kind: "container"; readonly id: string; readonly pid: number };

/** What is asked of one network. */
export interface EndpointRequest {
  /** Name or id. */
  readonly network: string;
  readonly aliases: readonly string[];
  /** `container` or `container:alias`, for the asking container alone. */
  readonly links: readonly string[];
  readonly address?: string;
  readonly ipv6Address?: string;
  readonly linkLocalAddresses: readonly string[];
  readonly macAddress?: string;
  readonly gatewayPriority: number;
  readonly driverOptions: Readonly<Record<string, string>>;
}

/** A running container's network namespace; the start time tells its process from a later one with the same pid. */
export interface NamespaceHolder {
  readonly pid: number;
  readonly startTicks: string;
}

export interface SandboxRequest {
  readonly containerId: string;
  readonly name: string;
  readonly hostname: string;
  readonly domainname: string;
  readonly mode: NetworkMode;
  /** The first is `eth0`; empty for modes other than `networks`. */
  readonly endpoints: readonly EndpointRequest[];
  readonly ports: readonly PortRequest[];
  readonly dns: readonly string[];
  readonly dnsSearch: readonly string[];
  readonly dnsOptions: readonly string[];
  /** `host:address`; the address may be `host-gateway`. */
  readonly extraHosts: readonly string[];
  /** The container's own directory, where hosts, hostname and resolv.conf are written. */
  readonly directory: string;
}

/** Addresses, ports and files, taken for one start of a container. Disposing it gives everything back. */
export interface Sandbox extends AsyncDisposable {
  readonly namespace:
    | { readonly kind: "new" }
    | { readonly kind: "host" }
    | { readonly kind: "path"; readonly path: string };
  /** For the launcher: links made between host and child, and host ports held while the container lives. */
  readonly links: readonly NetlinkStep[];
  readonly reservations: readonly {
    readonly family: 4 | 6;
    readonly protocol: "tcp" | "udp" | "sctp";
    readonly address: string;
    readonly port: number;
  }[];
  /** Of namespace `new`: what belongs in it (`net.ipv4.ip_unprivileged_port_start` and the like is the caller's). */
  readonly sysctls: Readonly<Record<string, string>>;
  /** Host paths of the three files; with mode container those of the other one. */
  readonly files:
    | { readonly hosts: string; readonly hostname: string; readonly resolvConf: string }
    | undefined;
  readonly endpoints: readonly Endpoint[];
  readonly ports: readonly PublishedPort[];
  /** Makes the ports reachable. The container's namespace need not exist yet. */
  open(): Promise<void>;
  /** What has to be done in the namespace, once it is there and before the container's program runs: name service. */
  enter(holder: NamespaceHolder): Promise<void>;
}

/** One block of addresses of a network. `gateway` is the host's own address there, where it has one. */
export interface AddressPool {
  readonly family: 4 | 6;
  /** With prefix length, as all that follow but gateway and auxiliaries. */
  readonly subnet: string;
  readonly gateway: string;
  /** What is given without being asked for; empty: the whole subnet. */
  readonly range: string;
  /** Name → address that is never given: routers and the like. */
  readonly auxiliary: Readonly<Record<string, string>>;
}

/** A network as `network ls` and `inspect` show it. */
export interface Network {
  readonly id: string;
  readonly name: string;
  readonly driver: string;
  /** Milliseconds since the epoch. */
  readonly created: number;
  /** `global` for one that hosts share through a store. */
  readonly scope: "local" | "global";
  readonly ipam: {
    readonly driver: string;
    readonly options: Readonly<Record<string, string>>;
    /** As they are; empty until the network is set up, and where the driver has no addresses. */
    readonly pools: readonly AddressPool[];
  };
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly isInternal: boolean;
  readonly isAttachable: boolean;
  readonly isIpv4: boolean;
  readonly isIpv6: boolean;
}

/** What `network create` asks for. Pools may lack anything but their family. */
export interface NetworkRequest {
  readonly name: string;
  /** Empty: bridge. */
  readonly driver: string;
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly isInternal: boolean;
  readonly isAttachable: boolean;
  readonly isIpv4: boolean;
  readonly isIpv6: boolean;
  readonly ipam: {
    /** Empty: `default`. */
    readonly driver: string;
    readonly options: Readonly<Record<string, string>>;
    readonly pools: readonly AddressPool[];
  };
}

export interface Networks extends AsyncDisposable {
  list(): readonly Network[];
  /** By name, id or unique prefix. */
  find(text: string): Network | undefined;
  /** Makes it on this host too. Throws `invalid`, and `conflict` for a name taken or a subnet that overlaps another. */
  create(request: NetworkRequest): Promise<{ readonly network: Network; readonly warning: string }>;
  /** `conflict` naming the containers that are on it; `forbidden` for one of the daemon's own. */
  remove(text: string): Promise<Network>;
  /** Takes what a start needs. Throws `conflict` naming the holder when a port is in use. */
  prepare(request: SandboxRequest): Promise<Sandbox>;
  /** Joins a running container to one more network. Throws `conflict` when it is on it. */
  connect(
    container: Pick<SandboxRequest, "containerId" | "name" | "directory" | "ports">,
    request: EndpointRequest,
    holder: NamespaceHolder,
  ): Promise<Endpoint>;
  /** Takes a running container off a network; `force` also when its namespace cannot be entered. */
  disconnect(containerId: string, network: string, options: { readonly force: boolean }): Promise<void>;
  /** The new name shows in name service at once. */
  rename(containerId: string, name: string): void;
  /** What is running on a network: for `inspect`. */
  members(networkId: string): readonly {
    readonly containerId: string;
    readonly name: string;
    readonly endpoint: Endpoint;
  }[];
  /** Gives back whatever a container holds; called when it has ended, also after a restart of the daemon. */
  release(containerId: string): Promise<void>;
  /** At start: makes bridge and rules as the running containers need them, removes all that belongs to no one. */
  restore(running: ReadonlyMap<string, NamespaceHolder>): Promise<void>;
  /** What the sentence about a host port that could not be had should say: Docker's words, and who holds it. */
  portConflict(port: Omit<PublishedPort, "containerPort">): Fault;
  /** What this host lacks and what that costs, for `info`. */
  warnings(): readonly string[];
  /** What network doctor says, in order of weight. */
  diagnose(): Promise<readonly Finding[]>;
  /** Each published port of a running container. */
  publishedPorts(): readonly PortReport[];
  /** Endpoints of a running container, for inspect. */
  endpoints(containerId: string): {
    readonly endpoints: readonly Endpoint[];
    readonly ports: readonly PublishedPort[];
  };
}

/** One thing that was looked at on this host. */
export interface Finding {
  /** `ip_forward`, `firewall back-end`, `chain BUNKER-FWD`, … */
  readonly subject: string;
  readonly verdict: "good" | "warning" | "broken";
  /** What was found and what it costs. */
  readonly sentence: string;
  /** What to do about it; empty when all is well. */
  readonly remedy: string;
}

export interface PortReport extends PublishedPort {
  readonly containerId: string;
  readonly containerName: string;
  readonly networkName: string;
  /** Where it leads; empty for a port of a container without an address. */
  readonly address: string;
  readonly carrier: "translation" | "relay";
  /** Who can reach it, in words: `every host that can reach this one`, `this host only`, … */
  readonly reach: string;
}

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
  /** `etcd://HOST:PORT[,HOST:PORT][/PATH]`, for networks that hosts share. */
  readonly clusterStore?: string;
  /** Address or interface at which the other hosts reach this one. */
  readonly clusterAdvertise?: string;
  readonly clusterStoreOptions: Readonly<Record<string, string>>;
}

/** What a started container holds of one network: the row of table `endpoint`. */
export interface EndpointRecord {
  readonly containerId: string;
  readonly containerName: string;
  readonly networkId: string;
  /** Where the container's hosts, hostname and resolv.conf are. */
  readonly directory: string;
  /** The host's end of its link; empty where there is none. */
  readonly link: string;
  readonly endpoint: Endpoint;
  readonly ports: readonly PublishedPort[];
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
  readonly settings: BridgeSettings;
  readonly netlink: Netlink;
  readonly firewall: Firewall;
  readonly relays: Relays;
  readonly log: Log;
}

/** What a container needs of a driver to be on a network. */
export interface Joined {
  /** Steps that leave a link of the record's interface name in the child's namespace, up and with its addresses. */
  readonly links: readonly NetlinkStep[];
  readonly sysctls: Readonly<Record<string, string>>;
  /** What the default route would go to; absent where this network has no way out. The room sets the route. */
  readonly gateway?: string;
  readonly ipv6Gateway?: string;
  /** Default route without a gateway (ipvlan l3). */
  readonly isGatewayOnLink?: boolean;
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
  /** Which IPAM it wants when the user names none. */
  readonly defaultIpam?: string;
  /**
   * Checks a new network's options and writes what the driver decides into it (the bridge's name, the parent link).
   * Touches nothing. Throws `invalid` naming the option, `conflict` naming the other network, `unsupported`.
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
  /** Tells the store that hosts share, if there is one. Before setUp, and after tearDown. */
  announce?(network: Network): Promise<Network>;
  retract?(network: Network): Promise<void>;
  join(network: Network, record: EndpointRecord): Promise<Joined>;
  /** Makes the ports reachable. */
  open(network: Network, record: EndpointRecord): Promise<void>;
  /**
   * Undoes join and open, also when they were not completed. What the kernel does by itself when the container's
   * namespace ends may come a moment later: `settle` waits for it.
   */
  close(network: Network, record: EndpointRecord): Promise<void>;
  settle(): Promise<void>;
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
  /** After a start of the daemon: what is in use. */
  restore(pool: AddressPool, poolId: string, addresses: readonly string[]): Promise<void>;
}
