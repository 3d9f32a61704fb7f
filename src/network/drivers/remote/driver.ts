import { Fault } from "#errors";
import type { NetlinkStep } from "#oci";
import { type CallKind, type Plugin, PluginRefusal, type Plugins } from "#plugin";
import { parseAddress } from "../../addresses.ts";
import type { Endpoint, EndpointRecord, Joined, Network, NetworkDriver, NetworkHost } from "../../driver.ts";
import { addAddress, addRoute, bringUp, handLinkOver } from "../../netlink-steps.ts";
import { ipv6Off } from "../upper/driver.ts";
import { readEndpoint, readLinkName, readRoutes, readSource, readWay, type StaticRoute } from "./answers.ts";
import { HandedLinks } from "./links.ts";
import { createEndpointBody, createNetworkBody, portOptions } from "./requests.ts";
import { CapabilitiesReply, CreateEndpointReply, JoinReply, Nothing } from "./shapes.ts";

const CAPABILITY = "NetworkDriver";

/** How far a plugin was told of an endpoint, as far as this daemon knows. */
type Stage = "nothing" | "created" | "joined";

/**
 * Networks that a plugin makes: it puts a link on the host, which is moved into the container and given its name,
 * addresses and routes there. Nothing is asked of it before it is used, and at a start of the daemon nothing is made
 * again: it keeps its networks itself. Source: libnetwork, "Remote drivers".
 */
export class RemoteDriver implements NetworkDriver {
  readonly namespace = "new";
  readonly isAddressed = true;
  readonly carriesPorts = true;
  readonly isForeign = true;
  readonly leavesMac = true;
  readonly #name: string;
  readonly #plugins: Plugins;
  readonly #links: HandedLinks;
  readonly #stages = new Map<string, Stage>();

  constructor(name: string, plugins: Plugins, { netlink }: Pick<NetworkHost, "netlink">) {
    this.#name = name;
    this.#plugins = plugins;
    this.#links = new HandedLinks(netlink);
  }

