import { type ContainerSummary, listContainers, type PortSummary } from "#client";
import { defineCli } from "../command.ts";
import { FILTER_FLAG, FORMAT_FLAG, filtersOf, formatFor, labelColumns } from "../listing.ts";
import { asksFor, type Columns, renderList } from "../output/list.ts";
import { ellipsis, humanDuration, humanSize, shortId, timeText } from "../output/units.ts";

const COMMAND_WIDTH = 20;
const MOUNT_WIDTH = 15;
const STANDARD = "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}";

/** `bunker ps`. */
export const ps = defineCli({
  synopsis: "[OPTIONS]",
  about: "List containers",
  example: "bunker ps -a --filter label=tier=web --format 'table {{.Names}}\\t{{.Status}}'",
  flags: {
    all: { kind: "bool", short: "a", about: "Show all containers (default shows just running)" },
    filter: FILTER_FLAG,
    format: FORMAT_FLAG,
    last: {
      kind: "int",
      short: "n",
      preset: "-1",
      about: "Show n last created containers (includes all states)",
    },
    latest: { kind: "bool", short: "l", about: "Show the latest created container (includes all states)" },
    "no-trunc": { kind: "bool", about: "Don't truncate output" },
    quiet: { kind: "bool", short: "q", about: "Only display container IDs" },
    size: { kind: "bool", short: "s", about: "Display total file sizes" },
  },
  words: { min: 0, max: 0 },
  async run({ flags, session }) {
    const isIds = flags.bool("quiet");
    const format = formatFor(session, { asked: flags.text("format"), setting: "psFormat", isQuiet: isIds });
    const last = flags.int("last") ?? -1;
    const limit = flags.bool("latest") && last === -1 ? 1 : last;
    const size = flags.bool("size") || (!flags.has("size") && asksFor(format, "Size"));
    const rows = await listContainers(session.daemon, {
      all: flags.bool("all"),
      limit,
      size,
      filters: filtersOf(flags.list("filter")),
    });
    const columns = containerColumns(!flags.bool("no-trunc"), Date.now());
    const standard = size ? `${STANDARD}\t{{.Size}}` : STANDARD;
    const isQuiet = isIds && (format === "" || format === "table");
    session.console.out(
      isQuiet
        ? renderList(rows, { columns, standard, format: "{{.ID}}" })
        : renderList(rows, { columns, standard, format }),
    );
    return 0;
  },
});

/** The columns of a list of containers. `now` is in milliseconds. */
export function containerColumns(isShort: boolean, now: number): Columns<ContainerSummary> {
  return {
    ID: { heading: "CONTAINER ID", value: ({ Id }) => (isShort ? shortId(Id) : Id) },
    Names: { heading: "NAMES", value: (row) => namesText(row, isShort) },
    Image: { heading: "IMAGE", value: (row) => imageText(row, isShort) },
    Command: {
      heading: "COMMAND",
      value: ({ Command }) => JSON.stringify(isShort ? ellipsis(Command, COMMAND_WIDTH) : Command),
    },
    CreatedAt: { heading: "CREATED AT", value: ({ Created }) => timeText(Created) },
    RunningFor: { heading: "CREATED", value: ({ Created }) => `${humanDuration(now / 1000 - Created)} ago` },
    Ports: { heading: "PORTS", value: ({ Ports }) => portsText(Ports ?? []) },
    State: { heading: "STATE", value: ({ State }) => State },
    Status: { heading: "STATUS", value: ({ Status }) => Status },
    Size: { heading: "SIZE", value: sizeText },
    ...labelColumns<ContainerSummary>(({ Labels }) => Labels),
    Mounts: { heading: "MOUNTS", value: (row) => mountsText(row, isShort) },
    LocalVolumes: {
      heading: "LOCAL VOLUMES",
      value: ({ Mounts }) => String((Mounts ?? []).filter(({ Driver }) => Driver === "local").length),
    },
    Networks: {
      heading: "NETWORKS",
      value: ({ NetworkSettings }) => Object.keys(NetworkSettings?.Networks ?? {}).join(","),
    },
  };
}

/** Names without their slash; the ones that links gave have a second slash and are left out of short tables. */
function namesText({ Names }: ContainerSummary, isShort: boolean): string {
  const names = (Names ?? []).map((name) => name.replace(/^\//, ""));
  return (isShort ? names.filter((name) => !name.includes("/")) : names).join(",");
}

function imageText({ Image, ImageID }: ContainerSummary, isShort: boolean): string {
  if (Image === "") return "<no image>";
  if (!isShort) return Image;
  if (shortId(Image) === shortId(ImageID)) return shortId(Image);
  return Image.replace(/(:[^:@/]+)@sha256:[0-9a-f]+$/, "$1");
}

function mountsText({ Mounts }: ContainerSummary, isShort: boolean): string {
  const names = (Mounts ?? []).map(({ Name, Source }) => Name || Source || "");
  return (isShort ? names.map((name) => ellipsis(name, MOUNT_WIDTH)) : names).join(",");
}

function sizeText({ SizeRw = 0, SizeRootFs = 0 }: ContainerSummary): string {
  return SizeRootFs > 0 ? `${humanSize(SizeRw)} (virtual ${humanSize(SizeRootFs)})` : humanSize(SizeRw);
}

const joined = (ip: string, port: number | string) =>
  ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`;

const compare = (left: string, right: string) => (left < right ? -1 : left > right ? 1 : 0);

function byPort(left: PortSummary, right: PortSummary): number {
  return (
    left.PrivatePort - right.PrivatePort ||
    compare(left.IP ?? "", right.IP ?? "") ||
    (left.PublicPort ?? 0) - (right.PublicPort ?? 0) ||
    compare(left.Type, right.Type)
  );
}

/** Neighbouring ports that are published as themselves stand together: `0.0.0.0:80-81->80-81/tcp`. Source: docker's PORTS column. */
export function portsText(ports: readonly PortSummary[]): string {
  const groups = new Map<string, { ip: string; type: string; first: number; last: number }>();
  const done: string[] = [];
  const mapped: string[] = [];
  for (const { IP: ip = "", PrivatePort: port, PublicPort, Type: type } of [...ports].sort(byPort)) {
    if (ip !== "" && PublicPort !== port) {
      mapped.push(`${joined(ip, PublicPort ?? 0)}->${port}/${type}`);
      continue;
    }
    const key = `${ip}/${type}`;
    const group = groups.get(key);
    if (group !== undefined && port === group.last + 1) group.last = port;
    else {
      if (group !== undefined) done.push(groupText(group));
      groups.set(key, { ip, type, first: port, last: port });
    }
  }
  return [...done, ...[...groups.values()].map(groupText), ...mapped].join(", ");
}

function groupText({
  ip,
  type,
  first,
  last,
}: {
  ip: string;
  type: string;
  first: number;
  last: number;
}): string {
  const range = first === last ? String(first) : `${first}-${last}`;
  return ip === "" ? `${range}/${type}` : `${joined(ip, range)}->${range}/${type}`;
}
