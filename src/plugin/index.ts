/**
 * Owns finding plugins, shaking hands with them and asking them: Docker's plugin protocol, version 1.
 * Refuses to know what volumes, networks and addresses are: what is asked, and what an answer means, is its caller's.
 * Called by `volume` and `network`.
 */
export { isPluginName, type PluginFolders } from "./discovery.ts";
export { type CallKind, type Capability, type Plugin, type PluginLimits, PluginRefusal } from "./plugin.ts";
export { Plugins, type PluginsOptions } from "./plugins.ts";