  #plugin(kind: CallKind = "ending"): Promise<Plugin> {
    return this.#plugins.require(this.#name, CAPABILITY, kind);
  }

  /** Its options are the plugin's. */
  admit(network: Network): Network {
    return network;
  }

  async announce(network: Network): Promise<Network> {
    const plugin = await this.#plugin();
    const scope = await scopeOf(plugin);
    try {
      await plugin.call("NetworkDriver.CreateNetwork", createNetworkBody(network), Nothing);
    } catch (thrown) {
      // Without an answer it may have been made.
      if (!(thrown instanceof PluginRefusal))
        await plugin
          .call("NetworkDriver.DeleteNetwork", { NetworkID: network.id }, Nothing, "ending")
          .catch(() => {});
      throw thrown;
    }
    return { ...network, scope };
  }

  async retract({ id }: Network): Promise<void> {
    await (await this.#plugin()).call("NetworkDriver.DeleteNetwork", { NetworkID: id }, Nothing, "removal");
  }

  async setUp(network: Network): Promise<Network> {
    return network;
  }

  async tearDown(): Promise<void> {}

  async join(network: Network, record: EndpointRecord): Promise<Joined> {
    const { endpointId } = record.endpoint;
    this.#stages.set(endpointId, "nothing");
    const plugin = await this.#plugin("deed");
    const before = this.#links.present();
    const endpoint = await this.#createEndpoint(plugin, network, record);
    const ids = { NetworkID: network.id, EndpointID: endpointId };
    // The namespace has no path yet: the launcher makes it.
    const body = { ...ids, SandboxKey: "", Options: portOptions(record.ports) };
    const reply = await this.#tell(endpointId, "joined", () =>
      plugin.call("NetworkDriver.Join", body, JoinReply),
    );
    const lie = (what: string) => plugin.lie("NetworkDriver.Join", what);
    const source = readSource(reply, lie);
    const link = this.#links.take(source, { endpointId, before, lie });
    const interfaceName = readLinkName(reply, endpoint.interfaceName, lie);
    const routes = readRoutes(reply, lie);
    const way = readWay(reply, { endpoint, routes, lie });
    const whole = { ...endpoint, interfaceName };
    const { gateway = "", ipv6Gateway = "" } = network.isInternal ? {} : way;
    return {
      links: linkSteps(source, whole, routes),
      sysctls: endpoint.ipv6Address === "" ? ipv6Off(interfaceName) : {},
      ...(gateway !== "" && { gateway }),
      ...(ipv6Gateway !== "" && { ipv6Gateway }),
      endpoint: { ...whole, macAddress: endpoint.macAddress || link.macAddress, gateway, ipv6Gateway },
    };
  }

  async #createEndpoint(plugin: Plugin, network: Network, record: EndpointRecord): Promise<Endpoint> {
    const { endpoint } = record;
    const method = "NetworkDriver.CreateEndpoint";
    const reply = await this.#tell(endpoint.endpointId, "created", () =>
      plugin.call(method, createEndpointBody(network, record), CreateEndpointReply),
    );
    const decided = readEndpoint(reply, endpoint, (what) => plugin.lie(method, what));
    return { ...endpoint, ...decided };
  }

  /** What was refused was not done; of anything else it is not known. */
  async #tell<T>(endpointId: string, stage: Stage, ask: () => Promise<T>): Promise<T> {
    const before = this.#stages.get(endpointId) ?? "nothing";
    this.#stages.set(endpointId, stage);
    try {
      return await ask();
    } catch (thrown) {
      if (thrown instanceof PluginRefusal) this.#stages.set(endpointId, before);
      throw thrown;
    }
  }

  async open(network: Network, { endpoint, ports }: EndpointRecord): Promise<void> {
    const plugin = await this.#plugin();
    const ids = { NetworkID: network.id, EndpointID: endpoint.endpointId };
    const body = { ...ids, Options: portOptions(ports) };
    try {
      await plugin.call("NetworkDriver.ProgramExternalConnectivity", body, Nothing);
    } catch (thrown) {
      if (!(thrown instanceof PluginRefusal && thrown.isUnknownCall)) throw thrown;
      throw new Fault(
        "unsupported",
        `Cannot publish ports on network ${network.name}: the plugin ${this.#name} carries none (it does not know NetworkDriver.ProgramExternalConnectivity); start without ports, or put the container on a bridge network too`,
      );
    }
  }

  async shut(network: Network, { endpoint }: EndpointRecord): Promise<void> {
    const ids = { NetworkID: network.id, EndpointID: endpoint.endpointId };
    const plugin = await this.#plugin();
    await plugin
      .call("NetworkDriver.RevokeExternalConnectivity", ids, Nothing, "ending")
      .catch((thrown: unknown) => {
        if (!(thrown instanceof PluginRefusal && thrown.isUnknownCall)) throw thrown;
      });
  }

  /** All that the plugin may know of it; one that does not answer is not asked again. */
  async close(network: Network, record: EndpointRecord): Promise<void> {
    const { endpointId } = record.endpoint;
    const stage = this.#stages.get(endpointId) ?? "joined";
    this.#stages.delete(endpointId);
    this.#links.giveBack(endpointId);
    if (stage === "nothing") return;
    const plugin = await this.#plugin();
    const ids = { NetworkID: network.id, EndpointID: endpointId };
    const tell = (method: string) => plugin.call(`NetworkDriver.${method}`, ids, Nothing, "ending");
    const steps = [
      ...(stage === "joined" && record.ports.length > 0 ? [() => this.shut(network, record)] : []),
      ...(stage === "joined" ? [() => tell("Leave")] : []),
      () => tell("DeleteEndpoint"),
    ];
    const refusals: unknown[] = [];
    for (const step of steps)
      await step().catch((thrown: unknown) => {
        if (!(thrown instanceof PluginRefusal)) throw thrown;
        refusals.push(thrown);
      });
    if (refusals.length > 0) throw refusals[0];
  }

  async settle(): Promise<void> {}
}

/** Plugins that do not say have networks of this host. */
async function scopeOf(plugin: Plugin): Promise<Network["scope"]> {
  try {
    return (await plugin.call("NetworkDriver.GetCapabilities", {}, CapabilitiesReply, "question")).Scope;
  } catch (thrown) {
    if (thrown instanceof PluginRefusal && thrown.isUnknownCall) return "local";
    throw thrown;
  }
}

function linkSteps(
  source: string,
  endpoint: Endpoint,
  routes: readonly StaticRoute[],
): readonly NetlinkStep[] {
  const { interfaceName: link, macAddress } = endpoint;
  const addresses = [
    { text: endpoint.address, prefixLength: endpoint.prefixLength },
    { text: endpoint.ipv6Address, prefixLength: endpoint.ipv6PrefixLength },
  ].flatMap(({ text, prefixLength }) => {
    const address = parseAddress(text);
    return address === undefined ? [] : [addAddress({ link, netns: "child", address, prefixLength })];
  });
  // Connected ones first: next hops may be on them.
  const ordered = [...routes].sort(
    (a, b) => Number(a.nextHop !== undefined) - Number(b.nextHop !== undefined),
  );
  return [
    handLinkOver({ source, name: link, macAddress }),
    ...addresses,
    bringUp(link),
    ...ordered.map(({ destination, nextHop }) =>
      addRoute({ link, destination, ...(nextHop && { nextHop }) }),
    ),
  ];
}
