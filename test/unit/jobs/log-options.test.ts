import { describe, expect, test } from "bun:test";
import { Fault } from "#errors";
import { checkLog, LOG_DRIVERS } from "#jobs";
import { bufferBytes, cacheRotation, rotation } from "../../../src/jobs/container/log/options.ts";
import {
  parseSyslogAddress,
  syslogFacility,
  syslogFormat,
} from "../../../src/jobs/container/log/syslog-address.ts";

type Options = Readonly<Record<string, string>>;

const refusal = (type: string, options: Options): [string, string] => {
  try {
    checkLog({ type, options });
  } catch (thrown) {
    if (thrown instanceof Fault) return [thrown.kind, thrown.message];
  }
  return ["none", ""];
};

describe("options of a log driver", () => {
  test.each([
    ["", {}],
    ["none", { anything: "goes" }],
    ["json-file", { "max-size": "10m", "max-file": "3", compress: "true", tag: "{{.Name}}/{{.ID}}" }],
    ["json-file", { "max-size": "-1", labels: "a,b", "labels-regex": "^x", env: "A", "env-regex": "^B" }],
    ["json-file", { mode: "non-blocking", "max-buffer-size": "4m" }],
    ["local", { "max-size": "1m", "max-file": "1" }],
    ["local", { "max-file": "2", compress: "false", tag: "x" }],
    ["journald", { tag: "{{.ImageName}}", labels: "a", "cache-disabled": "true" }],
    [
      "syslog",
      { "syslog-address": "udp://127.0.0.1:1514", "syslog-format": "rfc5424", "cache-max-size": "1m" },
    ],
    ["syslog", { "syslog-facility": "local7", mode: "blocking" }],
  ] as const)("%s takes %j", (type, options) => {
    expect(refusal(type, options)).toEqual(["none", ""]);
  });

  test.each([
    ["fluentd", {}, "invalid", "logger: no log driver named 'fluentd' is registered"],
    ["constructor", {}, "invalid", "logger: no log driver named 'constructor' is registered"],
    ["json-file", { colour: "red" }, "invalid", "unknown log opt 'colour' for json-file log driver"],
    ["local", { colour: "red" }, "invalid", "unknown log opt 'colour' for log driver local"],
    ["journald", { "max-size": "1m" }, "invalid", "unknown log opt 'max-size' for journald log driver"],
    ["json-file", { mode: "fast" }, "invalid", "logger: logging mode not supported: fast"],
    [
      "json-file",
      { "max-buffer-size": "1m" },
      "invalid",
      "logger: max-buffer-size option is only supported with 'mode=non-blocking'",
    ],
    [
      "syslog",
      { mode: "non-blocking", "max-buffer-size": "2g" },
      "invalid",
      "error parsing option max-buffer-size: at most 1g is kept in memory",
    ],
    ["json-file", { "max-file": "3" }, "invalid", "cannot set max-file > 1 without max-size"],
    [
      "json-file",
      { "max-file": "0", "max-size": "1m" },
      "invalid",
      "max-file must be a number from 1 to 1000: '0'",
    ],
    ["local", { "max-file": "1.5" }, "invalid", "max-file must be a number from 1 to 1000: '1.5'"],
    ["json-file", { "max-size": "big" }, "invalid", "invalid value for max-size: 'big'"],
    ["local", { "max-size": "0" }, "invalid", "invalid value for max-size: '0'"],
    [
      "json-file",
      { compress: "true" },
      "invalid",
      "compress cannot be true when max-file is less than 2 or max-size is not set",
    ],
    ["json-file", { compress: "maybe" }, "invalid", "invalid value for option compress: maybe"],
    [
      "local",
      { compress: "true", "max-file": "1" },
      "invalid",
      "compression cannot be enabled when max file count is 1",
    ],
    [
      "syslog",
      { "cache-disabled": "perhaps" },
      "invalid",
      "invalid value for option cache-disabled: perhaps",
    ],
    ["syslog", { "cache-max-size": "x" }, "invalid", "invalid value for cache-max-size: 'x'"],
    ["syslog", { "syslog-facility": "24" }, "invalid", "invalid syslog facility"],
    ["syslog", { "syslog-format": "xml" }, "invalid", "Invalid syslog format: 'xml'"],
  ] as const)("%s refuses %j", (type, options, kind, words) => {
    expect(refusal(type, options)).toEqual([kind, words]);
  });

  test.each([
    ["json-file", { "labels-regex": "(" }, "invalid", "invalid value for labels-regex: "],
    ["journald", { tag: "{{.Name" }, "invalid", "invalid value for tag: template: "],
    ["syslog", { "syslog-tls-ca-cert": "/x" }, "unsupported", "Cannot log to a syslog server by TLS"],
    ["syslog", { "syslog-address": "tcp+tls://x" }, "unsupported", "Cannot log to tcp+tls://x"],
  ] as const)("%s refuses %j with a reason", (type, options, kind, words) => {
    expect(refusal(type, options)).toEqual([kind, expect.stringContaining(words)]);
  });

  test("are what the drivers that there are have", () => {
    expect(LOG_DRIVERS).toEqual(["journald", "json-file", "local", "syslog"]);
  });

  test("have Docker's defaults", () => {
    const config = (type: string, options: Options = {}) => ({ type, options });
    expect(rotation(config("json-file"))).toEqual({ maxFiles: 1, compress: false });
    expect(rotation(config("local"))).toEqual({ maxFiles: 5, maxBytes: 20 * 2 ** 20, compress: true });
    expect(rotation(config("local", { "max-file": "1" }))).toMatchObject({ maxFiles: 1, compress: false });
    expect(cacheRotation(config("syslog", { "cache-max-file": "2" }))).toMatchObject({ maxFiles: 2 });
    expect(cacheRotation(config("syslog", { "cache-disabled": "1" }))).toBeUndefined();
    expect(bufferBytes({})).toBe(2 ** 20);
    expect(bufferBytes({ "max-buffer-size": "64k" })).toBe(65536);
  });
});

