import { Fault } from "#errors";
import { findPlugin, listPlugins, type PluginFolders } from "./discovery.ts";
import {
  type CallKind,
  type Capability,
  FIRST_PAUSE_MILLISECONDS,
  PLUGIN_LIMITS,
  Plugin,
  type PluginLimits,
} from "./plugin.ts";

/** How long a plugin may take to say what it is when all are merely shown. */
const SHOW_MILLISECONDS = 1000;

export interface PluginsOptions {
  readonly folders: PluginFolders;
  readonly limits?: Partial<PluginLimits>;
}

/** The plugins of this host: found in folders when they are asked for, and spoken to from then on. */
export class Plugins {
  readonly #folders: PluginFolders;
  readonly #limits: PluginLimits;
  readonly #known = new Map<string, Plugin>();

  constructor({ folders, limits }: PluginsOptions) {
    this.#folders = folders;
    this.#limits = { ...PLUGIN_LIMITS, ...limits };
  }

  /** Undefined when there is none by that name, or it is for something else. Throws when it cannot be asked. */
  async find(name: string, capability: Capability): Promise<Plugin | undefined> {
    const plugin = await this.#look(name);
    return plugin !== undefined && (await plugin.implements(capability)) ? plugin : undefined;
  }

  /** As find, and throws `unavailable` when there is none; for a deed one that is about to start is waited for. */
  async require(name: string, capability: Capability, kind: CallKind = "question"): Promise<Plugin> {
    const until = performance.now() + (kind === "deed" ? this.#limits.retry : 0);
    for (let pause = FIRST_PAUSE_MILLISECONDS; ; pause *= 2) {
      const plugin = await this.find(name, capability);
      if (plugin !== undefined) return plugin;
      if (performance.now() + pause > until) break;
      await Bun.sleep(pause);
    }
    throw new Fault(
      "unavailable",
      `Cannot use the plugin ${name} as a ${capability}: there is none by that name on this host; start it, and try again`,
    );
  }

  /** One that listens elsewhere than before is another. */
  async #look(name: string): Promise<Plugin | undefined> {
    const address = await findPlugin(this.#folders, name);
    const known = this.#known.get(name);
    if (address === undefined) {
      this.#known.delete(name);
      return undefined;
    }
    if (known?.isAt(address)) return known;
    const plugin = new Plugin(name, address, this.#limits);
    this.#known.set(name, plugin);
    return plugin;
  }

  /** All that can be asked and do such a thing, and why the others cannot be asked. */
  async all(capability: Capability): Promise<{
    readonly plugins: readonly Plugin[];
    readonly failures: readonly { readonly name: string; readonly cause: unknown }[];
  }> {
    const names = await listPlugins(this.#folders);
    const asked = await Promise.allSettled(names.map((name) => this.find(name, capability)));
    const failures = asked.flatMap((one, index) =>
      one.status === "rejected" ? [{ name: names[index] ?? "", cause: one.reason as unknown }] : [],
    );
    return {
      plugins: asked.flatMap((one) => (one.status === "fulfilled" && one.value ? [one.value] : [])),
      failures,
    };
  }

  /** Those that do such a thing, as far as they say so at once. */
  async names(capability: Capability): Promise<readonly string[]> {
    const names = await listPlugins(this.#folders);
    if (names.length === 0) return [];
    const late = Bun.sleep(SHOW_MILLISECONDS).then(() => undefined);
    const asked = names.map((name) => this.find(name, capability).catch(() => undefined));
    const found = await Promise.all(asked.map((one) => Promise.race([one, late])));
    return found.flatMap((plugin) => plugin?.name ?? []);
  }
}
