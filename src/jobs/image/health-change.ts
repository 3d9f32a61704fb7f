import { didYouMean, Fault } from "#errors";
import { listOf } from "./change-words.ts";

/** As an image's configuration has it; times in nanoseconds. */
export interface ImageHealth {
  readonly Test: readonly string[];
  readonly Interval?: number;
  readonly Timeout?: number;
  readonly StartPeriod?: number;
  readonly StartInterval?: number;
  readonly Retries?: number;
}

const TIMES: Readonly<Record<string, keyof ImageHealth>> = {
  interval: "Interval",
  timeout: "Timeout",
  "start-period": "StartPeriod",
  "start-interval": "StartInterval",
};
const UNITS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** `NONE`, or `[--interval=30s …] CMD command`. */
export function healthOf(text: string): ImageHealth {
  let rest = text;
  const options: Record<string, number> = {};
  for (let match = flagIn(rest); match !== null; match = flagIn(rest)) {
    const [whole, name = "", value = ""] = match;
    Object.assign(options, optionOf(name, value));
    rest = rest.slice(whole.length);
  }
  const [word = ""] = rest.split(/\s/, 1);
  const command = rest.slice(word.length).trim();
  if (word.toUpperCase() === "NONE") {
    if (command !== "") throw new Fault("invalid", "HEALTHCHECK NONE takes no arguments");
    return { Test: ["NONE"] };
  }
  if (word.toUpperCase() !== "CMD")
    throw new Fault("invalid", `Unknown type ${JSON.stringify(word)} in HEALTHCHECK (try CMD)`);
  if (command === "") throw new Fault("invalid", "Missing command after HEALTHCHECK CMD");
  const list = listOf(command);
  return { Test: list === undefined ? ["CMD-SHELL", command] : ["CMD", ...list], ...options };
}

const flagIn = (text: string) => /^--([a-z-]+)=(\S+)\s+/.exec(text);

function optionOf(name: string, value: string): Record<string, number> {
  if (name === "retries") {
    if (!/^\d{1,9}$/.test(value)) throw new Fault("invalid", `--retries must be a number, not ${value}`);
    return { Retries: Number(value) };
  }
  const field = Object.hasOwn(TIMES, name) ? TIMES[name] : undefined;
  if (field === undefined)
    throw new Fault(
      "invalid",
      `Unknown flag: ${name}${didYouMean(name, [...Object.keys(TIMES), "retries"])}`,
    );
  return { [field]: durationOf(name, value) };
}

/** `1m30s` in nanoseconds. */
function durationOf(name: string, text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)];
  const isWhole = parts.length > 0 && parts.map(([part]) => part).join("") === text;
  const total = parts.reduce((sum, [, count, unit = ""]) => sum + Number(count) * (UNITS[unit] ?? 0), 0);
  if (isWhole && total >= 1e6 && Number.isSafeInteger(total)) return total;
  throw new Fault(
    "invalid",
    `Interval ${JSON.stringify(name)} cannot be ${text}: expected a duration of 1ms or more`,
  );
}
