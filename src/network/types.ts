import type { Fault } from "#errors";
import type { NetlinkStep } from "#oci";

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

/** A linked container: a line of /etc/hosts, and what it exposes, which `--icc=false` then does not close. */
export interface LinkedHost {
  readonly address: string;
  readonly names: readonly string[];
  readonly ports?: readonly LinkedPort[];
}

export interface LinkedPort {
  readonly protocol: "tcp" | "udp" | "sctp";
  readonly number: number;
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
  /** Containers of the default bridge that this one knows by links. */
  readonly linkedHosts?: readonly LinkedHost[];
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
  /** Whether its subnet was asked for: only then may addresses in it be. */
  readonly isAsked?: boolean;
  /** What the IPAM driver calls it; absent from requests. */
  readonly poolId?: string;
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
  /** Options for others, which name it; no container can be on it. */
  readonly isConfigOnly?: boolean;
  /** The name of the configuration that it was made from. */
  readonly configFrom?: string;
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
  /** Absent: what an option says (`com.docker.network.enable_ipv6`), else IPv4 alone. */
  readonly isIpv4?: boolean;
  readonly isIpv6?: boolean;
  readonly ipam: {
    /** Empty: `default`. */
    readonly driver: string;
    readonly options: Readonly<Record<string, string>>;
    readonly pools: readonly AddressPool[];
  };
  readonly isConfigOnly?: boolean;
  readonly configFrom?: string;
}

export interface Networks extends AsyncDisposable {
  list(): readonly Network[];
  /** By name, id or unique prefix. */
  find(text: string): Network | undefined;
  /** Makes it on this host too. Throws `invalid`, and `conflict` for a name taken or a subnet that overlaps another. */
  create(request: NetworkRequest): Promise<{ readonly network: Network; readonly warning: string }>;
  /**
   * `conflict` naming the containers that are on it; `denied` for one of the daemon's own. By force also what belongs
   * to a plugin that cannot be asked.
   */
  remove(text: string, options?: { readonly force?: boolean }): Promise<Network>;
  /** Takes what a start needs. Throws `conflict` naming the holder when a port is in use. */
  prepare(request: SandboxRequest): Promise<Sandbox>;
  /**
   * Joins a running container to one more network. Throws `conflict` when it is on it; `denied` for one that has
   * no network namespace of its own.
   */
  connect(containerId: string, request: EndpointRequest, holder: NamespaceHolder): Promise<Endpoint>;
  /** Takes a running container off a network; without a holder, or when it has gone, only what the host has of it. */
  disconnect(containerId: string, network: string, holder?: NamespaceHolder): Promise<Endpoint>;
  /** What a running container may reach by its links from now on, on a network whose containers are kept apart. */
  relink(containerId: string, hosts: readonly LinkedHost[]): Promise<void>;
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
