import type { ImageManifest, ImageSummary } from "#client";
import { cleanCell } from "./clean.ts";
import { table } from "./table.ts";
import { humanSize, shortId } from "./units.ts";

const HEADINGS = ["IMAGE", "ID", "DISK USAGE", "CONTENT SIZE", "EXTRA"];
/** In the last column: some container was made of it. */
const IN_USE = "U";

/** Images with all their names and, below each, what it holds for which platform; newest first. */
export function imageTree(images: readonly ImageSummary[]): string {
  const blocks = [...images].sort((left, right) => right.Created - left.Created).map(blockOf);
  return table([HEADINGS, ...blocks.flat()]);
}

function blockOf(image: ImageSummary): string[][] {
  const names = (image.RepoTags ?? []).map(cleanCell);
  const last = names.at(-1) ?? "<untagged>";
  const parts = (image.Manifests ?? []).filter(({ Kind }) => Kind === "image");
  const content = parts.reduce((sum, { Size }) => sum + (Size?.Content ?? 0), 0);
  const cells = [shortId(image.Id), humanSize(image.Size), humanSize(content), useOf(image.Containers)];
  return [
    ...names.slice(0, -1).map((name) => [name]),
    [last, ...cells],
    ...parts.map((part, at) => [
      `${at === parts.length - 1 ? "└─" : "├─"} ${platformOf(part)}`,
      ...cellsOf(part),
    ]),
  ];
}

const useOf = (containers = 0) => (containers > 0 ? IN_USE : "");

function platformOf({ ImageData }: ImageManifest): string {
  const { os = "", architecture = "", variant = "" } = ImageData?.Platform ?? {};
  return cleanCell([os, architecture, variant].filter((part) => part !== "").join("/") || "unknown");
}

function cellsOf({ ID, Size, ImageData }: ImageManifest): string[] {
  return [
    shortId(ID),
    humanSize(Size?.Total ?? 0),
    humanSize(Size?.Content ?? 0),
    useOf(ImageData?.Containers?.length),
  ];
}
