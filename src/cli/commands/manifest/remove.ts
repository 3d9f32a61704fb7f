import { Fault } from "#errors";
import { formatReference, parseReference } from "#oci";
import { defineCli, forEach } from "../../command.ts";
import { ManifestStore } from "../../manifests/store.ts";

/** `bunker manifest rm`. */
export const manifestRemove = defineCli({
  synopsis: "MANIFEST_LIST [MANIFEST_LIST...]",
  about: "Delete one or more manifest lists from local storage",
  example: "bunker manifest rm example.org/app:1",
  flags: {},
  words: { min: 1 },
  run({ words, session }) {
    const store = new ManifestStore(session);
    return forEach(words, { session, prints: false }, async (name) => {
      const list = parseReference(name);
      if (!store.has(list)) throw new Fault("not_found", `No such manifest: ${formatReference(list)}`);
      store.remove(list);
    });
  },
});
