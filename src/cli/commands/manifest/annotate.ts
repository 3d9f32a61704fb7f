import { Fault } from "#errors";
import { isKnownPlatform, meantPlatform, parseReference } from "#oci";
import { defineCli } from "../../command.ts";
import { csvFields } from "../../create/values.ts";
import type { Flags } from "../../flags.ts";
import type { EntryPlatform } from "../../manifests/entry.ts";
import { ManifestStore } from "../../manifests/store.ts";

const FLAGS = {
  arch: { kind: "text", hint: "string", about: "Set architecture" },
  os: { kind: "text", hint: "string", about: "Set operating system" },
  "os-features": { kind: "list", hint: "strings", about: "Set operating system feature" },
  "os-version": { kind: "text", hint: "string", about: "Set operating system version" },
  variant: { kind: "text", hint: "string", about: "Set architecture variant" },
} as const;

/** `bunker manifest annotate`. */
export const manifestAnnotate = defineCli({
  synopsis: "[OPTIONS] MANIFEST_LIST MANIFEST",
  about: "Add additional information to a local image manifest",
  example: "bunker manifest annotate --arch arm --variant v7 example.org/app:1 example.org/app:1-arm",
  flags: FLAGS,
  words: { min: 2, max: 2 },
  async run({ flags, words: [name = "", image = ""], session }) {
    const [list, reference] = [parseReference(name), parseReference(image)];
    const store = new ManifestStore(session);
    const entry = store.find(list, reference);
    if (entry === undefined)
      throw new Fault("not_found", `manifest for image ${image} does not exist in ${name}`);
    const { platform: before = { architecture: "", os: "" } } = entry.Descriptor;
    const platform = annotated(before, flags);
    const { os, architecture } = platform;
    if (!isKnownPlatform(platform))
      throw new Fault(
        "invalid",
        `manifest entry for image has unsupported os/arch combination: ${os}/${architecture}${meantPlatform(platform)}`,
      );
    store.save(list, reference, { ...entry, Descriptor: { ...entry.Descriptor, platform } });
    return 0;
  },
});

function annotated(before: EntryPlatform, flags: Flags<typeof FLAGS>): EntryPlatform {
  const features = [
    ...(before["os.features"] ?? []),
    ...flags.list("os-features").flatMap((text) => csvFields(text)),
  ];
  const [version, variant] = [flags.text("os-version"), flags.text("variant")];
  return {
    ...before,
    architecture: flags.text("arch") || before.architecture,
    os: flags.text("os") || before.os,
    ...(version !== "" && { "os.version": version }),
    ...(features.length > 0 && { "os.features": [...new Set(features)] }),
    ...(variant !== "" && { variant }),
  };
}
