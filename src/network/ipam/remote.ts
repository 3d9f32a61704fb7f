import { z } from "zod";
import { didYouMean, Fault } from "#errors";
import { isPluginName, type Plugin, PluginRefusal, type Plugins } from "#plugin";
import { contains, formatAddress, formatSubnet, parsePrefix, type Subnet } from "../addresses.ts";
import type { AddressPool, IpamDriver } from "../driver.ts";
import { ADDRESS_TYPE, GATEWAY_TYPE } from "./default.ts";

/** Source of all: libnetwork, "IPAM driver", remote API. */
const CAPABILITY = "IpamDriver";
/** Networks of all drivers wait for it: it is not given the time of a deed. */
const KIND = "ending";
const GATEWAY_DATA = "com.docker.network.gateway";
const Text = z
  .string()
  .max(1024)
  .nullish()
  .transform((text) => text ?? "");
const Nothing = z.object({});
const Truth = z
  .boolean()
  .nullish()
  .transform((truth) => truth ?? false);
const CapabilitiesReply = z.object({ RequiresMACAddress: Truth, RequiresRequestReplay: Truth });
const SpacesReply = z.object({ LocalDefaultAddressSpace: Text });
const PoolReply = z.object({
  PoolID: z.string().min(1).max(1024),
  Pool: z.string().max(100),
  Data: z.record(z.string(), z.string()).nullish(),
});
const AddressReply = z.object({ Address: z.string().max(100) });

interface Traits {
  readonly space: string;
  readonly requiresMac: boolean;
  readonly requiresReplay: boolean;
}

interface Allocation {
  readonly subnet: Subnet;
  readonly range: string;
  readonly gateway: string;
  readonly given: Set<string>;
  /** Whether the plugin has yet to be told of what an earlier daemon had of it. */
  isOfBefore: boolean;
}

/** Without asking anybody: undefined for what can be no plugin's name. */
export function remoteIpam(name: string, plugins: Plugins): IpamDriver | undefined {
  return isPluginName(name) ? new RemoteIpam(name, plugins) : undefined;
}

/** Subnets and addresses that a plugin gives. It keeps them itself; that they fit together is seen to here. */
class RemoteIpam implements IpamDriver {
  readonly isForeign = true;
  readonly #name: string;
  readonly #plugins: Plugins;
  readonly #pools = new Map<string, Allocation>();
  readonly #traits = new WeakMap<Plugin, Traits>();

  constructor(name: string, plugins: Plugins) {
    this.#name = name;
    this.#plugins = plugins;
  }

  async requiresMac(): Promise<boolean> {
    return (await this.#traitsOf(await this.#plugin())).requiresMac;
  }

  async #plugin(): Promise<Plugin> {
    const plugin = await this.#plugins.find(this.#name, CAPABILITY);
    if (plugin !== undefined) return plugin;
    throw new Fault(
      "not_found",
      `Cannot use the IPAM driver ${this.#name}: there is no such driver here, and no plugin by that name${didYouMean(this.#name, ["default", "null"])}`,
    );
  }

