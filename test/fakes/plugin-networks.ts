import type { Answer } from "./plugin.ts";

type Body = Record<string, unknown>;

/** Runs `ip` with these words. */
async function ip(...words: readonly string[]): Promise<void> {
  const child = Bun.spawn(["ip", ...words], { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  const [errors, code] = await Promise.all([child.stderr.text(), child.exited]);
  if (code !== 0) throw new Error(`ip ${words.join(" ")}: ${errors.trim()}`);
}

const idOf = (body: Body, key: "NetworkID" | "EndpointID") => String(body[key]).slice(0, 8);
const bridgeOf = (body: Body) => `pb-${idOf(body, "NetworkID")}`;
const gatewayOf = (text: unknown) => String(text ?? "").replace(/\/.*$/, "");

/** Networks with a bridge each, and a pair of links for every endpoint, made by `ip`. */
export class PluginNetworks {
  readonly networks = new Map<string, string>();
  readonly endpoints = new Set<string>();
  readonly joined = new Set<string>();
  /** Replaces parts of what is answered to Join. */
  join: object = {};

  readonly answers: Record<string, Answer> = {
    "Plugin.Activate": () => ({ Implements: ["NetworkDriver", "IpamDriver"] }),
    "NetworkDriver.GetCapabilities": () => ({ Scope: "local", ConnectivityScope: "local" }),
    "NetworkDriver.CreateNetwork": (body) => this.#createNetwork(body),
    "NetworkDriver.DeleteNetwork": async (body) => {
      if (!this.networks.delete(idOf(body, "NetworkID"))) throw new Error("there is no such network");
      await ip("link", "del", bridgeOf(body));
      return {};
    },
    "NetworkDriver.CreateEndpoint": (body) => this.#createEndpoint(body),
    "NetworkDriver.DeleteEndpoint": async (body) => {
      if (!this.endpoints.delete(idOf(body, "EndpointID"))) throw new Error("there is no such endpoint");
      await ip("link", "del", `ph-${idOf(body, "EndpointID")}`).catch(() => {});
      return {};
    },
    "NetworkDriver.Join": (body) => {
      const id = idOf(body, "EndpointID");
      this.joined.add(id);
      return {
        InterfaceName: { SrcName: `pc-${id}`, DstPrefix: "eth" },
        Gateway: this.networks.get(idOf(body, "NetworkID")),
        ...this.join,
      };
    },
    "NetworkDriver.Leave": (body) => {
      if (!this.joined.delete(idOf(body, "EndpointID"))) throw new Error("it has not joined");
      return {};
    },
    "NetworkDriver.ProgramExternalConnectivity": () => ({}),
    "NetworkDriver.RevokeExternalConnectivity": () => ({}),
  };

  async #createNetwork(body: Body): Promise<object> {
    const [pool] = body.IPv4Data as { Gateway?: string }[];
    this.networks.set(idOf(body, "NetworkID"), gatewayOf(pool?.Gateway));
    await ip("link", "add", bridgeOf(body), "type", "bridge");
    if (pool?.Gateway !== undefined) await ip("address", "add", pool.Gateway, "dev", bridgeOf(body));
    await ip("link", "set", bridgeOf(body), "up");
    return {};
  }

  async #createEndpoint(body: Body): Promise<object> {
    const id = idOf(body, "EndpointID");
    this.endpoints.add(id);
    await ip("link", "add", `ph-${id}`, "type", "veth", "peer", "name", `pc-${id}`);
    await ip("link", "set", `ph-${id}`, "master", bridgeOf(body), "up");
    return { Interface: {} };
  }
}

/** One pool of addresses after another, out of 10.88.0.0/16; what is asked for by name is given as it is. */
export class PluginAddresses {
  readonly pools = new Map<string, Set<string>>();
  requiresMac = false;
  requiresReplay = false;
  #next = 0;

  readonly answers: Record<string, Answer> = {
    "Plugin.Activate": () => ({ Implements: ["IpamDriver"] }),
    "IpamDriver.GetCapabilities": () => ({
      RequiresMACAddress: this.requiresMac,
      RequiresRequestReplay: this.requiresReplay,
    }),
    "IpamDriver.GetDefaultAddressSpaces": () => ({
      LocalDefaultAddressSpace: "here",
      GlobalDefaultAddressSpace: "there",
    }),
    "IpamDriver.RequestPool": ({ Pool }) => {
      const subnet = String(Pool) || `10.88.${this.#next++}.0/24`;
      this.pools.set(`here/${subnet}`, new Set());
      return { PoolID: `here/${subnet}`, Pool: subnet, Data: {} };
    },
    "IpamDriver.ReleasePool": ({ PoolID }) => {
      if (!this.pools.delete(String(PoolID))) throw new Error("there is no such pool");
      return {};
    },
    "IpamDriver.RequestAddress": ({ PoolID, Address }) => {
      const given = this.pools.get(String(PoolID));
      if (given === undefined) throw new Error("there is no such pool");
      const start = String(PoolID).replace(/^here\/(.*)\.\d+\/\d+$/, "$1");
      const free = Array.from({ length: 250 }, (_, index) => `${start}.${index + 1}`);
      const address = String(Address) || free.find((one) => !given.has(one));
      if (address === undefined || given.has(address)) throw new Error("it is in use");
      given.add(address);
      return { Address: `${address}/24` };
    },
    "IpamDriver.ReleaseAddress": ({ PoolID, Address }) => {
      if (this.pools.get(String(PoolID))?.delete(String(Address)) !== true) throw new Error("it is free");
      return {};
    },
  };
}
