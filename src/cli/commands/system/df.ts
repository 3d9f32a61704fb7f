import { type ContainerSummary, type DiskUsageReply, diskUsage, type MeasuredVolume } from "#client";
import { Fault } from "#errors";
import { defineCli } from "../../command.ts";
import { FORMAT_FLAG } from "../../listing.ts";
import { type Columns, renderList } from "../../output/list.ts";
import { renderOne } from "../../output/one.ts";
import { humanSize } from "../../output/units.ts";
import { imageColumns, imageRows } from "../images.ts";
import { containerColumns } from "../ps.ts";

const STANDARD = "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}";
const IMAGES =
  "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}";
const CONTAINERS =
  "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}";
const VOLUMES = "{{.Name}}\t{{.Links}}\t{{.Size}}";
const CACHE = "CACHE ID   CACHE TYPE   SIZE      CREATED   LAST USED   USAGE     SHARED\n";
const ACTIVE = ["running", "paused", "restarting"];

/** `bunker system df`. */
export const systemDf = defineCli({
  synopsis: "[OPTIONS]",
  about: "Show docker disk usage",
  example: "bunker system df -v",
  flags: {
    format: FORMAT_FLAG,
    verbose: { kind: "bool", short: "v", about: "Show detailed information on space usage" },
  },
  words: { min: 0, max: 0 },
  async run({ flags, session }) {
    const format = flags.text("format");
    const usage = await diskUsage(session.daemon);
    const isVerbose = flags.bool("verbose");
    if (isVerbose && /^table\b/.test(format))
      throw new Fault("invalid", "Cannot show a table of everything: leave --format or --verbose out");
    const text = !isVerbose
      ? renderList(summary(usage), { columns: COLUMNS, standard: STANDARD, format })
      : format === ""
        ? everything(usage)
        : renderOne(usage, format);
    session.console.out(text);
    return 0;
  },
});

/** One kind of object. Sizes in bytes. */
interface Row {
  readonly type: string;
  readonly count: number;
  readonly active: number;
  readonly size: number;
  readonly reclaimable: number;
}

const COLUMNS: Columns<Row> = {
  Type: { heading: "TYPE", value: ({ type }) => type },
  TotalCount: { heading: "TOTAL", value: ({ count }) => String(count) },
  Active: { heading: "ACTIVE", value: ({ active }) => String(active) },
  Size: { heading: "SIZE", value: ({ size }) => humanSize(size, 4) },
  Reclaimable: {
    heading: "RECLAIMABLE",
    value: ({ reclaimable, size }) => {
      const text = humanSize(reclaimable, 4);
      return size > 0 ? `${text} (${Math.trunc((reclaimable * 100) / size)}%)` : text;
    },
  },
};

const total = (sizes: readonly number[]) => sizes.reduce((sum, size) => sum + Math.max(size, 0), 0);

function summary({ LayersSize = 0, Images, Containers, Volumes }: DiskUsageReply): readonly Row[] {
  const images = Images ?? [];
  const used = images.filter(({ Containers = 0 }) => Containers > 0);
  const own = total(used.map(({ Size, SharedSize = 0 }) => Size - SharedSize));
  const containers = Containers ?? [];
  const resting = containers.filter(({ State }) => !ACTIVE.includes(State));
  const written = (some: readonly ContainerSummary[]) => total(some.map(({ SizeRw = 0 }) => SizeRw));
  const volumes = Volumes ?? [];
  const unused = volumes.filter(({ UsageData }) => (UsageData?.RefCount ?? 0) === 0);
  const held = (some: readonly MeasuredVolume[]) => total(some.map(({ UsageData }) => UsageData?.Size ?? 0));
  const row = (type: string, [count, active, size, reclaimable]: [number, number, number, number]): Row => ({
    type,
    count,
    active,
    size,
    reclaimable,
  });
  return [
    row("Images", [images.length, used.length, LayersSize, LayersSize - own]),
    row("Containers", [
      containers.length,
      containers.length - resting.length,
      written(containers),
      written(resting),
    ]),
    row("Local Volumes", [volumes.length, volumes.length - unused.length, held(volumes), held(unused)]),
    row("Build Cache", [0, 0, 0, 0]),
  ];
}

const VOLUME_COLUMNS: Columns<MeasuredVolume> = {
  Name: { heading: "VOLUME NAME", value: ({ Name }) => Name },
  Links: { heading: "LINKS", value: ({ UsageData }) => String(UsageData?.RefCount ?? 0) },
  Size: {
    heading: "SIZE",
    value: ({ UsageData }) => ((UsageData?.Size ?? -1) < 0 ? "N/A" : humanSize(UsageData?.Size ?? 0, 4)),
  },
};

function everything({ Images, Containers, Volumes }: DiskUsageReply): string {
  const now = Date.now();
  // What a container has of its own is meant here, not its image as well.
  const containers = (Containers ?? []).map((container) => ({ ...container, SizeRootFs: 0 }));
  const images = (Images ?? []).flatMap((image) => imageRows(image, false).slice(0, 1));
  const tables = [
    ["Images", renderList(images, { columns: imageColumns(true, now), standard: IMAGES, format: "" })],
    [
      "Containers",
      renderList(containers, {
        columns: containerColumns(true, now),
        standard: CONTAINERS,
        format: "",
      }),
    ],
    ["Local Volumes", renderList(Volumes ?? [], { columns: VOLUME_COLUMNS, standard: VOLUMES, format: "" })],
  ] as const;
  const spaces = tables.map(([what, table]) => `${what} space usage:\n\n${table}\n`).join("");
  return `${spaces}Build cache usage: 0B\n\n${CACHE}`;
}
