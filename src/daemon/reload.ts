import type { Config } from "./config.ts";
import { SETTINGS, type SettingKey } from "./settings.ts";

/** What SIGHUP changes in a running daemon. Source: Docker's dockerd reference, "Configuration reload behavior". */
export const RELOADABLE = SETTINGS.flatMap((setting) =>
  "isReloadable" in setting ? [setting.key] : [],
) as readonly SettingKey[];

export interface Reload {
  /** The configuration to run by from now on. */
  readonly config: Config;
  /** Sentences of what is different, `debug is now true`. */
  readonly changed: readonly string[];
  /** Keys that were changed and count from the next start on. */
  readonly postponed: readonly SettingKey[];
  /** Of the event that tells of it: every reloadable key, lists as JSON. */
  readonly attributes: Readonly<Record<string, string>>;
}

/** What of `next` a daemon that runs by `current` takes over. */
export function reloaded(current: Config, next: Config): Reload {
  const keys = SETTINGS.map(({ key }) => key).filter((key) => textOf(current[key]) !== textOf(next[key]));
  const taken = Object.fromEntries(RELOADABLE.map((key) => [key, next[key]]));
  const isLoud = next.debug || next["log-level"] === "debug";
  const loudness = next.debug === current.debug ? current["log-level"] : isLoud ? "debug" : next["log-level"];
  const config: Config = { ...current, ...taken, "log-level": loudness };
  return {
    config,
    changed: keys
      .filter((key) => RELOADABLE.includes(key))
      .map((key) => `${key} is now ${textOf(config[key])}`),
    postponed: keys.filter((key) => !RELOADABLE.includes(key) && key !== "log-level"),
    attributes: Object.fromEntries(RELOADABLE.map((key) => [key, textOf(config[key])])),
  };
}

const textOf = (value: unknown): string =>
  typeof value === "string" ? value : (JSON.stringify(value) ?? "");
