import type { ContainerSpec } from "#container";
import { didYouMean, Fault, sentenceOf } from "#errors";
import { Template } from "#template";
import { LinearPattern } from "./pattern/index.ts";
import { parseSyslogAddress, syslogFacility, syslogFormat } from "./syslog-address.ts";

export type LogConfig = ContainerSpec["host"]["logConfig"];
type Options = LogConfig["options"];

const MEBIBYTE = 2 ** 20;
const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 2 ** 10,
  m: MEBIBYTE,
  g: 2 ** 30,
  t: 2 ** 40,
};
const MOST_FILES = 1000;
const MOST_BUFFER_BYTES = 2 ** 30;
/** Source: Docker, "Use the local file logging driver" and "Use docker logs with remote logging drivers". */
const LOCAL_BYTES = 20 * MEBIBYTE;
const LOCAL_FILES = 5;
/** Source: Docker, "Configure logging drivers", max-buffer-size. */
const BUFFER_BYTES = MEBIBYTE;

const ATTRIBUTES = ["labels", "labels-regex", "env", "env-regex", "tag"];
const ROTATION = ["max-size", "max-file", "compress"];
/** Of every driver: how it is fed, and the copy kept for `logs` where the driver itself cannot be read. */
const COMMON = ["mode", "max-buffer-size", "cache-disabled", ...ROTATION.map((name) => `cache-${name}`)];
const SYSLOG_TLS = ["syslog-tls-ca-cert", "syslog-tls-cert", "syslog-tls-key", "syslog-tls-skip-verify"];

const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  "json-file": [...ROTATION, ...ATTRIBUTES],
  local: [...ROTATION, ...ATTRIBUTES],
  journald: ATTRIBUTES,
  syslog: ["syslog-address", "syslog-facility", "syslog-format", ...SYSLOG_TLS, ...ATTRIBUTES],
};

/** What a log may be written by; `none` besides. */
export const LOG_DRIVERS: readonly string[] = Object.keys(OPTIONS).sort();

export const driverOf = ({ type }: LogConfig): string => type || "json-file";

/** Throws `invalid` for a driver that is not known, an option that it does not have, or a value that makes no sense. */
export function checkLog(config: LogConfig): void {
  const driver = driverOf(config);
  if (driver === "none") return;
  checkMode(config.options);
  readBoolean(config.options, "cache-disabled");
  const known = Object.hasOwn(OPTIONS, driver) ? OPTIONS[driver] : undefined;
  if (known === undefined)
    throw new Fault(
      "invalid",
      `logger: no log driver named '${driver.slice(0, 80)}' is registered${didYouMean(driver, [...LOG_DRIVERS, "none"])}`,
    );
  const unknown = Object.keys(config.options).find((key) => !known.includes(key) && !COMMON.includes(key));
  if (unknown !== undefined)
    throw new Fault(
      "invalid",
      unknownOption(unknown.slice(0, 80), driver) + didYouMean(unknown, [...known, ...COMMON]),
    );
  if (ROTATED.includes(driver)) rotation(config);
  else cacheRotation(config);
  checkAttributes(config.options);
  if (driver === "syslog") checkSyslog(config.options);
}

const ROTATED = ["json-file", "local"];

const unknownOption = (key: string, driver: string): string =>
  driver === "local"
    ? `unknown log opt '${key}' for log driver local`
    : `unknown log opt '${key}' for ${driver} log driver`;

const LOG_MODES = ["blocking", "non-blocking"];

function checkMode(options: Options): void {
  const { mode = "" } = options;
  if (mode !== "" && !LOG_MODES.includes(mode))
    throw new Fault(
      "invalid",
      `logger: logging mode not supported: ${mode.slice(0, 40)}${didYouMean(mode, LOG_MODES)}`,
    );
  if (options["max-buffer-size"] === undefined) return;
  if (mode !== "non-blocking")
    throw new Fault("invalid", "logger: max-buffer-size option is only supported with 'mode=non-blocking'");
  if (bufferBytes(options) > MOST_BUFFER_BYTES)
    throw new Fault("invalid", "error parsing option max-buffer-size: at most 1g is kept in memory");
}

/** How much may wait for a destination that does not take it. */
export function bufferBytes(options: Options): number {
  return options["max-buffer-size"] === undefined ? BUFFER_BYTES : readSize(options, "max-buffer-size");
}

