import { type Filters, type ImageSummary, listImages } from "#client";
import { Fault } from "#errors";
import { defineCli } from "../command.ts";
import type { Flags } from "../flags.ts";
import { FILTER_FLAG, FORMAT_FLAG, filtersOf, formatFor } from "../listing.ts";
import { type Columns, renderList } from "../output/list.ts";
import { humanDuration, humanSize, shortId, timeText } from "../output/units.ts";
import type { Session } from "../session.ts";

const NONE = "<none>";
const PLAIN = "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}";
const WITH_DIGESTS = "{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}";

/** One line of the list: an image under one of its names. */
interface Row {
  readonly image: ImageSummary;
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
}

const IMAGES_FLAGS = {
  all: { kind: "bool", short: "a", about: "Show all images (default hides intermediate images)" },
  digests: { kind: "bool", about: "Show digests" },
  filter: FILTER_FLAG,
  format: FORMAT_FLAG,
  "no-trunc": { kind: "bool", about: "Don't truncate output" },
  quiet: { kind: "bool", short: "q", about: "Only show image IDs" },
  tree: { kind: "bool", about: "List multi-platform images as a tree" },
} as const;

/** `bunker images`. */
export const images = defineCli({
  synopsis: "[OPTIONS] [REPOSITORY[:TAG]]",
  about: "List images",
  example: "bunker images --filter dangling=true -q",
  flags: IMAGES_FLAGS,
  words: { min: 0, max: 1 },
  async run({ flags, words: [name], session }) {
    const given = filtersOf(flags.list("filter"));
    const filters = name === undefined ? given : { ...given, reference: [...(given.reference ?? []), name] };
    if (flags.bool("tree")) return showTree(session, { flags, filters });
    const found = await listImages(session.daemon, {
      all: flags.bool("all"),
      digests: flags.bool("digests"),
      filters,
    });
    const isIds = flags.bool("quiet");
    const format = formatFor(session, {
      asked: flags.text("format"),
      setting: "imagesFormat",
      isQuiet: isIds,
    });
    const showsDigests = flags.bool("digests") || /\.Digest\b/.test(format);
    const rows = found.flatMap((image) => imageRows(image, showsDigests));
    const columns = imageColumns(!flags.bool("no-trunc"), Date.now());
    const isQuiet = isIds && (format === "" || format === "table");
    const standard = flags.bool("digests") ? WITH_DIGESTS : PLAIN;
    session.console.out(renderList(rows, { columns, standard, format: isQuiet ? "{{.ID}}" : format }));
    return 0;
  },
});

/** A tree has one form only: what would change the list's form is refused. */
async function showTree(
  session: Session,
  { flags, filters }: { flags: Flags<typeof IMAGES_FLAGS>; filters: Filters },
): Promise<number> {
  for (const name of ["quiet", "no-trunc", "digests", "format"] as const)
    if (flags.has(name)) throw new Fault("invalid", `--${name} is not supported with --tree`);
  const found = await listImages(session.daemon, { all: flags.bool("all"), manifests: true, filters });
  const { imageTree } = await import("../output/image-tree.ts");
  session.console.out(imageTree(found));
  return 0;
}

/** The columns of a list of images. `now` is in milliseconds. */
export function imageColumns(isShort: boolean, now: number): Columns<Row> {
  return {
    ID: { heading: "IMAGE ID", value: ({ image }) => (isShort ? shortId(image.Id) : image.Id) },
    Repository: { heading: "REPOSITORY", value: ({ repository }) => repository },
    Tag: { heading: "TAG", value: ({ tag }) => tag },
    Digest: { heading: "DIGEST", value: ({ digest }) => digest },
    CreatedSince: {
      heading: "CREATED",
      value: ({ image }) => `${humanDuration(now / 1000 - image.Created)} ago`,
    },
    CreatedAt: { heading: "CREATED AT", value: ({ image }) => timeText(image.Created) },
    Size: { heading: "SIZE", value: ({ image }) => humanSize(image.Size) },
    VirtualSize: { heading: "SIZE", value: ({ image }) => humanSize(image.Size, 4) },
    Containers: { heading: "CONTAINERS", value: ({ image }) => knownCount(image.Containers) },
    SharedSize: { heading: "SHARED SIZE", value: ({ image }) => knownSize(image.SharedSize) },
    UniqueSize: {
      heading: "UNIQUE SIZE",
      value: ({ image }) =>
        knownSize((image.SharedSize ?? -1) < 0 ? -1 : image.Size - (image.SharedSize ?? 0)),
    },
  };
}

const knownCount = (count = -1) => (count < 0 ? "N/A" : String(count));
const knownSize = (bytes = -1) => (bytes < 0 ? "N/A" : humanSize(bytes, 4));

/** An image has a line for each tag, one for each digest that has no tag, and at least one. */
export function imageRows(image: ImageSummary, showsDigests: boolean): Row[] {
  const tags = (image.RepoTags ?? []).filter((name) => name !== "<none>:<none>").map(splitTag);
  const digests = (image.RepoDigests ?? []).filter((name) => name !== "<none>@<none>").map(splitDigest);
  if (tags.length + digests.length === 0) return [{ image, repository: NONE, tag: NONE, digest: NONE }];
  const untagged = digests.filter(({ repository }) => !tags.some((tag) => tag.repository === repository));
  const tagged = tags.flatMap(({ repository, tag }) => {
    const own = digests.filter((digest) => digest.repository === repository);
    if (!showsDigests || own.length === 0) return [{ image, repository, tag, digest: NONE }];
    return own.map(({ digest }) => ({ image, repository, tag, digest }));
  });
  const bare = showsDigests ? untagged : untagged.slice(0, tags.length === 0 ? 1 : untagged.length);
  return [...tagged, ...bare.map(({ repository, digest }) => ({ image, repository, tag: NONE, digest }))];
}

function splitTag(name: string): { repository: string; tag: string } {
  const colon = name.lastIndexOf(":");
  return { repository: name.slice(0, colon), tag: name.slice(colon + 1) };
}

function splitDigest(name: string): { repository: string; digest: string } {
  const at = name.indexOf("@");
  return { repository: name.slice(0, at), digest: name.slice(at + 1) };
}