describe("a syslog address", () => {
  test.each([
    ["", { kind: "local" }],
    ["udp://10.0.0.1", { kind: "udp", host: "10.0.0.1", port: 514 }],
    ["tcp://logs.example.com:6514", { kind: "tcp", host: "logs.example.com", port: 6514 }],
    ["tcp://[fd00::1]:5140", { kind: "tcp", host: "fd00::1", port: 5140 }],
    ["unix:///", { kind: "unix", path: "/" }],
    ["unixgram:///", { kind: "unix", path: "/" }],
  ])("%j", (text, expected) => {
    expect(parseSyslogAddress(text)).toEqual(expected as ReturnType<typeof parseSyslogAddress>);
  });

  test.each([
    ["10.0.0.1:514", /should be in form proto:\/\/address/],
    ["http://x", /should be in form proto:\/\/address/],
    ["tcp://x:0", /proto:\/\/host:port/],
    ["tcp://x:70000", /proto:\/\/host:port/],
    ["udp://a b", /proto:\/\/host:port/],
    ["udp://fd00::1", /proto:\/\/host:port/],
    ["unix:///no/such/socket", /stat \/no\/such\/socket: no such file or directory/],
    ["unix://relative", /stat relative: no such file or directory/],
  ])("%j is refused", (text, words) => {
    expect(() => parseSyslogAddress(text)).toThrow(words);
  });

  test("has its facility by name or number, and its format", () => {
    expect([syslogFacility(), syslogFacility("local0"), syslogFacility("7"), syslogFacility("23")]).toEqual([
      3, 16, 7, 23,
    ]);
    expect(() => syslogFacility("toString")).toThrow("invalid syslog facility");
    expect([syslogFormat(), syslogFormat("rfc5424micro")]).toEqual(["unix", "rfc5424micro"]);
    expect(() => syslogFormat("constructor")).toThrow("Invalid syslog format");
  });
});
