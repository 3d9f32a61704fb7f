import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { hostname as hostHostname } from "node:os";
import { Fault } from "#errors";
import { contains, parseAddress, parsePrefix } from "./addresses.ts";
import type { SandboxRequest } from "./driver.ts";

export interface NetworkFiles {
  readonly hosts: string;
  readonly hostname: string;
  readonly resolvConf: string;
}

/** What the files of one container say beside its request. */
export interface FileFacts {
  /** Its own addresses; none for host mode and for none. */
  readonly addresses: readonly string[];
  /** What `host-gateway` stands for. */
  readonly hostGateway: string;
  readonly isHostMode: boolean;
  readonly hasIpv6: boolean;
}

const RESOLV_CONF = "/etc/resolv.conf";
/** Where systemd-resolved lists the servers behind its stub. */
const RESOLVED_CONF = "/run/systemd/resolve/resolv.conf";
const FALLBACK_SERVERS = ["8.8.8.8", "8.8.4.4"];
const LOCALHOST_LINES = [
  "127.0.0.1\tlocalhost",
  "::1\tlocalhost ip6-localhost ip6-loopback",
  "fe00::\tip6-localnet",
  "ff00::\tip6-mcastprefix",
  "ff02::1\tip6-allnodes",
  "ff02::2\tip6-allrouters",
];
const LOOPBACK_V4 = parsePrefix("127.0.0.0/8")?.subnet;

export function filesIn(directory: string): NetworkFiles {
  return {
    hosts: `${directory}/hosts`,
    hostname: `${directory}/hostname`,
    resolvConf: `${directory}/resolv.conf`,
  };
}

/** Writes the three files, each whole; they are made again at the next start, so a power cut may take them. */
export function writeFiles(request: SandboxRequest, facts: FileFacts): NetworkFiles {
  const files = filesIn(request.directory);
  const hostname = facts.isHostMode ? request.hostname || hostHostname() : request.hostname;
  replace(files.hosts, renderHosts(request, facts, read("/etc/hosts")));
  replace(files.hostname, `${hostname}\n`);
  replace(files.resolvConf, renderResolvConf(request, facts, hostResolvConf(facts.isHostMode)));
  return files;
}

function replace(path: string, text: string): void {
  const aside = `${path}.new`;
  writeFileSync(aside, text, { mode: 0o644 });
  renameSync(aside, path);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** Format: hosts(5), in Docker's order: localhost, what was asked for, the container itself. */
export function renderHosts(
  request: Pick<SandboxRequest, "hostname" | "domainname" | "extraHosts">,
  facts: Pick<FileFacts, "addresses" | "hostGateway" | "isHostMode">,
  hostFile: string,
): string {
  const names = [
    ...(request.domainname ? [`${request.hostname}.${request.domainname}`] : []),
    request.hostname,
  ];
  const base = facts.isHostMode ? hostFile.split("\n").filter((line) => line !== "") : LOCALHOST_LINES;
  const lines = [
    ...base,
    ...request.extraHosts.map((entry) => extraHostLine(entry, facts.hostGateway)),
    ...facts.addresses.map((address) => `${address}\t${names.join(" ")}`),
  ];
  return `${lines.join("\n")}\n`;
}

/** `name:address` or `name=address`. */
function extraHostLine(entry: string, hostGateway: string): string {
  const [, name = "", written = ""] = /^([^:=]+)[:=](.*)$/.exec(entry) ?? [];
  const address = written === "host-gateway" ? hostGateway : written.replace(/^\[(.*)\]$/, "$1");
  if (written === "host-gateway" && address === "")
    throw new Fault(
      "unsupported",
      `Cannot add the host ${entry}: this network has no gateway, so host-gateway stands for nothing here`,
    );
  if (name === "" || /[\s#]/.test(name) || parseAddress(address) === undefined)
    throw new Fault("invalid", `Cannot add the host ${entry}: it must be NAME:ADDRESS`);
  return `${address}\t${name}`;
}

/** Empty when there is none. */
export function readHostResolvConf(): string {
  return read(RESOLV_CONF);
}

/** The host's own, or, where that only names systemd-resolved's stub, the servers behind it. */
function hostResolvConf(isHostMode: boolean): string {
  const text = readHostResolvConf();
  const { servers } = parseResolvConf(text);
  const isStub = !isHostMode && servers.length === 1 && servers[0] === "127.0.0.53";
  return (isStub && read(RESOLVED_CONF)) || text;
}

export interface ResolvConf {
  readonly servers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
}

/** Source: resolv.conf(5): of several search or domain lines the last one counts, options add up. */
export function parseResolvConf(text: string): ResolvConf {
  const servers: string[] = [];
  const options: string[] = [];
  let search: string[] = [];
  for (const line of text.split("\n")) {
    const [key = "", ...values] = line
      .replace(/[#;].*$/, "")
      .trim()
      .split(/\s+/);
    if (key === "nameserver" && values[0] !== undefined) servers.push(values[0]);
    else if (key === "search" || key === "domain") search = values;
    else if (key === "options") options.push(...values);
  }
  return { servers, search, options };
}

export function renderResolvConf(
  request: Pick<SandboxRequest, "dns" | "dnsSearch" | "dnsOptions">,
  facts: Pick<FileFacts, "isHostMode" | "hasIpv6">,
  hostFile: string,
): string {
  const host = parseResolvConf(hostFile);
  const asked = [request.dns, request.dnsSearch, request.dnsOptions];
  if (facts.isHostMode && asked.every((list) => list.length === 0)) return hostFile;
  const inherited = facts.isHostMode ? host.servers : reachable(host.servers, facts.hasIpv6);
  const servers = request.dns.length > 0 ? request.dns : inherited;
  const search = request.dnsSearch.length > 0 ? request.dnsSearch : host.search;
  const options = request.dnsOptions.length > 0 ? request.dnsOptions : host.options;
  const lines = servers.map((server) => `nameserver ${server}`);
  // A lone dot is how a user asks for no search list at all.
  if (search.length > 0 && search.join() !== ".") lines.push(`search ${search.join(" ")}`);
  if (options.length > 0) lines.push(`options ${options.join(" ")}`);
  return `${lines.join("\n")}\n`;
}

/** The servers a container can reach: none on the host's loopback, IPv6 ones only with IPv6. */
function reachable(servers: readonly string[], hasIpv6: boolean): readonly string[] {
  const kept = servers.filter((server) => {
    const address = parseAddress(server.replace(/%.*$/, ""));
    if (address === undefined) return false;
    if (address.family === 6) return hasIpv6 && address.value !== 1n && !server.includes("%");
    return LOOPBACK_V4 !== undefined && !contains(LOOPBACK_V4, address);
  });
  return kept.length > 0 ? kept : FALLBACK_SERVERS;
}
