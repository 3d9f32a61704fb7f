import { posix } from "node:path";
import { parseSignal } from "#container";
import { didYouMean, Fault } from "#errors";
import type { ImageConfig } from "#oci";
import { listOf, pairsOf, wordsOf } from "./change-words.ts";
import { healthOf } from "./health-change.ts";

export type Settings = NonNullable<ImageConfig["config"]>;

const DEFAULT_SHELL = ["/bin/sh", "-c"];
const MOST_PORTS = 65_535;

/** One instruction and what follows it. */
interface Change {
  readonly instruction: string;
  readonly text: string;
  /** Whether a command was set by a change before. */
  readonly hasCommand: boolean;
}

type Apply = (settings: Settings, change: Change) => Settings;

const INSTRUCTIONS: Readonly<Record<string, Apply>> = {
  CMD: (settings, { text }) => ({ ...settings, Cmd: [...commandOf(text, settings)] }),
  // A command was meant for the entrypoint before.
  ENTRYPOINT: (settings, { text, hasCommand }) => ({
    ...settings,
    Entrypoint: [...commandOf(text, settings)],
    ...(!hasCommand && { Cmd: null }),
  }),
  ENV: (settings, change) => ({
    ...settings,
    Env: pairs(settings, change).reduce<string[]>(withVariable, [...(settings.Env ?? [])]),
  }),
  EXPOSE: (settings, { text }) => ({
    ...settings,
    ExposedPorts: { ...settings.ExposedPorts, ...keys(words(settings, text).flatMap(portsOf)) },
  }),
  HEALTHCHECK: (settings, { text }) => ({ ...settings, Healthcheck: healthOf(text) }),
  LABEL: (settings, change) => ({
    ...settings,
    Labels: { ...settings.Labels, ...Object.fromEntries(pairs(settings, change)) },
  }),
  ONBUILD: (settings, { text }) => ({
    ...settings,
    OnBuild: [...((settings.OnBuild as readonly string[] | null | undefined) ?? []), trigger(text)],
  }),
  SHELL: (settings, { text }) => {
    const list = listOf(text);
    if (list === undefined || list.length === 0)
      throw new Fault("invalid", "SHELL requires the arguments to be in JSON form");
    return { ...settings, Shell: [...list] };
  },
  STOPSIGNAL: (settings, { text }) => {
    const [signal = ""] = words(settings, text);
    parseSignal(signal);
    return { ...settings, StopSignal: signal };
  },
  USER: (settings, { text }) => ({ ...settings, User: single(settings, text) }),
  VOLUME: (settings, { text }) => ({
    ...settings,
    Volumes: { ...settings.Volumes, ...keys((listOf(text) ?? words(settings, text)).map(folder)) },
  }),
  WORKDIR: (settings, { text }) => ({
    ...settings,
    WorkingDir: posix.resolve("/", settings.WorkingDir || "/", single(settings, text)),
  }),
};

/** Settings after instructions as a Dockerfile has them. Throws `invalid` in Docker's words for what is none of them. */
export function applyChanges(settings: Settings, changes: readonly string[]): Settings {
  let hasCommand = false;
  let current = settings;
  for (const line of changes.flatMap((change) => change.split("\n"))) {
    const [, word = "", text = ""] = /^\s*(\S+)\s*([\s\S]*?)\s*$/.exec(line) ?? [];
    if (word === "" || word.startsWith("#")) continue;
    const instruction = word.toUpperCase();
    const apply = Object.hasOwn(INSTRUCTIONS, instruction) ? INSTRUCTIONS[instruction] : undefined;
    if (apply === undefined)
      throw new Fault(
        "invalid",
        `${word.slice(0, 100)} is not a valid change command${didYouMean(instruction, Object.keys(INSTRUCTIONS))}`,
      );
    if (text === "" && instruction !== "CMD" && instruction !== "ENTRYPOINT")
      throw new Fault("invalid", `${instruction} requires at least one argument`);
    current = apply(current, { instruction, text, hasCommand });
    hasCommand ||= instruction === "CMD";
  }
  return current;
}

function commandOf(text: string, { Shell }: Settings): readonly string[] {
  if (text === "") return [];
  return listOf(text) ?? [...(Shell && Shell.length > 0 ? Shell : DEFAULT_SHELL), text];
}

function variables({ Env }: Settings): ReadonlyMap<string, string> {
  return new Map(
    (Env ?? []).map((entry) => {
      const equals = entry.indexOf("=");
      return equals < 0 ? [entry, ""] : [entry.slice(0, equals), entry.slice(equals + 1)];
    }),
  );
}

const words = (settings: Settings, text: string) => wordsOf(text, variables(settings));
const pairs = (settings: Settings, { text, instruction }: Change) =>
  pairsOf(text, { variables: variables(settings), instruction });
const keys = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, {}]));

function single(settings: Settings, text: string): string {
  return words(settings, text).join(" ");
}

function withVariable(entries: string[], [name, value]: readonly [string, string]): string[] {
  const at = entries.findIndex((entry) => entry === name || entry.startsWith(`${name}=`));
  return at < 0 ? [...entries, `${name}=${value}`] : entries.with(at, `${name}=${value}`);
}

/** `80`, `80/udp`, `8000-8010/tcp`. */
function portsOf(text: string): readonly string[] {
  const [, first = "", last = first, protocol = "tcp"] =
    /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i.exec(text) ?? [];
  const [from, to] = [Number(first), Number(last)];
  if (first === "" || from < 1 || to > MOST_PORTS || to < from)
    throw new Fault("invalid", `Invalid containerPort: ${text.slice(0, 100)}`);
  return Array.from({ length: to - from + 1 }, (_, offset) => `${from + offset}/${protocol.toLowerCase()}`);
}

function folder(text: string): string {
  const path = text.trim();
  if (path === "") throw new Fault("invalid", "VOLUME specified can not be an empty string");
  return path;
}

function trigger(text: string): string {
  const word = text.split(/\s/, 1)[0]?.toUpperCase() ?? "";
  if (word === "ONBUILD") throw new Fault("invalid", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (word === "FROM" || word === "MAINTAINER")
    throw new Fault("invalid", `${word} isn't allowed as an ONBUILD trigger`);
  return text;
}
