import { Fault } from "#errors";
import { defineCli } from "../../command.ts";
import { currentContext, defaultHost } from "../../connection.ts";
import { ContextStore, DAEMON_ENDPOINT, DEFAULT_CONTEXT } from "../../contexts/store.ts";
import { FORMAT_FLAG } from "../../listing.ts";
import { type Columns, renderList } from "../../output/list.ts";
import { compareNatural } from "../../output/natural.ts";
import { ellipsis } from "../../output/units.ts";
import type { Session } from "../../session.ts";
import { warnOfHost } from "./use.ts";

const STANDARD = "{{.Name}}{{if .Current}} *{{end}}\t{{.Description}}\t{{.DockerEndpoint}}\t{{.Error}}";
const ERROR_WIDTH = 45;
const DESCRIPTION_WIDTH = 60;

interface Row {
  readonly name: string;
  readonly isCurrent: boolean;
  readonly description: string;
  readonly host: string;
  readonly error: string;
}

/** `bunker context ls`. */
export const contextList = defineCli({
  synopsis: "[OPTIONS]",
  about: "List contexts",
  example: "bunker context ls --format '{{.Name}} {{.DockerEndpoint}}'",
  flags: {
    format: FORMAT_FLAG,
    quiet: { kind: "bool", short: "q", about: "Only show context names" },
  },
  words: { min: 0, max: 0 },
  async run({ flags, session }) {
    const format = flags.text("format");
    const isQuiet = flags.bool("quiet");
    const rows = contextRows(session);
    const options = { columns: COLUMNS, standard: STANDARD, format: isQuiet ? "{{.Name}}" : format };
    session.console.out(renderList(rows, options));
    if (!isQuiet && format === "") warnOfHost(session);
    return 0;
  },
});

const COLUMNS: Columns<Row> = {
  Name: { heading: "NAME", value: ({ name }) => name },
  Current: { heading: "", value: ({ isCurrent }) => isCurrent },
  Description: {
    heading: "DESCRIPTION",
    value: ({ description }) => ellipsis(description, DESCRIPTION_WIDTH),
  },
  DockerEndpoint: { heading: "DOCKER ENDPOINT", value: ({ host }) => host },
  Error: { heading: "ERROR", value: ({ error }) => ellipsis(error, ERROR_WIDTH) },
};

/** Every context with the one that is no file, and the one in force even where it is not there. */
function contextRows(session: Session): Row[] {
  const { env, globals, program, config } = session;
  const store = new ContextStore(env);
  const current = currentContext({ flags: globals, env, config });
  const names = new Set([DEFAULT_CONTEXT, ...store.names(), current]);
  return [...names].sort(compareNatural).map((name) => {
    const isCurrent = name === current;
    if (name !== DEFAULT_CONTEXT) return { isCurrent, ...storedRow(store, name) };
    const host = defaultHost({ flags: globals, env, program });
    return { name, isCurrent, description: "Current DOCKER_HOST based configuration", host, error: "" };
  });
}

function storedRow(store: ContextStore, name: string): Omit<Row, "isCurrent"> {
  try {
    const { Metadata, Endpoints } = store.read(name);
    const host = Endpoints[DAEMON_ENDPOINT]?.Host ?? "";
    return { name, description: Metadata.Description ?? "", host, error: "" };
  } catch (thrown) {
    if (!(thrown instanceof Fault)) throw thrown;
    return { name, description: "", host: "", error: thrown.message };
  }
}
