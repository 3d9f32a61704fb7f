import { isPluginName, type Plugins } from "#plugin";
import { remoteIpam } from "../../ipam/remote.ts";
import type { ForeignKinds } from "../../network-drivers.ts";
import { RemoteDriver } from "./driver.ts";

/** Drivers of networks and addresses that other programs are. */
export const pluginNetworks = (plugins: Plugins): ForeignKinds => ({
  networks: (host) => ({
    open: (name) => (isPluginName(name) ? new RemoteDriver(name, plugins, host) : undefined),
    isThere: async (name) => (await plugins.find(name, "NetworkDriver")) !== undefined,
  }),
  addresses: (name) => remoteIpam(name, plugins),
});
