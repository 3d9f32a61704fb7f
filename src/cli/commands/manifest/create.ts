import { Fault } from "#errors";
import { formatReference, parseReference } from "#oci";
import { defineCli } from "../../command.ts";
import { manifestBytes } from "../../manifests/entry.ts";
import { Remote } from "../../manifests/remote.ts";
import { ManifestStore } from "../../manifests/store.ts";

/** `bunker manifest create`. */
export const manifestCreate = defineCli({
  synopsis: "MANIFEST_LIST MANIFEST [MANIFEST...]",
  about: "Create a local manifest list for annotating and pushing to a registry",
  example: "bunker manifest create example.org/app:1 example.org/app:1-amd64 example.org/app:1-arm64",
  flags: {
    amend: { kind: "bool", short: "a", about: "Amend an existing manifest list" },
    insecure: { kind: "bool", about: "Allow communication with an insecure registry" },
  },
  words: { min: 2 },
  async run({ flags, words: [name = "", ...images], session }) {
    const list = parseReference(name);
    const store = new ManifestStore(session);
    if (store.has(list) && !flags.bool("amend"))
      throw new Fault("conflict", "refusing to amend an existing manifest list with no --amend flag");
    const remote = new Remote(session, { isInsecure: flags.bool("insecure") });
    // All are asked for before the first is kept: a list is made whole, or not at all.
    const found = [];
    for (const image of images.map(parseReference)) {
      const kept = store.find(list, image);
      const isWhole = kept !== undefined && manifestBytes(kept) !== undefined;
      found.push({ image, entry: isWhole ? kept : await remote.entry(image) });
    }
    for (const { image, entry } of found) store.save(list, image, entry);
    session.say(`Created manifest list ${formatReference(list)}`);
    return 0;
  },
});
