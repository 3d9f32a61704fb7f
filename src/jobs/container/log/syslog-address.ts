import { existsSync } from "node:fs";
import { didYouMean, Fault } from "#errors";

/** Where a syslog server is; without a path or a host, this host's own. */
export type SyslogAddress =
  | { readonly kind: "local" }
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp" | "udp"; readonly host: string; readonly port: number };

export type SyslogFormat = "unix" | "rfc3164" | "rfc5424" | "rfc5424micro";

const DEFAULT_PORT = 514;
/** Source: RFC 5424, table 1, by the names of syslog(3). */
const FACILITIES: Readonly<Record<string, number>> = {
  kern: 0,
  user: 1,
  mail: 2,
  daemon: 3,
  auth: 4,
  syslog: 5,
  lpr: 6,
  news: 7,
  uucp: 8,
  cron: 9,
  authpriv: 10,
  ftp: 11,
  local0: 16,
  local1: 17,
  local2: 18,
  local3: 19,
  local4: 20,
  local5: 21,
  local6: 22,
  local7: 23,
};
const FORMATS: Readonly<Record<string, SyslogFormat>> = {
  "": "unix",
  rfc3164: "rfc3164",
  rfc5424: "rfc5424",
  rfc5424micro: "rfc5424micro",
};

/** `syslog-address`: `unix://PATH`, `unixgram://PATH`, `tcp://HOST[:PORT]`, `udp://HOST[:PORT]`. */
export function parseSyslogAddress(text = ""): SyslogAddress {
  if (text === "") return { kind: "local" };
  const shown = text.slice(0, 200);
  const [, scheme, rest = ""] = /^(unix|unixgram|tcp|tcp\+tls|udp):\/\/(.*)$/s.exec(text) ?? [];
  if (scheme === undefined)
    throw new Fault("invalid", `syslog-address should be in form proto://address, got ${shown}`);
  if (scheme === "tcp+tls")
    throw new Fault(
      "unsupported",
      `Cannot log to ${shown}: TLS to a syslog server is not built; send by tcp:// to a relay on this host that speaks TLS`,
    );
  if (scheme === "tcp" || scheme === "udp") return { kind: scheme, ...parseHost(rest, shown) };
  if (!rest.startsWith("/") || !existsSync(rest))
    throw new Fault("invalid", `stat ${rest.slice(0, 200)}: no such file or directory`);
  return { kind: "unix", path: rest };
}

function parseHost(text: string, shown: string): { readonly host: string; readonly port: number } {
  const [, bracketed, plain, digits] =
    /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?\/?$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = digits === undefined ? DEFAULT_PORT : Number(digits);
  if (host === undefined || port < 1 || port > 0xffff)
    throw new Fault("invalid", `syslog-address should be in form proto://host:port, got ${shown}`);
  return { host, port };
}

/** By name or number; the daemon's own when nothing is said. */
export function syslogFacility(text = ""): number {
  const named = Object.hasOwn(FACILITIES, text) ? FACILITIES[text] : numbered(text);
  const facility = text === "" ? FACILITIES.daemon : named;
  if (facility === undefined)
    throw new Fault("invalid", `invalid syslog facility${didYouMean(text, Object.keys(FACILITIES))}`);
  return facility;
}

const numbered = (text: string): number | undefined =>
  /^\d{1,2}$/.test(text) && Number(text) <= 23 ? Number(text) : undefined;

export function syslogFormat(text = ""): SyslogFormat {
  const format = Object.hasOwn(FORMATS, text) ? FORMATS[text] : undefined;
  if (format === undefined)
    throw new Fault(
      "invalid",
      `Invalid syslog format: '${text.slice(0, 40)}'${didYouMean(text, Object.keys(FORMATS))}`,
    );
  return format;
}
