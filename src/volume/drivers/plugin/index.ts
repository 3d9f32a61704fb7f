import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { z } from "zod";
import { sentenceOf } from "#errors";
import { type Plugin, PluginRefusal, type Plugins } from "#plugin";
import type { VolumeContent, VolumeDriver, VolumeRequest, VolumeView } from "../../driver.ts";
import type { FoundDrivers } from "../../drivers.ts";

/** Source: Docker, "Volume plugin protocol". */
const MAX_PATH_CHARACTERS = 4096;
const MAX_VOLUMES = 10_000;
const Path = z
  .string()
  .max(MAX_PATH_CHARACTERS)
  .nullish()
  .transform((path) => path ?? "");
const Told = z.object({
  Name: z.string(),
  Mountpoint: Path,
  Status: z.record(z.string(), z.unknown()).nullish(),
});
const Nothing = z.object({});
const GetReply = z.object({ Volume: Told.nullish() });
const ListReply = z.object({ Volumes: z.array(Told).max(MAX_VOLUMES).nullish() });
const PathReply = z.object({ Mountpoint: Path });
const CapabilitiesReply = z.object({
  Capabilities: z.object({ Scope: z.enum(["local", "global"]) }),
});

/** Drivers of volumes that other programs are. */
export function pluginVolumes(plugins: Plugins): FoundDrivers {
  const drivers = new WeakMap<Plugin, PluginDriver>();
  const driverOf = async (plugin: Plugin): Promise<VolumeDriver> => {
    const known = drivers.get(plugin);
    if (known !== undefined) return known;
    const driver = new PluginDriver(plugin, await scopeOf(plugin));
    drivers.set(plugin, driver);
    return driver;
  };
  return {
    async find(name) {
      const plugin = await plugins.find(name, "VolumeDriver");
      return plugin === undefined ? undefined : driverOf(plugin);
    },
    async all() {
      const found = await plugins.all("VolumeDriver");
      const drivers = await Promise.allSettled(found.plugins.map(driverOf));
      const reasons = drivers.flatMap((one) => (one.status === "rejected" ? [one.reason as unknown] : []));
      return {
        drivers: drivers.flatMap((one) => (one.status === "fulfilled" ? [one.value] : [])),
        warnings: [...found.failures.map(({ cause }) => cause), ...reasons].map(sentenceOf),
      };
    },
  };
}

/** Plugins of before there were scopes have volumes of this host. */
async function scopeOf(plugin: Plugin): Promise<"local" | "global"> {
  try {
    const reply = await plugin.call("VolumeDriver.Capabilities", {}, CapabilitiesReply, "question");
    return reply.Capabilities.Scope;
  } catch (thrown) {
    if (thrown instanceof PluginRefusal) return "local";
    throw thrown;
  }
}

/** Volumes that a plugin keeps, by version 1 of the protocol. It counts its mounts by the ids of their holders. */
class PluginDriver implements VolumeDriver {
  readonly name: string;
  readonly scope: "local" | "global";
  readonly #plugin: Plugin;

  constructor(plugin: Plugin, scope: "local" | "global") {
    this.name = plugin.name;
    this.scope = scope;
    this.#plugin = plugin;
  }

  async create({ name, options }: VolumeRequest): Promise<boolean> {
    if ((await this.#get(name)) !== undefined) return false;
    try {
      await this.#plugin.call("VolumeDriver.Create", { Name: name, Opts: options }, Nothing);
    } catch (thrown) {
      // Without an answer it may have been made.
      if (!(thrown instanceof PluginRefusal)) await this.#quietly("VolumeDriver.Remove", { Name: name });
      throw thrown;
    }
    return true;
  }

  async remove({ name }: VolumeRequest): Promise<void> {
    try {
      await this.#plugin.call("VolumeDriver.Remove", { Name: name }, Nothing, "removal");
    } catch (thrown) {
      if (!(thrown instanceof PluginRefusal) || (await this.#get(name)) !== undefined) throw thrown;
    }
  }

  needsMount(): boolean {
    return true;
  }

  async mount({ name }: VolumeRequest, holder: string): Promise<string> {
    const reply = await this.#plugin.call("VolumeDriver.Mount", { Name: name, ID: holder }, PathReply);
    const path = reply.Mountpoint || (await this.#path(name));
    const reason = await whyNoPlace(path);
    if (reason === undefined) return resolve(path);
    throw this.#plugin.lie("VolumeDriver.Mount", `the mountpoint "${path}" of the volume ${name} ${reason}`);
  }

  async #path(name: string): Promise<string> {
    return (await this.#plugin.call("VolumeDriver.Path", { Name: name }, PathReply, "question")).Mountpoint;
  }

  /** Plugins that do not remember what was not mounted say so. */
  async unmount({ name }: VolumeRequest, { holder }: { readonly holder: string }): Promise<void> {
    try {
      await this.#plugin.call("VolumeDriver.Unmount", { Name: name, ID: holder }, Nothing, "ending");
    } catch (thrown) {
      if (!(thrown instanceof PluginRefusal) || ((await this.#get(name))?.mountpoint ?? "") !== "")
        throw thrown;
    }
  }

  inspect({ name }: VolumeRequest): Promise<VolumeView | undefined> {
    return this.#get(name);
  }

  /** Whatever reason a plugin gives for not telling of a volume, Docker takes for its not being there. */
  async #get(name: string): Promise<VolumeView | undefined> {
    try {
      const { Volume } = await this.#plugin.call("VolumeDriver.Get", { Name: name }, GetReply, "question");
      return Volume === null || Volume === undefined ? undefined : viewOf(Volume);
    } catch (thrown) {
      if (thrown instanceof PluginRefusal) return undefined;
      throw thrown;
    }
  }

  content(): VolumeContent | undefined {
    return undefined;
  }

  async list(): Promise<readonly VolumeView[]> {
    const { Volumes } = await this.#plugin.call("VolumeDriver.List", {}, ListReply, "question");
    return (Volumes ?? []).map(viewOf);
  }

  /** What nobody holds was unmounted by its holder's id; what a plugin has besides is its own. */
  async sweep(): Promise<void> {}

  async #quietly(method: string, body: object): Promise<void> {
    await this.#plugin.call(method, body, Nothing, "ending").catch(() => {});
  }
}

function viewOf({ Name: name, Mountpoint: mountpoint, Status }: z.infer<typeof Told>): VolumeView {
  return { name, mountpoint, ...(Status !== null && Status !== undefined && { status: Status }) };
}

/** Why it cannot be mounted into containers; undefined when it can. */
async function whyNoPlace(path: string): Promise<string | undefined> {
  if (!path.startsWith("/") || path.includes("\0")) return "is not an absolute path";
  const found = await stat(path).catch(() => undefined);
  return found === undefined ? "does not exist" : undefined;
}