function checkAttributes(options: Options): void {
  for (const key of ["labels-regex", "env-regex"])
    try {
      new LinearPattern(options[key] ?? "");
    } catch (thrown) {
      throw new Fault("invalid", `invalid value for ${key}: ${sentenceOf(thrown)}`);
    }
  try {
    new Template(options.tag ?? "");
  } catch (thrown) {
    throw new Fault("invalid", `invalid value for tag: ${sentenceOf(thrown)}`);
  }
}

function checkSyslog(options: Options): void {
  if (SYSLOG_TLS.some((key) => options[key] !== undefined))
    throw new Fault(
      "unsupported",
      "Cannot log to a syslog server by TLS: that is not built; send by tcp:// to a relay on this host that speaks TLS",
    );
  parseSyslogAddress(options["syslog-address"]);
  syslogFacility(options["syslog-facility"]);
  syslogFormat(options["syslog-format"]);
}

export interface Rotation {
  readonly maxBytes?: number;
  readonly maxFiles: number;
  readonly compress: boolean;
}

/** Of json-file and local, whose defaults differ: the one keeps everything, the other 100 MB. */
export function rotation({ type, options }: LogConfig): Rotation {
  return type === "local" ? localRotation(options, "") : jsonRotation(options);
}

/** Of the copy that is kept for `logs`; undefined where none is wanted. */
export function cacheRotation({ options }: LogConfig): Rotation | undefined {
  return readBoolean(options, "cache-disabled") ? undefined : localRotation(options, "cache-");
}

function jsonRotation(options: Options): Rotation {
  const maxFiles = readFiles(options, "max-file") ?? 1;
  const maxBytes = options["max-size"] === "-1" ? undefined : readSize(options, "max-size", 0);
  const compress = readBoolean(options, "compress") ?? false;
  if (maxFiles > 1 && !maxBytes) throw new Fault("invalid", "cannot set max-file > 1 without max-size");
  if (compress && (maxFiles < 2 || !maxBytes))
    throw new Fault("invalid", "compress cannot be true when max-file is less than 2 or max-size is not set");
  return { maxFiles, compress, ...(maxBytes ? { maxBytes } : {}) };
}

function localRotation(options: Options, prefix: "" | "cache-"): Rotation {
  const maxFiles = readFiles(options, `${prefix}max-file`) ?? LOCAL_FILES;
  const compress = readBoolean(options, `${prefix}compress`);
  if (compress === true && maxFiles < 2)
    throw new Fault("invalid", "compression cannot be enabled when max file count is 1");
  return {
    maxFiles,
    maxBytes: readSize(options, `${prefix}max-size`, LOCAL_BYTES),
    compress: maxFiles > 1 && compress !== false,
  };
}

function readFiles(options: Options, key: string): number | undefined {
  const text = options[key];
  if (text === undefined) return undefined;
  const files = /^\d+$/.test(text) ? Number(text) : 0;
  if (files < 1 || files > MOST_FILES)
    throw new Fault("invalid", `${key} must be a number from 1 to ${MOST_FILES}: '${text.slice(0, 40)}'`);
  return files;
}

/** As Go's strconv.ParseBool. Undefined: nothing was said. */
function readBoolean(options: Options, key: string): boolean | undefined {
  const text = options[key] ?? "";
  if (text === "") return undefined;
  if (["1", "t", "T", "true", "TRUE", "True"].includes(text)) return true;
  if (["0", "f", "F", "false", "FALSE", "False"].includes(text)) return false;
  throw new Fault("invalid", `invalid value for option ${key}: ${text.slice(0, 40)}`);
}

/** `10m`, `64k`, `1g`, bytes. */
function readSize(options: Options, key: string, absent?: number): number {
  const text = options[key] ?? "";
  if (options[key] === undefined && absent !== undefined) return absent;
  const match = /^(\d+(?:\.\d+)?)\s*([bkmgt]?)i?b?$/i.exec(text);
  const bytes = Number(match?.[1] ?? Number.NaN) * (UNITS[match?.[2]?.toLowerCase() ?? ""] ?? Number.NaN);
  if (!Number.isFinite(bytes) || bytes < 1)
    throw new Fault("invalid", `invalid value for ${key}: '${text.slice(0, 40)}'`);
  return Math.floor(bytes);
}
