import { Fault, nearest } from "#errors";
import { refusal } from "./refused.ts";
import { SETTINGS, type Setting } from "./settings.ts";

export interface Flags {
  readonly values: Readonly<Record<string, unknown>>;
  readonly configFile?: string;
  readonly wantsHelp: boolean;
  readonly wantsValidation: boolean;
}

const TRUE = ["1", "t", "true", "T", "TRUE", "True"];
const FALSE = ["0", "f", "false", "F", "FALSE", "False"];

/**
 * Reads `--flag value`, `--flag=value`, `-f value`. The words that chose daemon mode (`daemon`, `-d`,
 * `--daemon[=true]`) are skipped. Throws `invalid` naming what is not known.
 */
export function readFlags(words: readonly string[]): Flags {
  const values: Record<string, unknown> = {};
  let configFile: string | undefined;
  let wantsHelp = false;
  let wantsValidation = false;
  const rest = [...words];
  if (/^(daemon|-d|--daemon(=true)?)$/.test(rest[0] ?? "")) rest.shift();
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const [, name = "", attached] = /^--?([A-Za-z][\w-]*)(?:=([\s\S]*))?$/.exec(word) ?? [];
    const takeValue = () => attached ?? rest.shift() ?? missing(word);
    if (name === "config-file") configFile = takeValue();
    else if (name === "help" || word === "-h") wantsHelp = true;
    else if (name === "validate") wantsValidation = true;
    else setValue(values, findSetting(word, name), { attached, takeValue });
  }
  return { values, wantsHelp, wantsValidation, ...(configFile === undefined ? {} : { configFile }) };
}

function findSetting(word: string, name: string): Setting {
  const isLong = word.startsWith("--");
  const found = (SETTINGS as readonly Setting[]).find(
    ({ flag, short }) => name !== "" && (isLong ? flag === name : short === name),
  );
  if (found !== undefined) return found;
  const reason = isLong ? refusal(name) : undefined;
  if (reason !== undefined)
    throw new Fault("unsupported", `Cannot start the daemon: --${name} is not supported: ${reason}`);
  throw new Fault(
    "invalid",
    `Cannot start the daemon: unknown flag ${word}; see 'bunker daemon --help'${offered(name)}`,
  );
}

function offered(name: string): string {
  const known = (SETTINGS as readonly Setting[]).flatMap(({ flag }) => (flag === undefined ? [] : [flag]));
  const found = nearest(name, [...known, "config-file", "validate", "help"]);
  return found === undefined ? "" : `; did you mean --${found}?`;
}

interface Given {
  readonly attached: string | undefined;
  takeValue(): string;
}

function setValue(values: Record<string, unknown>, { key, kind, flag }: Setting, given: Given): void {
  if (kind === "boolean") values[key] = truth(given.attached ?? "true", flag);
  else if (kind === "number") values[key] = integer(given.takeValue(), flag);
  else if (kind === "list")
    values[key] = [...((values[key] as string[] | undefined) ?? []), given.takeValue()];
  else if (kind === "pairs") {
    const [name, value] = pair(given.takeValue(), flag);
    values[key] = { ...(values[key] as object | undefined), [name]: value };
  } else if (kind === "maps") {
    const [driver, option] = pair(given.takeValue(), flag);
    const [name, value] = pair(option, flag);
    const known = values[key] as Record<string, object> | undefined;
    values[key] = { ...known, [driver]: { ...known?.[driver], [name]: value } };
  } else if (kind === "ulimits") {
    const { Name, ...limits } = ulimit(given.takeValue(), flag);
    values[key] = { ...(values[key] as object | undefined), [Name]: { Name, ...limits } };
  } else if (kind === "runtimes") {
    const [name, path] = pair(given.takeValue(), flag);
    values[key] = { ...(values[key] as object | undefined), [name]: { path } };
  } else if (kind === "pools") {
    values[key] = [...((values[key] as object[] | undefined) ?? []), pool(given.takeValue(), flag)];
  } else values[key] = given.takeValue();
}

function pair(text: string, flag?: string): readonly [string, string] {
  const [, name = "", value = ""] = /^([^=]+)=([\s\S]*)$/.exec(text) ?? missing(`--${flag}`);
  return [name, value];
}

/** `base=10.0.0.0/8,size=24` */
function pool(text: string, flag?: string): { readonly base: string; readonly size: number } {
  const { base, size, ...rest } = Object.fromEntries(text.split(",").map((field) => pair(field, flag)));
  if (base === undefined || size === undefined || Object.keys(rest).length > 0)
    throw new Fault(
      "invalid",
      `Cannot start the daemon: --${flag} takes base=SUBNET,size=BITS, not "${text.slice(0, 100)}"`,
    );
  return { base, size: integer(size, flag) };
}

/** `nofile=1024:2048`, or one number for both. */
function ulimit(text: string, flag?: string) {
  const [, Name = "", soft = "", hard = soft] = /^([a-z]+)=(-?\d{1,19})(?::(-?\d{1,19}))?$/.exec(text) ?? [];
  if (Name === "")
    throw new Fault(
      "invalid",
      `Cannot start the daemon: --${flag} takes NAME=SOFT[:HARD], not "${text.slice(0, 100)}"`,
    );
  return { Name, Soft: Number(soft), Hard: Number(hard) };
}

function truth(text: string, flag?: string): boolean {
  if (TRUE.includes(text)) return true;
  if (FALSE.includes(text)) return false;
  throw new Fault("invalid", `Cannot start the daemon: --${flag} takes true or false, not "${text}"`);
}

function integer(text: string, flag?: string): number {
  if (/^-?\d{1,12}$/.test(text)) return Number(text);
  throw new Fault("invalid", `Cannot start the daemon: --${flag} takes a whole number, not "${text}"`);
}

function missing(word: string): never {
  throw new Fault("invalid", `Cannot start the daemon: ${word} needs a value`);
}

/** What `bunker daemon --help` prints. */
export function daemonHelp(): string {
  const rows = (SETTINGS as readonly Setting[]).flatMap(({ flag, short, kind, help }) =>
    flag === undefined
      ? []
      : [
          [
            `${short === undefined ? "   " : `-${short},`} --${flag}${kind === "boolean" ? "" : ` ${kind}`}`,
            help,
          ],
        ],
  );
  const width = Math.max(...rows.map(([left = ""]) => left.length));
  return [
    "Usage:  bunker daemon [OPTIONS]",
    "",
    "Start the daemon. It runs in the foreground until SIGTERM; containers outlive it.",
    "",
    "Options:",
    ...rows.map(([left = "", right]) => `  ${left.padEnd(width)}   ${right}`),
    `  ${"    --config-file text".padEnd(width)}   Configuration file (default /etc/bunker/daemon.json)`,
    `  ${"    --validate".padEnd(width)}   Check flags and file, then stop`,
    "",
    "Example:",
    "  bunker daemon --data-root /srv/bunker --registry-mirror https://mirror.example.org",
    "",
  ].join("\n");
}
