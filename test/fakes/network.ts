import { Fault } from "#errors";
import type { Endpoint, Network, Networks, PublishedPort, Sandbox, SandboxRequest } from "#network";

const BRIDGE: Network = {
  id: "b".repeat(64),
  name: "bridge",
  driver: "bridge",
  created: 0,
  subnet: "172.17.0.0/16",
  gateway: "172.17.0.1",
  ipv6Subnet: "",
  options: {},
  labels: {},
  isInternal: false,
};

/** Gives every container an endpoint and the ports it asks for. */
export class FakeNetworks implements Networks {
  readonly requests: SandboxRequest[] = [];
  readonly held = new Map<string, { endpoints: readonly Endpoint[]; ports: readonly PublishedPort[] }>();
  readonly opened: string[] = [];
  prepareFailure: unknown;
  openFailure: unknown;

  list(): readonly Network[] {
    return [BRIDGE];
  }

  find(text: string): Network | undefined {
    return this.list().find(({ id, name }) => name === text || id.startsWith(text));
  }

  async prepare(request: SandboxRequest): Promise<Sandbox> {
    if (this.prepareFailure !== undefined) throw this.prepareFailure;
    this.requests.push(request);
    const endpoints = request.mode.kind === "bridge" ? [endpoint(this.held.size)] : [];
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
}

function endpoint(count: number): Endpoint {
  return {
    networkId: BRIDGE.id,
    networkName: BRIDGE.name,
    endpointId: String(count),
    macAddress: "02:42:ac:11:00:02",
    address: `172.17.0.${count + 2}`,
    prefixLength: 16,
    gateway: BRIDGE.gateway,
    ipv6Address: "",
    ipv6PrefixLength: 0,
    ipv6Gateway: "",
    aliases: [],
  };
}
