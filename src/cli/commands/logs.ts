import { containerLogs, inspectContainer, passOutput } from "#client";
import { defineCli } from "../command.ts";
import { timestampOf } from "../output/time.ts";

/** `bunker logs`. */
export const logs = defineCli({
  synopsis: "[OPTIONS] CONTAINER",
  about: "Fetch the logs of a container",
  example: "bunker logs -f --tail 100 --since 10m web",
  flags: {
    details: { kind: "bool", about: "Show extra details provided to logs" },
    follow: { kind: "bool", short: "f", about: "Follow log output" },
    since: {
      kind: "text",
      hint: "string",
      about:
        'Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)',
    },
    tail: {
      kind: "text",
      hint: "string",
      short: "n",
      preset: "all",
      about: "Number of lines to show from the end of the logs",
    },
    timestamps: { kind: "bool", short: "t", about: "Show timestamps" },
    until: {
      kind: "text",
      hint: "string",
      about:
        'Show logs before a timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)',
    },
  },
  words: { min: 1, max: 1 },
  async run({ flags, words: [name = ""], session }) {
    const now = Date.now();
    const { console } = session;
    const since = flags.optional("since");
    const until = flags.optional("until");
    const reply = await containerLogs(session.daemon, name, {
      follow: flags.bool("follow"),
      timestamps: flags.bool("timestamps"),
      details: flags.bool("details"),
      tail: flags.text("tail"),
      ...(since === undefined ? {} : { since: timestampOf(since, { now, flag: "since" }) }),
      ...(until === undefined ? {} : { until: timestampOf(until, { now, flag: "until" }) }),
    });
    const isMultiplexed = reply.isMultiplexed ?? !(await inspectContainer(session.daemon, name)).Config.Tty;
    await passOutput(
      { body: reply.body, isMultiplexed },
      (stream, bytes) => (stream === "stdout" ? console.out(bytes) : console.err(bytes)),
      console.busy,
    );
    return 0;
  },
});
