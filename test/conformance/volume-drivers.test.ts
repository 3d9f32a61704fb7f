import { afterAll } from "bun:test";
import { Plugins } from "#plugin";
import { localVolumes, pluginVolumes, type VolumeDriverKind } from "#volume";
import { FakePlugin, volumeAnswers } from "../fakes/plugin.ts";
import { volumeDriverConformance } from "./volume-driver.ts";

const isRoot = process.getuid?.() === 0;
const mounting: VolumeDriverKind = isRoot
  ? localVolumes
  : { ...localVolumes, probe: async () => ({ usable: false, reason: "mounting needs root" }) };

await volumeDriverConformance(localVolumes);
await volumeDriverConformance(mounting, {
  title: "local, with a tmpfs",
  options: { type: "tmpfs", device: "tmpfs" },
});

const servers: FakePlugin[] = [];
afterAll(() => Promise.all(servers.map((server) => server[Symbol.asyncDispose]())));

/** A plugin for each root; it outlives a driver, as plugins outlive daemons. */
const plugged: VolumeDriverKind = {
  name: "plugin",
  probe: async () => ({ usable: true }),
  async open(root) {
    const path = `${root}/run/kept.sock`;
    if (
      !(await Bun.file(path)
        .stat()
        .then(
          () => true,
          () => false,
        ))
    )
      servers.push(await FakePlugin.start(path, volumeAnswers(`${root}/kept`)));
    const found = pluginVolumes(new Plugins({ folders: { sockets: [`${root}/run`], specs: [] } }));
    const driver = await found.find("kept");
    if (driver === undefined) throw new Error("The plugin was not found");
    return driver;
  },
};
await volumeDriverConformance(plugged);
