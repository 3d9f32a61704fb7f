import { Fault } from "#errors";
import {
  formatReference,
  Manifest,
  parseJson,
  parseReference,
  type Reference,
  repository,
  sha256,
} from "#oci";
import { defineCli } from "../../command.ts";
import { type Entry, listDocument, manifestBytes } from "../../manifests/entry.ts";
import { Remote } from "../../manifests/remote.ts";
import { ManifestStore } from "../../manifests/store.ts";
import type { Session } from "../../session.ts";

/** `bunker manifest push`. */
export const manifestPush = defineCli({
  synopsis: "[OPTIONS] MANIFEST_LIST",
  about: "Push a manifest list to a repository",
  example: "bunker manifest push --purge example.org/app:1",
  flags: {
    insecure: { kind: "bool", about: "Allow push to an insecure registry" },
    purge: { kind: "bool", short: "p", about: "Remove the local manifest list after push" },
  },
  words: { min: 1, max: 1 },
  async run({ flags, words: [name = ""], session }) {
    const list = parseReference(name);
    const store = new ManifestStore(session);
    const entries = store.list(list);
    if (entries === undefined || entries.length === 0)
      throw new Fault("not_found", `No such manifest: ${formatReference(list)}`);
    const images = entries.map((entry) => ({ entry, from: parseReference(entry.Ref) }));
    for (const image of images) requirePushable(image, list);
    const remote = new Remote(session, { isInsecure: flags.bool("insecure") });
    for (const image of images)
      if (repository(image.from) !== repository(list)) await bringOver(image, { list, remote, session });
    const { mediaType, text } = listDocument(entries);
    const bytes = new TextEncoder().encode(text);
    const client = await remote.client(list);
    await client.pushManifest(list, { bytes, mediaType }, { signal: remote.signal });
    session.say(sha256(bytes));
    if (flags.bool("purge")) store.remove(list);
    return 0;
  },
});

interface Image {
  readonly entry: Entry;
  /** The name by which it came into the list. */
  readonly from: Reference;
}

function requirePushable({ entry, from }: Image, { domain }: Reference): void {
  const { platform } = entry.Descriptor;
  if (!platform?.os || !platform.architecture)
    throw new Fault(
      "invalid",
      `manifest ${entry.Ref} must have an OS and Architecture to be pushed to a registry; 'manifest annotate' gives it one`,
    );
  if (from.domain !== domain)
    throw new Fault(
      "invalid",
      `cannot use source images from a different registry than the target image: ${from.domain} != ${domain}`,
    );
}

/** A list may name only what its own repository has: blobs are mounted there, then the manifest is put. */
async function bringOver(
  { entry, from }: Image,
  { list, remote, session }: { readonly list: Reference; readonly remote: Remote; readonly session: Session },
): Promise<void> {
  const { digest, mediaType } = entry.Descriptor;
  const { domain, path } = list;
  const target = { domain, path, digest };
  const client = await remote.client(list);
  const bytes = manifestBytes(entry) ?? (await remote.document({ ...from, digest })).bytes;
  const { config, layers } = Manifest.parse(parseJson(bytes, "the manifest"));
  const blobs = new Map([config, ...layers].map((blob) => [blob.digest, blob]));
  for (const blob of blobs.values()) {
    const isThere = await client.mountBlob(target, blob, { from: from.path, signal: remote.signal });
    if (!isThere)
      throw new Fault(
        "unavailable",
        `error mounting ${repository(from)}@${blob.digest} to ${formatReference(list)}: the registry does not pass it on; push that image to ${repository(list)} first`,
      );
  }
  await client.pushManifest(target, { bytes, mediaType }, { signal: remote.signal });
  session.say(`Pushed ref ${formatReference(target)} with digest: ${digest}`);
}
