import { Fault } from "#errors";
import type {
  Endpoint,
  EndpointRequest,
  Finding,
  LinkedHost,
  Network,
  NetworkRequest,
  Networks,
  PortReport,
  PublishedPort,
  Sandbox,
  SandboxRequest,
} from "#network";

const BRIDGE: Network = {
  id: "b".repeat(64),
  name: "bridge",
  driver: "bridge",
  created: 0,
  scope: "local",
  ipam: {
    driver: "default",
    options: {},
    pools: [{ family: 4, subnet: "172.17.0.0/16", gateway: "172.17.0.1", range: "", auxiliary: {} }],
  },
  options: {},
  labels: {},
  isInternal: false,
  isAttachable: false,
  isIpv4: true,
  isIpv6: false,
};

const HOST: Network = { ...BRIDGE, id: "c".repeat(64), name: "host", driver: "host" };
const NONE: Network = { ...BRIDGE, id: "d".repeat(64), name: "none", driver: "null" };

/** Gives every container an endpoint and the ports it asks for. */
export class FakeNetworks implements Networks {
  readonly requests: SandboxRequest[] = [];
  readonly held = new Map<string, { endpoints: readonly Endpoint[]; ports: readonly PublishedPort[] }>();
  readonly opened: string[] = [];
  readonly made: Network[] = [];
  readonly renamed: (readonly [string, string])[] = [];
  readonly names = new Map<string, string>();
  readonly entered: string[] = [];
  prepareFailure: unknown;
  connectFailure: unknown;
  openFailure: unknown;

  list(): readonly Network[] {
    return [BRIDGE, HOST, NONE, ...this.made];
  }

  find(text: string): Network | undefined {
    return this.list().find(({ id, name }) => name === text || id.startsWith(text));
  }

  async create(request: NetworkRequest): Promise<{ network: Network; warning: string }> {
    if (this.find(request.name) !== undefined)
      throw new Fault("conflict", `network with name ${request.name} already exists`);
    const network = {
      ...BRIDGE,
      ...request,
      id: `${this.made.length}`.padStart(64, "a"),
      created: Date.now(),
    };
    this.made.push(network);
    return { network, warning: "" };
  }

  async remove(text: string): Promise<Network> {
    const network = this.find(text);
    if (network === undefined) throw new Fault("not_found", `network ${text} not found`);
    if (this.members(network.id).length > 0)
      throw new Fault("denied", `network ${text} has active endpoints`);
    this.made.splice(this.made.indexOf(network), 1);
    return network;
  }

  readonly relinked: (readonly [string, readonly LinkedHost[]])[] = [];

  async relink(containerId: string, hosts: readonly LinkedHost[]): Promise<void> {
    this.relinked.push([containerId, hosts]);
  }

  async connect(containerId: string, request: EndpointRequest): Promise<Endpoint> {
    if (this.connectFailure !== undefined) throw this.connectFailure;
    const joined = this.#endpoint(request);
    const { endpoints, ports } = this.endpoints(containerId);
    this.held.set(containerId, { endpoints: [...endpoints, joined], ports });
    return joined;
  }

  async disconnect(containerId: string, network: string): Promise<Endpoint> {
    const { endpoints, ports } = this.endpoints(containerId);
    const gone = endpoints.find(({ networkId }) => networkId === network);
    if (gone === undefined) throw new Fault("conflict", `${containerId} is not connected to ${network}`);
    this.held.set(containerId, { endpoints: endpoints.filter((one) => one !== gone), ports });
    return gone;
  }

  rename(containerId: string, name: string): void {
    this.renamed.push([containerId, name]);
  }

  members(networkId: string) {
    return [...this.held].flatMap(([containerId, { endpoints }]) =>
      endpoints
        .filter((one) => one.networkId === networkId)
        .map((endpoint) => ({ containerId, name: this.names.get(containerId) ?? "", endpoint })),
    );
  }

  async diagnose(): Promise<readonly Finding[]> {
    return [];
  }

  publishedPorts(): readonly PortReport[] {
    return [];
  }

  async prepare(request: SandboxRequest): Promise<Sandbox> {
    if (this.prepareFailure !== undefined) throw this.prepareFailure;
    this.requests.push(request);
    this.names.set(request.containerId, request.name);
    const endpoints = request.endpoints.map((asked) => this.#endpoint(asked));
    const ports = request.ports.map(({ containerPort, protocol, hostAddress, hostPort }) => ({
      containerPort,
      protocol,
      hostAddress: hostAddress || "0.0.0.0",
      hostPort: hostPort || 32768,
    }));
    this.held.set(request.containerId, { endpoints, ports });
    return {
      namespace: request.mode.kind === "host" ? { kind: "host" } : { kind: "new" },
      links: [],
      reservations: [],
      sysctls: {},
      files: {
        hosts: `${request.directory}/hosts`,
        hostname: `${request.directory}/hostname`,
        resolvConf: `${request.directory}/resolv.conf`,
      },
      endpoints,
      ports,
      open: async () => {
        if (this.openFailure !== undefined) throw this.openFailure;
        this.opened.push(request.containerId);
      },
      enter: async () => {
        this.entered.push(request.containerId);
      },
      [Symbol.asyncDispose]: () => this.release(request.containerId),
    };
  }

  async release(containerId: string): Promise<void> {
    this.held.delete(containerId);
  }

  async restore(): Promise<void> {}

  portConflict({ hostAddress, hostPort }: Omit<PublishedPort, "containerPort">): Fault {
    return new Fault(
      "conflict",
      `Bind for ${hostAddress}:${hostPort} failed: port is already allocated: by another`,
    );
  }

  warnings(): readonly string[] {
    return [];
  }

  endpoints(containerId: string) {
    return this.held.get(containerId) ?? { endpoints: [], ports: [] };
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #endpoint({ network, aliases, driverOptions, gatewayPriority }: EndpointRequest): Endpoint {
    const found = this.find(network);
    if (found === undefined) throw new Fault("not_found", `network ${network} not found`);
    return {
      networkId: found.id,
      networkName: found.name,
      endpointId: String(this.held.size),
      macAddress: "02:42:ac:11:00:02",
      address: `172.17.0.${this.held.size + 2}`,
      prefixLength: 16,
      gateway: "172.17.0.1",
      ipv6Address: "",
      ipv6PrefixLength: 0,
      ipv6Gateway: "",
      aliases,
      dnsNames: [],
      interfaceName: "eth0",
      gatewayPriority,
      driverOptions,
    };
  }
}
