import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { didYouMean, Fault, sentenceOf } from "#errors";
import { formatAddress, parseAddress } from "../addresses.ts";
import type { EtcdOptions } from "./etcd.ts";

const DEFAULT_PORT = 2379;
const DEFAULT_PREFIX = "bunker";
/** Docker's. */
const DEFAULT_TTL_SECONDS = 60;
const OPTIONS = ["discovery.ttl", "kv.cacertfile", "kv.certfile", "kv.keyfile", "kv.path"] as const;
const PREFIX = /^[A-Za-z0-9_.-]+(\/[A-Za-z0-9_.-]+)*$/;

/** As flags and file have it. Source: Docker's dockerd, `--cluster-store`, `--cluster-advertise`, `--cluster-store-opt`. */
export interface ClusterFlags {
  readonly store: string;
  readonly advertise: string;
  readonly options: Readonly<Record<string, string>>;
}

export interface ClusterSettings {
  readonly etcd: EtcdOptions;
  /** All keys are below it; ends with a slash. */
  readonly prefix: string;
  /** Where other hosts send their frames to. */
  readonly address: string;
  readonly ttlSeconds: number;
}

/** Throws `invalid` naming the flag. */
export function readClusterSettings(flags: ClusterFlags): ClusterSettings {
  const unknown = Object.keys(flags.options).find((key) => !OPTIONS.some((known) => known === key));
  if (unknown !== undefined)
    throw new Fault(
      "invalid",
      `Cannot use --cluster-store-opt ${unknown}: it is not known; there are ${OPTIONS.join(", ")}${didYouMean(unknown, OPTIONS)}`,
    );
  const tls = readTls(flags.options);
  const { hosts, path } = parseStore(flags.store);
  const prefix = flags.options["kv.path"]?.replace(/^\/|\/$/g, "") || path || DEFAULT_PREFIX;
  if (!PREFIX.test(prefix))
    throw new Fault(
      "invalid",
      `Cannot use ${prefix} as the cluster store's path: letters, digits, dots and dashes make one`,
    );
  return {
    etcd: {
      endpoints: hosts.map((host) => `${tls === undefined ? "http" : "https"}://${host}`),
      ...(tls !== undefined && { tls }),
    },
    prefix: `/${prefix}/`,
    address: parseAdvertise(flags.advertise),
    ttlSeconds: parseTtl(flags.options["discovery.ttl"]),
  };
}

function parseStore(text: string): { hosts: string[]; path: string } {
  const match = /^etcd:\/\/([^/]+)\/?(.*)$/.exec(text);
  if (match === null)
    throw new Fault(
      "invalid",
      `Cannot use --cluster-store ${text}: write etcd://HOST:PORT[,HOST:PORT][/PATH]`,
    );
  const [, list = "", path = ""] = match;
  return { hosts: list.split(",").map((host) => hostOf(host, text)), path: path.replace(/\/$/, "") };
}

function hostOf(host: string, text: string): string {
  const url = URL.canParse(`http://${host}`) ? new URL(`http://${host}`) : undefined;
  if (url === undefined || url.hostname === "" || url.username !== "" || url.search !== "" || url.hash !== "")
    throw new Fault("invalid", `Cannot use --cluster-store ${text}: "${host}" is not a host with a port`);
  // A URL drops port 80, its own default.
  const port = url.port || (host.endsWith(":80") ? "80" : String(DEFAULT_PORT));
  return `${url.hostname}:${port}`;
}

function readTls(options: Readonly<Record<string, string>>): EtcdOptions["tls"] {
  const read = (name: string): string | undefined => {
    const path = options[name];
    if (path === undefined) return undefined;
    try {
      return readFileSync(path, "utf8");
    } catch (cause) {
      throw new Fault("invalid", `Cannot read --cluster-store-opt ${name}=${path}: ${sentenceOf(cause)}`, {
        cause,
      });
    }
  };
  const [ca, cert, key] = [read("kv.cacertfile"), read("kv.certfile"), read("kv.keyfile")];
  if ((cert === undefined) !== (key === undefined))
    throw new Fault(
      "invalid",
      "Cannot use a certificate for the cluster store: kv.certfile and kv.keyfile go together",
    );
  if (ca === undefined && cert === undefined) return undefined;
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  };
}

function parseTtl(text: string | undefined): number {
  if (text === undefined) return DEFAULT_TTL_SECONDS;
  const seconds = Number(text);
  if (/^\d+$/.test(text) && seconds >= 2 && seconds <= 86_400) return seconds;
  throw new Fault(
    "invalid",
    `Cannot use --cluster-store-opt discovery.ttl=${text}: it is 2 to 86400 seconds`,
  );
}

/** `10.0.0.1`, `10.0.0.1:2376`, `[fd00::1]:2376`, `eth0`, `eth0:2376`; the port is Docker's and stands for nothing here. */
export function parseAdvertise(text: string, interfaces = networkInterfaces()): string {
  const bare = /^\[(.*)\](:\d+)?$/.exec(text)?.[1] ?? text;
  const whole = parseAddress(bare);
  if (whole !== undefined) return usable(formatAddress(whole), text);
  const head = bare.replace(/:\d+$/, "");
  const address = parseAddress(head);
  if (address !== undefined) return usable(formatAddress(address), text);
  const of = (interfaces[head] ?? []).filter(({ address: one }) => !one.startsWith("fe80:"));
  const chosen = of.find(({ family }) => family === "IPv4") ?? of[0];
  if (chosen === undefined)
    throw new Fault(
      "invalid",
      text === ""
        ? "Cannot use a cluster store without --cluster-advertise: other hosts must know the address of this one; give ADDRESS or INTERFACE"
        : `Cannot use --cluster-advertise ${text}: it is neither an address nor an interface with one`,
    );
  return chosen.address;
}

function usable(address: string, text: string): string {
  const isUseless = /^(0\.|127\.|22[4-9]\.|23\d\.|255\.|::1?$|fe80:|ff)/.test(address);
  if (!isUseless) return address;
  throw new Fault(
    "invalid",
    `Cannot use --cluster-advertise ${text}: no other host can reach this one there`,
  );
}
