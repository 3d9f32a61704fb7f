import { API_VERSION, daemonVersion, type VersionReply } from "#client";
import { Fault } from "#errors";
import { defineCli } from "../command.ts";
import { cleanCell } from "../output/clean.ts";
import { CLIENT_BUILT, CLIENT_COMMIT, CLIENT_VERSION } from "../program.ts";
import type { Session } from "../session.ts";

/** `bunker version`. */
export const version = defineCli({
  synopsis: "[OPTIONS]",
  about: "Show the version of client and daemon",
  example: "bunker version --format '{{.Server.Version}}'",
  flags: {
    format: {
      kind: "text",
      hint: "string",
      short: "f",
      about: "Format output using a custom template: 'json' or a Go template",
    },
  },
  words: { min: 0, max: 0 },
  async run({ flags, session }) {
    let server: VersionReply | undefined;
    let failure: Fault | undefined;
    try {
      server = await daemonVersion(session.daemon);
    } catch (thrown) {
      if (!(thrown instanceof Fault)) throw thrown;
      failure = thrown;
    }
    const client = clientPart(session);
    const format = flags.text("format");
    if (format === "")
      session.console.out(clientText(client) + (server === undefined ? "" : serverText(server)));
    else {
      const { renderOne } = await import("../output/one.ts");
      const Server = server === undefined ? null : { ...server, Components: server.Components?.map(dated) };
      session.console.out(renderOne({ Client: client, Server }, format));
    }
    if (failure !== undefined) throw failure;
    return 0;
  },
});

function clientPart(session: Session) {
  return {
    Platform: { Name: "bunker" },
    Version: CLIENT_VERSION,
    ApiVersion: session.apiVersion,
    DefaultAPIVersion: API_VERSION,
    GitCommit: CLIENT_COMMIT,
    GoVersion: `bun${Bun.version}`,
    Os: process.platform,
    Arch: process.arch === "x64" ? "amd64" : process.arch,
    BuildTime: dateText(CLIENT_BUILT),
    Context: session.context,
  };
}

const COLUMN = 20;

/** One line of docker's page: the value stands in a column of its own. Nothing where there is no value. */
function line(indent: number, name: string, value: string | undefined): string {
  if (value === undefined || value === "") return "";
  return `${`${" ".repeat(indent)}${name}:`.padEnd(COLUMN - 1)} ${cleanCell(value)}\n`;
}

function clientText(client: ReturnType<typeof clientPart>): string {
  const { ApiVersion: spoken, DefaultAPIVersion: usual } = client;
  return [
    `Client: ${client.Platform.Name}\n`,
    line(1, "Version", client.Version),
    line(1, "API version", spoken === usual ? spoken : `${spoken} (downgraded from ${usual})`),
    line(1, "Bun version", Bun.version),
    line(1, "Git commit", client.GitCommit),
    line(1, "Built", client.BuildTime),
    line(1, "OS/Arch", `${client.Os}/${client.Arch}`),
    line(1, "Context", client.Context),
  ].join("");
}

/** The parts of the daemon with their details, as docker's table shows them. */
function serverText(server: VersionReply): string {
  const platform = server.Platform?.Name ? ` ${cleanCell(server.Platform.Name)}` : "";
  const parts = server.Components ?? [{ Name: "Engine", Version: server.Version, Details: null }];
  const text = parts.map(({ Name, Version, Details }) => {
    const known = Name === "Engine" ? engineLines(server) : detailLines(Details ?? {});
    return ` ${cleanCell(Name)}:\n${line(2, "Version", Version)}${known}`;
  });
  return `\nServer:${platform}\n${text.join("")}`;
}

function engineLines(server: VersionReply): string {
  const minimum = server.MinAPIVersion ? ` (minimum version ${server.MinAPIVersion})` : "";
  return [
    line(2, "API version", server.ApiVersion && `${server.ApiVersion}${minimum}`),
    line(2, "Go version", server.GoVersion),
    line(2, "Git commit", server.GitCommit),
    line(2, "Built", dateText(server.BuildTime ?? "")),
    line(2, "OS/Arch", server.Os && `${server.Os}/${server.Arch ?? ""}`),
    line(2, "Experimental", String(server.Experimental === true)),
  ].join("");
}

const detailLines = (details: Readonly<Record<string, string>>) =>
  Object.entries(details)
    .map(([name, value]) => line(2, name, value))
    .join("");

type Component = NonNullable<VersionReply["Components"]>[number];

/** The engine's part with its date as docker's client words it. */
function dated(part: Component): Component {
  const { Name, Details } = part;
  if (Name !== "Engine" || !Details?.BuildTime) return part;
  return { ...part, Details: { ...Details, BuildTime: dateText(Details.BuildTime) } };
}

/** `Sat Nov 21 14:40:29 2026`, in the zone that the text names; a text that is no date stays. Source: ANSI C, asctime. */
function dateText(text: string): string {
  const [, local, zone = ""] =
    /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)$/.exec(text) ?? [];
  if (local === undefined || zone === "") return text;
  const [, day = "", date = "", month = "", year = "", time = ""] =
    /^(\w{3}), (\d\d) (\w{3}) (\d+) (\S+)/.exec(new Date(`${local}Z`).toUTCString()) ?? [];
  return `${day} ${month} ${date.replace(/^0/, " ")} ${time} ${year}`;
}
