import { isPluginName, type Plugins } from "#plugin";
import type { NetworkHost } from "../../driver.ts";
import type { ForeignDrivers } from "../../network-drivers.ts";
import { RemoteDriver } from "./driver.ts";

/** Drivers of networks that other programs are. */
export const remoteNetworks = (plugins: Plugins, host: Pick<NetworkHost, "netlink">): ForeignDrivers => ({
  open: (name) => (isPluginName(name) ? new RemoteDriver(name, plugins, host) : undefined),
  isThere: async (name) => (await plugins.find(name, "NetworkDriver")) !== undefined,
});
