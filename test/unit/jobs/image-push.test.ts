import { expect, test } from "bun:test";
import { Engine, EventBus } from "#engine";
import { Fault } from "#errors";
import type { Jobs } from "#jobs";
import { type Digest, sha256 } from "#oci";
import { openRegistry, type RegistryClient } from "#registry";
import { pullImage } from "../../../src/jobs/image/pull.ts";
import { pushImage } from "../../../src/jobs/image/push.ts";
import { FakeGraph } from "../../fakes/images.ts";
import { FakeRegistry } from "../../fakes/registry.ts";

const SETTINGS = {
  registryMirrors: [],
  insecureRegistries: [],
  certificateFolders: [],
  concurrentUploads: 5,
};

/** An engine that has pulled an image of these layers, and pushes them by this client. */
async function setUp(
  registry: FakeRegistry,
  layers: readonly string[],
  client: Pick<RegistryClient, "pushBlob"> & Partial<RegistryClient>,
) {
  registry.addImage("app", "latest", { layers });
  const graph = new FakeGraph();
  const { blobs } = graph.content;
  const content = {
    has: async (digest: Digest) => blobs.has(digest) || layers.some((layer) => sha256(layer) === digest),
    read: async (digest: Digest) => blobs.get(digest) ?? new Uint8Array(),
    path: () => "/dev/null",
  };
  const events = new EventBus();
  const engine = new Engine<Jobs>();
  engine.register([
    pullImage({ graph, events, settings: SETTINGS, openRegistry }),
    pushImage({
      graph: {
        content,
        layers: graph.layers,
        images: { list: () => graph.images.list(), configuration: () => new Uint8Array() },
      },
      events,
      settings: SETTINGS,
      openRegistry: (...given) => Object.assign(openRegistry(...given), client),
    }),
  ]);
  const reference = `${registry.host}/app:latest`;
  await engine.run("image.pull", { reference, allTags: false });
  return () => engine.run("image.push", { reference });
}

test("a layer that cannot be sent ends the others, and nothing goes on behind the answer", async () => {
  await using registry = await FakeRegistry.start();
  const [bad, ...others] = ["one", "two", "three", "four", "five", "six", "seven"];
  const begun: Digest[] = [];
  const ended: Digest[] = [];
  const push = await setUp(registry, [bad, ...others], {
    async pushBlob(_reference, { digest }, { signal }) {
      begun.push(digest);
      if (digest === sha256(bad)) throw new Fault("denied", "denied: not for you");
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      await Promise.resolve();
      ended.push(digest);
      throw new Fault("cancelled", "The push was cancelled");
    },
  });
  await expect(push()).rejects.toMatchObject({ kind: "denied", message: "denied: not for you" });
  expect(begun).toHaveLength(5);
  expect(ended.toSorted()).toEqual(begun.filter((digest) => digest !== sha256(bad)).toSorted());
});

test("the configuration is sent while layers still are, and the manifest when all are there", async () => {
  await using registry = await FakeRegistry.start();
  const layers = ["one", "two"];
  const isThere = Promise.withResolvers<void>();
  const pushed: string[] = [];
  const push = await setUp(registry, layers, {
    async pushBlob(_reference, { digest }) {
      const layer = layers.find((one) => sha256(one) === digest);
      if (layer !== undefined) await isThere.promise;
      pushed.push(layer ?? "configuration");
      isThere.resolve();
      return { how: "pushed" };
    },
    pushManifest: async () => void pushed.push("manifest"),
  });
  await push();
  expect(pushed).toEqual(["configuration", "one", "two", "manifest"]);
});
