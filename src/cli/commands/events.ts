import { daemonEvents, type EventMessage } from "#client";
import { defineCli } from "../command.ts";
import { FILTER_FLAG, filtersOf } from "../listing.ts";
import { cleanText } from "../output/clean.ts";
import { withTemplate } from "../output/one.ts";
import { timestampOf } from "../output/time.ts";

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
      return text === undefined ? {} : { [name]: timestampOf(text, now) };
    });
    const format = flags.text("format");
    const template = format === "json" ? "{{json .}}" : format;
    return withTemplate(template, async (compiled) => {
      const query = { ...times[0], ...times[1], filters: filtersOf(flags.list("filter")) };
      for await (const event of daemonEvents(session.daemon, query))
        session.say(
          template === "" ? lineOf(event) : cleanText(compiled.render(event, { missing: "novalue" })),
        );
      return 0;
    });
  },
});

/** `2026-05-30T12:07:14.000000001Z container start 0123… (image=httpd, name=web)` */
function lineOf({ Type, Action, Actor, time, timeNano }: EventMessage): string {
  const attributes = Object.entries(Actor.Attributes ?? {}).sort(([left], [right]) =>
    left < right ? -1 : 1,
  );
  const shown = attributes.map(([key, value]) => `${key}=${value}`).join(", ");
  return cleanText(
    `${stamp(time, timeNano)} ${Type} ${Action} ${Actor.ID}${shown === "" ? "" : ` (${shown})`}`,
  );
}

/** Local time with nine decimals; JSON numbers lose the last digits of nanoseconds, so whole seconds come from `time`. */
function stamp(seconds: number, nanoseconds: number): string {
  const at = new Date(seconds * 1000);
  const two = (value: number) => String(value).padStart(2, "0");
  const offset = -at.getTimezoneOffset();
  const zone =
    offset === 0
      ? "Z"
      : `${offset < 0 ? "-" : "+"}${two(Math.trunc(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
  const fraction = String(Math.max(0, Math.round(nanoseconds - seconds * 1e9)) % 1e9).padStart(9, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day}T${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${fraction}${zone}`;
}
