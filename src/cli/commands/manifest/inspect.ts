import { Fault } from "#errors";
import { formatReference, parseJson, parseReference } from "#oci";
import { defineCli } from "../../command.ts";
import { type Entry, listDocument, manifestBytes } from "../../manifests/entry.ts";
import { isList, Remote } from "../../manifests/remote.ts";
import { ManifestStore } from "../../manifests/store.ts";

/** `bunker manifest inspect`. */
export const manifestInspect = defineCli({
  synopsis: "[OPTIONS] [MANIFEST_LIST] MANIFEST",
  about: "Display an image manifest, or manifest list",
  example: "bunker manifest inspect --verbose httpd:2.4",
  flags: {
    insecure: { kind: "bool", about: "Allow communication with an insecure registry" },
    verbose: { kind: "bool", short: "v", about: "Output additional info including layers and platform" },
  },
  words: { min: 1, max: 2 },
  async run({ flags, words, session }) {
    const isVerbose = flags.bool("verbose");
    const reference = parseReference(words.at(-1) ?? "");
    const store = new ManifestStore(session);
    if (words.length === 2) {
      const entry = store.find(parseReference(words[0] ?? ""), reference);
      if (entry === undefined)
        throw new Fault("not_found", `No such manifest: ${formatReference(reference)}`);
      session.say(isVerbose ? indented(entry) : manifestText(entry));
      return 0;
    }
    const kept = store.list(reference);
    if (kept !== undefined) {
      session.say(isVerbose ? indented(kept) : listDocument(kept).text);
      return 0;
    }
    const remote = new Remote(session, { isInsecure: flags.bool("insecure") });
    const document = await remote.document(reference);
    if (!isVerbose) session.say(rewritten(document.bytes, isList(document) ? "   " : "\t"));
    else if (isList(document)) session.say(indented(await remote.entries(reference, document)));
    else session.say(indented(await remote.entry(reference)));
    return 0;
  },
});

const indented = (value: unknown): string => JSON.stringify(value, undefined, "\t");

function rewritten(bytes: Uint8Array, indent: string): string {
  return JSON.stringify(parseJson(bytes, "the manifest"), undefined, indent);
}

/** Old clients kept the manifest only taken apart. */
function manifestText(entry: Entry): string {
  const bytes = manifestBytes(entry);
  return bytes === undefined
    ? indented(entry.SchemaV2Manifest ?? entry.OCIManifest ?? {})
    : rewritten(bytes, "\t");
}
