import { daemonEvents, type TimedEvent } from "#client";
import { defineCli } from "../command.ts";
import { FILTER_FLAG, filtersOf } from "../listing.ts";
import { cleanText } from "../output/clean.ts";
import { withTemplate } from "../output/one.ts";
import { localStamp, timestampOf } from "../output/time.ts";

/** `bunker events`. */
export const events = defineCli({
  synopsis: "[OPTIONS]",
  about: "Get real time events from the server",
  example: "bunker events --since 10m --filter type=container --format '{{json .}}'",
  flags: {
    filter: FILTER_FLAG,
    format: { kind: "text", hint: "string", about: "Format output: 'json' or a Go template" },
    since: { kind: "text", hint: "string", about: "Show all events created since timestamp" },
    until: { kind: "text", hint: "string", about: "Stream events until this timestamp" },
  },
  words: { min: 0, max: 0 },
  async run({ flags, session }) {
    const now = Date.now();
    const times = (["since", "until"] as const).map((name) => {
      const text = flags.optional(name);
      return text === undefined ? {} : { [name]: timestampOf(text, { now, flag: name }) };
    });
    const format = flags.text("format");
    const isJson = format === "json" || format === "{{json .}}";
    return withTemplate(isJson ? "" : format, async (compiled) => {
      const query = { ...times[0], ...times[1], filters: filtersOf(flags.list("filter")) };
      for await (const timed of daemonEvents(session.daemon, query)) {
        if (format === "") session.say(lineOf(timed));
        else if (isJson) session.say(cleanText(sortedLine(timed)));
        else session.say(cleanText(compiled.render(timed.event, { missing: "novalue" })));
      }
      return 0;
    });
  },
});

/** The event as it came, with its attributes in order of the alphabet. Numbers keep all their digits. */
function sortedLine({ event, line }: TimedEvent): string {
  const given = JSON.stringify(event.Actor.Attributes ?? {});
  const sorted = Object.entries(event.Actor.Attributes ?? {}).sort(([left], [right]) =>
    left < right ? -1 : 1,
  );
  return line.replace(
    `"Attributes":${given}`,
    () => `"Attributes":${JSON.stringify(Object.fromEntries(sorted))}`,
  );
}

/** `2026-05-30T12:07:14.000000001Z container start 0123… (image=httpd, name=web)` */
function lineOf({ event: { Type, Action, Actor, time }, nanoseconds }: TimedEvent): string {
  const attributes = Object.entries(Actor.Attributes ?? {}).sort(([left], [right]) =>
    left < right ? -1 : 1,
  );
  const shown = attributes.map(([key, value]) => `${key}=${value}`).join(", ");
  const tail = shown === "" ? "" : ` (${shown})`;
  return cleanText(`${localStamp(time, nanoseconds.slice(-9))} ${Type} ${Action} ${Actor.ID}${tail}`);
}
