import { cancelJob, type JobSummary, listJobs } from "#client";
import { defineCli, forEach } from "../command.ts";
import { FORMAT_FLAG } from "../listing.ts";
import { type Columns, renderList } from "../output/list.ts";
import { ellipsis, humanDuration } from "../output/units.ts";

const STANDARD = "{{.ID}}\t{{.Name}}\t{{.Arguments}}\t{{.Started}}\t{{.Duration}}\t{{.Phase}}\t{{.Status}}";
const ARGUMENTS_WIDTH = 40;
const ERROR_WIDTH = 60;

/** `bunker jobs ls`. */
export const jobsList = defineCli({
  synopsis: "[OPTIONS]",
  about: "List running and recent jobs of the daemon",
  example: "bunker jobs ls --format '{{.ID}} {{.Status}}'",
  flags: {
    format: FORMAT_FLAG,
    "no-trunc": { kind: "bool", about: "Don't truncate output" },
    quiet: { kind: "bool", short: "q", about: "Only display job IDs" },
  },
  words: { min: 0, max: 0 },
  async run({ flags, session }) {
    const rows = await listJobs(session.daemon);
    const columns = columnsOf(!flags.bool("no-trunc"), Date.now());
    const format = flags.bool("quiet") ? "{{.ID}}" : flags.text("format");
    session.console.out(renderList(rows, { columns, standard: STANDARD, format }));
    return 0;
  },
});

/** `bunker jobs cancel`. */
export const jobsCancel = defineCli({
  synopsis: "JOB [JOB...]",
  about: "Cancel one or more running jobs",
  example: "bunker jobs cancel 42",
  flags: {},
  words: { min: 1 },
  run: ({ words, session }) =>
    forEach(words, { session, prints: true }, (id) => cancelJob(session.daemon, id)),
});

function columnsOf(isShort: boolean, now: number): Columns<JobSummary> {
  const iso = (time: number | undefined) => (time === undefined ? "" : new Date(time).toISOString());
  return {
    ID: { heading: "JOB ID", value: ({ id }) => id },
    Name: { heading: "NAME", value: ({ name }) => name },
    Arguments: {
      heading: "ARGUMENTS",
      value: ({ arguments: given }) => {
        const text = Object.entries(given)
          .map((pair) => pair.join("="))
          .join(" ");
        return isShort ? ellipsis(text, ARGUMENTS_WIDTH) : text;
      },
    },
    Started: {
      heading: "STARTED",
      value: ({ startedAt }) => `${humanDuration((now - startedAt) / 1000)} ago`,
    },
    Duration: {
      heading: "DURATION",
      value: ({ startedAt, endedAt = now }) => `${((endedAt - startedAt) / 1000).toFixed(3)}s`,
    },
    Phase: { heading: "PHASE", value: ({ phase }) => phase },
    Status: {
      heading: "STATUS",
      value: ({ status, error }) =>
        error === undefined ? status : `${status}: ${isShort ? ellipsis(error, ERROR_WIDTH) : error}`,
    },
    Error: { heading: "ERROR", value: ({ error = "" }) => error },
    StartedAt: { heading: "STARTED AT", value: ({ startedAt }) => iso(startedAt) },
    EndedAt: { heading: "ENDED AT", value: ({ endedAt }) => iso(endedAt) },
  };
}
