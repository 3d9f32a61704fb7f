import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Container, Containers } from "#container";
import { Engine, type EngineEvent, EventBus } from "#engine";
import { Fault } from "#errors";
import { GraphDB } from "#graphdb";
import { allJobs, type Jobs, openContainerRooms, type Rooms } from "#jobs";
import { parseReference } from "#oci";
import { localVolumes, openVolumes } from "#volume";
import { specOf } from "../../fakes/containers.ts";
import { FakeExecDriver } from "../../fakes/exec.ts";
import { FakeGraphDriver } from "../../fakes/graph.ts";
import { FakeImages, FakeLayers } from "../../fakes/images.ts";
import { FakeNetworks } from "../../fakes/network.ts";
import { scratch } from "../../fakes/scratch.ts";

/** All rooms, with fakes where the machine would begin, and an engine that knows every job. */
export async function openHouse() {
  const root = await scratch();
  const db = new GraphDB(":memory:");
  const events = new EventBus();
  const engine = new Engine<Jobs>();
  const complaints: string[] = [];
  const complain = (sentence: string) => complaints.push(sentence);
  const driver = new FakeGraphDriver(join(root.path, "layers"));
  const images = new FakeImages();
  const networks = new FakeNetworks();
  const exec = new FakeExecDriver();
  const containers = new Containers(db);
  const rooms: Rooms = {
    ...openContainerRooms(containers, { events, complain }),
    engine,
    events,
    complain,
    database: db,
    networks,
    exec,
    plugins: {
      names: async () => [],
      require: () => Promise.reject(new Fault("unavailable", "There are no plugins here")),
    },
    volumes: await openVolumes({
      database: db,
      root: join(root.path, "volumes"),
      kinds: [localVolumes],
      complain,
    }),
    graph: { driver, images, layers: new FakeLayers() } as unknown as Rooms["graph"],
    openRegistry: () => {
      throw new Fault("unavailable", "There are no registries here");
    },
    settings: {
      dataRoot: root.path,
      version: "1",
      authorizationPlugins: [],
      liveRestore: true,
      shutdownTimeoutSeconds: 15,
      seccompProfile: "builtin",
      isExperimental: false,
      downloadAttempts: 5,
      concurrentUploads: 5,
      proxies: {},
      stopTimeoutSeconds: 10,
      debug: false,
      labels: [],
      networkDrivers: [],
      runtimes: {},
      defaultRuntime: "native",
      registryMirrors: [],
      insecureRegistries: [],
      certificateFolders: [],
      addressPools: [],
      warnings: [],
      defaults: {
        cgroupnsMode: "private",
        ipcMode: "private",
        shmSizeBytes: 64 * 1024 * 1024,
        noNewPrivileges: false,
        init: false,
        log: { type: "json-file", options: {} },
        dns: [],
        dnsSearch: [],
        dnsOptions: [],
      },
    },
  };
  engine.register(allJobs(rooms));
  await mkdir(join(root.path, "layers"));
  addImage(images, "busybox", { Cmd: ["/bin/sh"] });
  const seen: EngineEvent[] = [];
  const listening = new AbortController();
  void (async () => {
    for await (const event of events.subscribe({ signal: listening.signal })) seen.push(event);
  })();
  const run = engine.run.bind(engine);
  return {
    root: root.path,
    rooms,
    engine,
    run,
    db,
    driver,
    images,
    networks,
    exec,
    containers,
    complaints,
    /** `type action` of what has happened, in order, once the events have been delivered. */
    happened: async () => {
      await Bun.sleep(0);
      return seen.map(({ type, action }) => (type === "container" ? action : `${type} ${action}`));
    },
    create: async (
      host: Parameters<typeof specOf>[1] = {},
      spec: Parameters<typeof specOf>[0] = {},
      name?: string,
    ): Promise<Container> => {
      const { id } = await run("container.create", {
        spec: specOf(spec, host),
        ...(name !== undefined && { name }),
      });
      return containers.find(id);
    },
    [Symbol.asyncDispose]: async () => {
      listening.abort();
      rooms.monitor.close();
      db[Symbol.dispose]();
      await root[Symbol.asyncDispose]();
    },
  };
}

export type House = Awaited<ReturnType<typeof openHouse>>;

export const status = (house: House, id: string) => house.containers.get(id)?.state.status;

/** A container that runs, and the process that the driver was last asked for. */
export async function started(house: House, ...asked: Parameters<House["create"]>) {
  const container = await house.create(...asked);
  await house.run("container.start", { ref: container.id });
  return { id: container.id, process: house.exec.last };
}

export function addImage(images: FakeImages, name: string, config: Record<string, unknown>): void {
  images.register({
    config: new TextEncoder().encode(
      JSON.stringify({
        architecture: process.arch === "arm64" ? "arm64" : "amd64",
        os: "linux",
        config,
        rootfs: { type: "layers", diff_ids: [] },
      }),
    ),
    tag: parseReference(name),
  });
}
