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
}

export type NetworkMode =
  | { readonly kind: "bridge"; readonly network: string }
  | { readonly kind: "host" }
  | { readonly kind: "none" }
  /** Shares the network namespace, and the files, of another container. */
  | { readonly kind: "container"; readonly id: string; readonly pid: number };

export interface SandboxRequest {
  readonly containerId: string;
  readonly name: string;
  readonly hostname: string;
  readonly domainname: string;
  readonly mode: NetworkMode;
  readonly ports: readonly PortRequest[];
  readonly macAddress?: string;
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
}

/** A network as `network ls` and `inspect` show it. */
export interface Network {
  readonly id: string;
  readonly name: string;
  readonly driver: string;
  readonly created: number;
  readonly subnet: string;
  readonly gateway: string;
  readonly ipv6Subnet: string;
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly isInternal: boolean;
}

export interface Networks extends AsyncDisposable {
  list(): readonly Network[];
  /** By name, id or unique prefix. */
  find(text: string): Network | undefined;
  /** Takes what a start needs. Throws `conflict` naming the holder when a port is in use. */
  prepare(request: SandboxRequest): Promise<Sandbox>;
  /** Gives back whatever a container holds; called when it has ended, also after a restart of the daemon. */
  release(containerId: string): Promise<void>;
  /** At start: makes bridge and rules as the running containers need them, removes all that belongs to no one. */
  restore(running: ReadonlySet<string>): Promise<void>;
  /** What the sentence about a host port that could not be had should say: Docker's words, and who holds it. */
  portConflict(port: Omit<PublishedPort, "containerPort">): Fault;
  /** What this host lacks and what that costs, for `info`. */
  warnings(): readonly string[];
  /** A name change shows in /etc/hosts of those that resolve it; endpoints of a container, for inspect. */
  endpoints(containerId: string): {
    readonly endpoints: readonly Endpoint[];
    readonly ports: readonly PublishedPort[];
  };
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

/** What the room hands a driver: the host's network, and what carries ports. */
export interface NetworkHost {
  readonly settings: BridgeSettings;
  readonly netlink: Netlink;
  readonly firewall: Firewall;
  readonly relays: Relays;
  readonly log: Log;
}

/** What a container needs of a driver to be on a network, besides its address. */
export interface Joined {
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
  /** Whether its endpoints have addresses, and links that ports can be published to. */
  readonly isAddressed: boolean;
  /**
   * Makes what the network needs on this host, keeps what is there, and removes what belongs to none of the
   * live endpoints. Returns the network with the subnet and gateway that it has now.
   */
  setUp(network: Network, live: readonly EndpointRecord[]): Promise<Network>;
  /** Removes all that the network has on this host. */
  tearDown(network: Network): Promise<void>;
  /** Takes no time: only says what the launcher shall do. */
  join(network: Network, record: EndpointRecord): Joined;
  /** Makes the ports reachable. */
  open(network: Network, record: EndpointRecord): Promise<void>;
  /**
   * Undoes join and open, also when they were not completed. What the kernel does by itself when the container's
   * namespace ends may come a moment later: `settle` waits for it.
   */
  close(network: Network, record: EndpointRecord): Promise<void>;
  settle(): Promise<void>;
}

export type Verdict = { readonly usable: true } | { readonly usable: false; readonly reason: string };

export interface NetworkDriverKind {
  readonly name: string;
  probe(): Verdict;
  open(host: NetworkHost): NetworkDriver;
}
