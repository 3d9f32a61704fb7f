import { Fault } from "#errors";
import type { Log } from "#host";
import { PREDEFINED_NETWORKS } from "./defaults.ts";
import { NameTable, type Outlook, Resolver, upstreamsOf } from "./dns/index.ts";
import type { EndpointRecord, NamespaceHolder, Network, NetworkPeer } from "./driver.ts";
import { inOrderOfPriority, shortIdOf } from "./endpoint.ts";
import { HeldNamespace } from "./held-namespace.ts";
import { readHostResolvConf } from "./resolv-conf.ts";
import type { NetworkStore, SandboxRecord } from "./store.ts";

/** Whether containers find each other there by name: on all but those that every daemon has. */
export const hasNames = ({ name, driver }: Pick<Network, "name" | "driver">): boolean =>
  !PREDEFINED_NETWORKS.includes(name) && !["host", "null"].includes(driver);

/** Who is called what, and who answers to whom: what runs is known, and nothing else. */
export class NameService implements Disposable {
  readonly #store: NetworkStore;
  readonly #table = new NameTable();
  readonly #resolver: Resolver;

  constructor(store: NetworkStore, log: Log) {
    this.#store = store;
    this.#resolver = new Resolver({ table: this.#table, log });
  }

  /** Whether a container asks us for names. */
  isWanted(containerId: string): boolean {
    return this.#store.ofContainer(containerId).some((record) => this.#isNamed(record));
  }

  #isNamed({ networkId }: EndpointRecord): boolean {
    const network = this.#store.get(networkId);
    return network !== undefined && hasNames(network);
  }

  /** From now on it is found, and can ask. Nothing happens to one whose networks have no names. */
  async enter({ containerId }: SandboxRecord, holder: NamespaceHolder): Promise<void> {
    if (!this.isWanted(containerId)) return;
    const namespace = HeldNamespace.find(holder);
    if (namespace === undefined)
      throw new Fault("conflict", "Cannot enter the container's network: it is not running any more");
    this.publish(containerId);
    const namespacePath = namespace.path;
    await this.#resolver.open({ containerId, namespacePath, namespace, ...this.outlook(containerId) });
  }

  isServed(containerId: string): boolean {
    return this.#resolver.isOpen(containerId);
  }

  /** What it is called and where it is, as its records say now. */
  publish(containerId: string): void {
    for (const record of this.#store.ofContainer(containerId)) {
      if (!this.#isNamed(record)) continue;
      const { endpoint, containerName } = record;
      this.#table.set(record.networkId, endpoint.endpointId, {
        containerName: containerName.replace(/^\//, ""),
        shortId: shortIdOf(containerId),
        names: endpoint.dnsNames,
        addresses: { v4: endpoint.address, v6: endpoint.ipv6Address },
      });
    }
    this.#resolver.change(containerId, this.outlook(containerId));
  }

  withdraw({ networkId, endpoint }: EndpointRecord): void {
    this.#table.remove(networkId, endpoint.endpointId);
  }

  leave(containerId: string): void {
    for (const record of this.#store.ofContainer(containerId)) this.withdraw(record);
    this.#resolver.close(containerId);
  }

  /** After an endpoint has gone. */
  refresh(containerId: string): void {
    this.#resolver.change(containerId, this.outlook(containerId));
  }

  learnPeer(networkId: string, key: string, peer: NetworkPeer): void {
    const address = (isV6: boolean) => peer.addresses.find((one) => one.includes(":") === isV6) ?? "";
    this.#table.set(networkId, key, {
      containerName: peer.containerName.replace(/^\//, ""),
      shortId: "",
      names: peer.names,
      addresses: { v4: address(false), v6: address(true) },
    });
  }

  forgetPeer(networkId: string, key: string): void {
    this.#table.remove(networkId, key);
  }

  forgetNetwork(networkId: string): void {
    this.#table.removeNetwork(networkId);
  }

  /** Whose names it may ask for, and whom else it may ask. */
  outlook(containerId: string): Outlook {
    const records = inOrderOfPriority(this.#store.ofContainer(containerId));
    const dns = this.#store.sandbox(containerId)?.dns ?? [];
    const networks = records.flatMap(({ networkId }) => {
      const network = this.#store.get(networkId);
      return network === undefined
        ? []
        : [{ id: network.id, name: network.name, isInternal: network.isInternal }];
    });
    const hasIpv6 = records.some(({ endpoint }) => endpoint.ipv6Address !== "");
    return {
      networks,
      links: records.flatMap(({ links = [] }) => links.map(linkOf)),
      upstream: upstreamsOf({ dns, hostResolvConf: readHostResolvConf(), hasIpv6 }),
    };
  }

  [Symbol.dispose](): void {
    this.#resolver[Symbol.dispose]();
  }
}

/** `container` or `container:alias`. */
function linkOf(text: string): Outlook["links"][number] {
  const [name = "", alias = name] = text.split(":");
  return { name: name.replace(/^\//, ""), alias };
}
