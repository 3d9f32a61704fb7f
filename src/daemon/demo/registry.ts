import { Fault } from "#errors";
import type { Reference } from "#oci";
import type { OpenRegistry, RegistryClient, RegistryPusher } from "#registry";
import serverPath from "../../../dist/demo-server" with { type: "file" };
import { type DemoImage, demoImage } from "./image.ts";

/** Docker Hub's repository of this name is ours; the image in the executable stands for it, with and without a network. */
const DOMAIN = "docker.io";
const PATH = "bunker/demo";

/** A registry client that answers for `bunker/demo` itself and hands everything else on. */
export function withDemoImage(open: OpenRegistry): OpenRegistry {
  let image: Promise<DemoImage> | undefined;
  const load = () => {
    image ??= Bun.file(serverPath).bytes().then(demoImage);
    return image;
  };
  return (settings, credentials) => {
    const [remote, embedded] = [open(settings, credentials), embeddedClient(load)];
    const choose = (reference: Reference) => (isDemo(reference) ? embedded : remote);
    return {
      digest: (reference, options) => choose(reference).digest(reference, options),
      resolve: (reference, options) => choose(reference).resolve(reference, options),
      document: (reference, options) => choose(reference).document(reference, options),
      tags: (reference, options) => choose(reference).tags(reference, options),
      fetch: (reference, descriptor, options) => choose(reference).fetch(reference, descriptor, options),
      stream: (reference, descriptor, options) => choose(reference).stream(reference, descriptor, options),
      pushBlob: (reference, descriptor, options) => remote.pushBlob(reference, descriptor, options),
      mountBlob: (reference, descriptor, options) => remote.mountBlob(reference, descriptor, options),
      pushManifest: (reference, manifest, options) => remote.pushManifest(reference, manifest, options),
    };
  };
}

function isDemo({ domain, path }: Reference): boolean {
  return domain === DOMAIN && path === PATH;
}

function embeddedClient(load: () => Promise<DemoImage>): Omit<RegistryClient, keyof RegistryPusher> {
  const blob = async (digest: string): Promise<Uint8Array> => {
    const bytes = (await load()).blobs.get(digest);
    if (bytes === undefined) throw new Fault("not_found", `The embedded image ${PATH} has no blob ${digest}`);
    return bytes;
  };
  const requireTag = async ({ tag = "latest", digest }: Reference): Promise<DemoImage> => {
    const image = await load();
    if (digest === undefined ? tag === "latest" : digest === image.manifest.digest) return image;
    const name = digest ?? tag;
    throw new Fault(
      "not_found",
      `manifest for ${PATH}:${name} not found: manifest unknown: it is embedded in bunker, as latest only`,
    );
  };
  return {
    digest: async (reference) => (await requireTag(reference)).manifest.digest,
    document: async (reference) => {
      const { manifest, manifestBytes } = await requireTag(reference);
      return { descriptor: manifest, bytes: manifestBytes };
    },
    tags: async () => ["latest"],
    fetch: async (_, { digest }) => blob(digest),
    resolve: async (reference) => {
      const { manifest, manifestBytes, config, layer } = await requireTag(reference);
      return { root: manifest, manifest, manifestBytes, config, layers: [layer] };
    },
    async *stream(_, { digest }, { offset }) {
      yield new Uint8Array((await blob(digest)).subarray(offset));
    },
  };
}
