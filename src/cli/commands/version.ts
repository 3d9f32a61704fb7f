import { daemonVersion, type VersionReply } from "#client";
import { Fault } from "#errors";
import { defineCli } from "../command.ts";
import { cleanCell } from "../output/clean.ts";
import { CLIENT_VERSION } from "../program.ts";

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
    const client = clientPart(session.daemon.apiVersion);
    let server: VersionReply | undefined;
    let failure: Fault | undefined;
    try {
      server = await daemonVersion(session.daemon);
    } catch (thrown) {
      if (!(thrown instanceof Fault)) throw thrown;
      failure = thrown;
    }
    const format = flags.text("format");
    if (format === "")
      session.console.out(clientText(client) + (server === undefined ? "" : serverText(server)));
    else {
      const { renderOne } = await import("../output/one.ts");
      session.console.out(renderOne({ Client: client, Server: server ?? null }, format));
    }
    if (failure !== undefined) throw failure;
    return 0;
  },
});

function clientPart(apiVersion: string) {
  return {
    Version: CLIENT_VERSION,
    ApiVersion: apiVersion,
    DefaultAPIVersion: apiVersion,
    BunVersion: Bun.version,
    Os: process.platform,
    Arch: process.arch === "x64" ? "amd64" : process.arch,
    Context: "default",
  };
}

const line = (name: string, value: string) => ` ${`${name}:`.padEnd(18)} ${cleanCell(value)}\n`;

function clientText({ Version, ApiVersion, BunVersion, Os, Arch }: ReturnType<typeof clientPart>): string {
  return `Client: bunker\n${line("Version", Version)}${line("API version", ApiVersion)}${line("Bun version", BunVersion)}${line("OS/Arch", `${Os}/${Arch}`)}`;
}

/** The parts of the daemon with their details, as docker's table shows them. */
function serverText(server: VersionReply): string {
  const platform = server.Platform?.Name ? ` ${cleanCell(server.Platform.Name)}` : "";
  const parts = server.Components ?? [{ Name: "Engine", Version: server.Version, Details: null }];
  const text = parts.map(({ Name, Version, Details }) => {
    const known = Name === "Engine" ? engineLines(server) : detailLines(Details ?? {});
    return ` ${cleanCell(Name)}:\n${[["Version", Version] as const, ...known].map(([name, value]) => ` ${line(name, value)}`).join("")}`;
  });
  return `\nServer:${platform}\n${text.join("")}`;
}

function engineLines(server: VersionReply): (readonly [string, string])[] {
  const minimum = server.MinAPIVersion ? ` (minimum version ${server.MinAPIVersion})` : "";
  const all: (readonly [string, string | undefined])[] = [
    ["API version", server.ApiVersion && `${server.ApiVersion}${minimum}`],
    ["Git commit", server.GitCommit],
    ["Built", server.BuildTime],
    ["OS/Arch", server.Os && `${server.Os}/${server.Arch ?? ""}`],
    ["Kernel", server.KernelVersion],
  ];
  return all.flatMap(([name, value]) => (value ? [[name, value] as const] : []));
}

function detailLines(details: Readonly<Record<string, string>>): (readonly [string, string])[] {
  return Object.entries(details).map(([name, value]) => [name, value] as const);
}
