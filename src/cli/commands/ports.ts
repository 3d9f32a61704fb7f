import { listPublishedPorts, type PublishedPortReport } from "#client";
import { defineCli } from "../command.ts";
import { FORMAT_FLAG } from "../listing.ts";
import { type Columns, renderList } from "../output/list.ts";
import { shortId } from "../output/units.ts";

const STANDARD =
  "{{.Port}}\t{{.Proto}}\t{{.Container}}\t{{.To}}\t{{.Network}}\t{{.CarriedBy}}\t{{.ReachableFrom}}";

/** `bunker ports`. */
export const ports = defineCli({
  synopsis: "[OPTIONS]",
  about: "List every published port: who holds it, and who can reach it",
  example: "bunker ports --format '{{.Port}} {{.Container}}'",
  flags: { format: FORMAT_FLAG, "no-trunc": { kind: "bool", about: "Don't truncate output" } },
  words: { min: 0, max: 0 },
  async run({ flags, session }) {
    const rows = [...(await listPublishedPorts(session.daemon))].sort(byPort);
    const columns = columnsOf(!flags.bool("no-trunc"));
    session.console.out(renderList(rows, { columns, standard: STANDARD, format: flags.text("format") }));
    return 0;
  },
});

function byPort(left: PublishedPortReport, right: PublishedPortReport): number {
  const words = ({ protocol, hostAddress }: PublishedPortReport) => `${protocol} ${hostAddress}`;
  return left.hostPort - right.hostPort || (words(left) < words(right) ? -1 : 1);
}

const place = (address: string, port: number) =>
  address.includes(":") ? `[${address}]:${port}` : `${address || "*"}:${port}`;

function columnsOf(isShort: boolean): Columns<PublishedPortReport> {
  return {
    Port: { heading: "PORT", value: ({ hostAddress, hostPort }) => place(hostAddress, hostPort) },
    Proto: { heading: "PROTO", value: ({ protocol }) => protocol },
    Container: { heading: "CONTAINER", value: ({ containerName }) => containerName },
    ContainerID: {
      heading: "CONTAINER ID",
      value: ({ containerId }) => (isShort ? shortId(containerId) : containerId),
    },
    To: {
      heading: "TO",
      value: ({ address, containerPort }) => (address === "" ? "" : place(address, containerPort)),
    },
    Network: { heading: "NETWORK", value: ({ networkName }) => networkName },
    CarriedBy: { heading: "CARRIED BY", value: ({ carrier }) => carrier },
    ReachableFrom: { heading: "REACHABLE FROM", value: ({ reach }) => reach },
  };
}