  async #traitsOf(plugin: Plugin): Promise<Traits> {
    const known = this.#traits.get(plugin);
    if (known !== undefined) return known;
    const capabilities = await plugin
      .call("IpamDriver.GetCapabilities", {}, CapabilitiesReply, "question")
      .catch((thrown: unknown) => {
        if (thrown instanceof PluginRefusal && thrown.isUnknownCall) return undefined;
        throw thrown;
      });
    const spaces = await plugin.call("IpamDriver.GetDefaultAddressSpaces", {}, SpacesReply, "question");
    const traits = {
      space: spaces.LocalDefaultAddressSpace,
      requiresMac: capabilities?.RequiresMACAddress ?? false,
      requiresReplay: capabilities?.RequiresRequestReplay ?? false,
    };
    this.#traits.set(plugin, traits);
    return traits;
  }

  async requestPool(request: Parameters<IpamDriver["requestPool"]>[0]) {
    const { family, subnet: asked, range, options } = request;
    const plugin = await this.#plugin();
    const { space } = await this.#traitsOf(plugin);
    const body = { AddressSpace: space, Pool: asked, SubPool: range, Options: options, V6: family === 6 };
    const { PoolID: poolId, Pool, Data } = await plugin.call("IpamDriver.RequestPool", body, PoolReply, KIND);
    const subnet = parsePrefix(Pool)?.subnet;
    const gateway = Data?.[GATEWAY_DATA];
    const reason = whyNoPool({ pool: Pool, subnet, request, gateway });
    if (subnet === undefined || reason !== undefined || this.#pools.has(poolId)) {
      if (!this.#pools.has(poolId)) await this.#giveBack(plugin, "ReleasePool", { PoolID: poolId });
      throw plugin.lie("IpamDriver.RequestPool", reason ?? `the pool ${poolId} is another network's`);
    }
    const bare = gateway?.replace(/\/.*$/, "");
    const given = new Set(bare === undefined ? [] : [bare]);
    this.#pools.set(poolId, { subnet, range, gateway: bare ?? "", given, isOfBefore: false });
    return { poolId, subnet: formatSubnet(subnet), ...(bare !== undefined && { gateway: bare }) };
  }

  async releasePool(poolId: string): Promise<void> {
    const plugin = await this.#plugin();
    await this.#replay(plugin, poolId);
    this.#pools.delete(poolId);
    await plugin.call("IpamDriver.ReleasePool", { PoolID: poolId }, Nothing, "ending");
  }

  async requestAddress(
    poolId: string,
    request: Parameters<IpamDriver["requestAddress"]>[1],
  ): Promise<string> {
    const plugin = await this.#plugin();
    await this.#replay(plugin, poolId);
    const pool = this.#require(poolId);
    const body = { PoolID: poolId, Address: request.address, Options: request.options };
    const { Address } = await plugin.call("IpamDriver.RequestAddress", body, AddressReply, KIND);
    const parsed = parsePrefix(Address)?.address;
    const address = parsed === undefined ? "" : formatAddress(parsed);
    const isTaken = pool.given.has(address);
    const reason = isTaken ? `${address} is in use` : whyNoAddress(Address, pool.subnet, request.address);
    if (reason !== undefined) {
      if (!isTaken && parsed !== undefined)
        await this.#giveBack(plugin, "ReleaseAddress", { PoolID: poolId, Address: address });
      throw plugin.lie("IpamDriver.RequestAddress", reason);
    }
    pool.given.add(address);
    return address;
  }

  async releaseAddress(poolId: string, address: string): Promise<void> {
    const plugin = await this.#plugin();
    await this.#replay(plugin, poolId);
    // It is free here whatever the plugin makes of it.
    this.#pools.get(poolId)?.given.delete(address);
    const body = { PoolID: poolId, Address: address };
    await plugin.call("IpamDriver.ReleaseAddress", body, Nothing, "ending");
  }

  /** The plugin may not run yet, and may know it all: it is asked when it is used. */
  async restore(pool: AddressPool, poolId: string, addresses: readonly string[]): Promise<void> {
    const subnet = parsePrefix(pool.subnet)?.subnet;
    if (subnet === undefined) return;
    const { range, gateway } = pool;
    this.#pools.set(poolId, { subnet, range, gateway, given: new Set(addresses), isOfBefore: true });
  }

  /** A plugin that forgets is told again, once, what it gave before. */
  async #replay(plugin: Plugin, poolId: string): Promise<void> {
    const pool = this.#pools.get(poolId);
    if (pool === undefined || !pool.isOfBefore) return;
    const { space, requiresReplay } = await this.#traitsOf(plugin);
    pool.isOfBefore = false;
    if (!requiresReplay) return;
    const { subnet, range, gateway, given } = pool;
    const asked = {
      AddressSpace: space,
      Pool: formatSubnet(subnet),
      SubPool: range,
      V6: subnet.family === 6,
    };
    await plugin.call("IpamDriver.RequestPool", { ...asked, Options: {} }, PoolReply, KIND);
    for (const address of given) {
      const Options = address === gateway ? { [ADDRESS_TYPE]: GATEWAY_TYPE } : {};
      await plugin.call(
        "IpamDriver.RequestAddress",
        { PoolID: poolId, Address: address, Options },
        AddressReply,
        KIND,
      );
    }
  }

  #require(poolId: string): Allocation {
    const pool = this.#pools.get(poolId);
    if (pool !== undefined) return pool;
    throw new Fault("unavailable", `Cannot give an address of ${poolId}: it is not set up on this host`);
  }

  async #giveBack(plugin: Plugin, verb: string, body: object): Promise<void> {
    await plugin.call(`IpamDriver.${verb}`, body, Nothing, "ending").catch(() => {});
  }
}

function whyNoPool(answer: {
  readonly pool: string;
  readonly subnet: Subnet | undefined;
  readonly request: { readonly family: 4 | 6; readonly subnet: string };
  readonly gateway: string | undefined;
}): string | undefined {
  const { pool, subnet, request, gateway } = answer;
  if (subnet === undefined || subnet.family !== request.family)
    return `"${pool}" is no block of IPv${request.family} addresses`;
  const asked = parsePrefix(request.subnet)?.subnet;
  if (asked !== undefined && formatSubnet(asked) !== formatSubnet(subnet))
    return `it gave ${formatSubnet(subnet)} where ${request.subnet} was asked for`;
  if (gateway === undefined) return undefined;
  const router = parsePrefix(gateway.includes("/") ? gateway : `${gateway}/0`)?.address;
  return router !== undefined && contains(subnet, router)
    ? undefined
    : `the gateway "${gateway}" is not in ${formatSubnet(subnet)}`;
}

function whyNoAddress(text: string, subnet: Subnet, asked: string): string | undefined {
  const address = parsePrefix(text)?.address;
  if (address === undefined) return `"${text}" is no address with a prefix length`;
  if (!contains(subnet, address))
    return `${formatAddress(address)} is outside its pool ${formatSubnet(subnet)}`;
  const wanted = parsePrefix(`${asked}/0`)?.address;
  return asked === "" || wanted?.value === address.value
    ? undefined
    : `it gave ${formatAddress(address)} where ${asked} was asked for`;
}
