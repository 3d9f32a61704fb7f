import type { Container, ContainerSpec } from "#container";
import { Fault } from "#errors";
import type { StdioSpec } from "#exec";

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
};
const KNOWN_OPTIONS = ["max-size", "max-file", "mode", "max-buffer-size", "labels", "env", "tag", "compress"];
const MOST_FILES = 1000;

type LogConfig = ContainerSpec["host"]["logConfig"];

/** The log drivers there are. */
export const LOG_DRIVERS: readonly string[] = ["json-file", "none"];

/** Throws `invalid` for a driver that is not known or an option that it does not have. */
export function checkLog(config: LogConfig): void {
  const type = config.type || "json-file";
  if (!LOG_DRIVERS.includes(type))
    throw new Fault("invalid", `logger: no log driver named '${type.slice(0, 80)}' is registered`);
  const unknown = Object.keys(config.options).find((key) => !KNOWN_OPTIONS.includes(key));
  if (unknown !== undefined)
    throw new Fault("invalid", `unknown log opt '${unknown.slice(0, 80)}' for ${type} log driver`);
  limits(config);
}

/** Where and how the supervisor writes the log; absent: nothing is logged. */
export function logSpec(container: Pick<Container, "spec" | "logPath">): StdioSpec["log"] {
  const config = container.spec.host.logConfig;
  return config.type === "none" ? undefined : { path: container.logPath, ...limits(config) };
}

function limits({ options }: LogConfig): { readonly maxBytes?: number; readonly maxFiles: number } {
  const size = options["max-size"];
  const files = options["max-file"] ?? "1";
  const maxFiles = Number(files);
  if (!Number.isInteger(maxFiles) || maxFiles < 1 || maxFiles > MOST_FILES)
    throw new Fault("invalid", `max-file must be a number from 1 to ${MOST_FILES}: '${files.slice(0, 40)}'`);
  if (size === undefined || size === "-1") {
    if (maxFiles > 1) throw new Fault("invalid", "cannot set max-file > 1 without max-size");
    return { maxFiles };
  }
  return { maxBytes: parseSize(size), maxFiles };
}

/** `10m`, `64k`, `1g`, bytes. */
function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([bkmgt]?)i?b?$/i.exec(text);
  const bytes = Number(match?.[1] ?? Number.NaN) * (UNITS[match?.[2]?.toLowerCase() ?? ""] ?? Number.NaN);
  if (!Number.isFinite(bytes) || bytes < 1)
    throw new Fault("invalid", `invalid value for max-size: '${text.slice(0, 40)}'`);
  return Math.floor(bytes);
}
