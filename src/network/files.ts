import { closeSync, ftruncateSync, openSync, renameSync, writeFileSync, writeSync } from "node:fs";
import { hostname as hostHostname } from "node:os";
import { Fault } from "#errors";
import { parseAddress } from "./addresses.ts";
import { renderEmbeddedResolvConf } from "./dns/resolv-conf.ts";
import type { Upstream } from "./dns/upstream.ts";
import {
  hostResolvConf,
  isEdited,
  readBounded,
  readHostResolvConf,
  readText,
  renderResolvConf,
  seal,
} from "./resolv-conf.ts";
import type { LinkedHost, SandboxRequest } from "./types.ts";

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
  /** Whom our own server asks; absent for a container that asks servers itself. */
  readonly embedded?: readonly Upstream[];
}

const LOCALHOST_LINES = [
  "127.0.0.1\tlocalhost",
  "::1\tlocalhost ip6-localhost ip6-loopback",
  "fe00::\tip6-localnet",
  "ff00::\tip6-mcastprefix",
  "ff02::1\tip6-allnodes",
  "ff02::2\tip6-allrouters",
];

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
  replace(files.hosts, renderHosts(request, facts, readText("/etc/hosts")));
  replace(files.hostname, `${hostname}\n`);
  // Somebody who changed it wants it so.
  if (!isEdited(readBounded(files.resolvConf))) replace(files.resolvConf, resolvConfOf(request, facts));
  return files;
}

/** For a container that runs and has come to, or off, a network. */
export function refreshResolvConf(
  request: Pick<SandboxRequest, "directory" | "dns" | "dnsSearch" | "dnsOptions">,
  facts: Pick<FileFacts, "isHostMode" | "hasIpv6" | "embedded">,
): void {
  const { resolvConf } = filesIn(request.directory);
  if (!isEdited(readBounded(resolvConf))) overwrite(resolvConf, resolvConfOf(request, facts));
}

function resolvConfOf(
  request: Pick<SandboxRequest, "dns" | "dnsSearch" | "dnsOptions">,
  facts: Pick<FileFacts, "isHostMode" | "hasIpv6" | "embedded">,
): string {
  if (facts.embedded !== undefined)
    return seal(renderEmbeddedResolvConf(request, facts.embedded, readHostResolvConf()));
  return seal(renderResolvConf(request, facts, hostResolvConf(facts.isHostMode)));
}

function replace(path: string, text: string): void {
  const aside = `${path}.new`;
  writeFileSync(aside, text, { mode: 0o644 });
  renameSync(aside, path);
}

/** In place: a container that runs has this very file mounted. Readers see the old text, the new, or a mix for a moment. */
function overwrite(path: string, text: string): void {
  const descriptor = openSync(path, "r+");
  try {
    const length = writeSync(descriptor, text, 0);
    ftruncateSync(descriptor, length);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * In the hosts file of a container that runs: a linked container has another address now. The rest stays as it is, and
 * all of a file that has become too long for one.
 */
export function moveLinkedHost(directory: string, { address, names }: LinkedHost): void {
  const { hosts } = filesIn(directory);
  const line = linkedLine({ address, names });
  const text = readBounded(hosts);
  if (text === undefined) return;
  const moved = text.split("\n").map((old) => (isLineOf(old, names) ? line : old));
  if (moved.join("\n") !== text) overwrite(hosts, moved.join("\n"));
}

const linkedLine = ({ address, names }: LinkedHost): string => `${address}\t${names.join(" ")}`;

function isLineOf(line: string, names: readonly string[]): boolean {
  return line.slice(line.indexOf("\t") + 1) === names.join(" ") && line.includes("\t");
}

/**
 * In the hosts file of a container that runs: its own lines come and go with its endpoints, and what else somebody
 * wrote there stays; so does all of a file that has become too long for one.
 */
export function changeOwnHosts(
  request: Pick<SandboxRequest, "directory" | "domainname" | "hostname">,
  change: { readonly add?: readonly string[]; readonly remove?: readonly string[] },
): void {
  const { hosts } = filesIn(request.directory);
  const gone = new Set((change.remove ?? []).map((address) => ownLine(request, address)));
  const text = readBounded(hosts);
  if (text === undefined) return;
  const kept = text
    .replace(/\n$/, "")
    .split("\n")
    .filter((line) => !gone.has(line));
  const added = (change.add ?? []).map((address) => ownLine(request, address));
  overwrite(hosts, `${[...kept, ...added].join("\n")}\n`);
}

function ownLine(
  { hostname, domainname }: Pick<SandboxRequest, "domainname" | "hostname">,
  address: string,
): string {
  const names = [...(domainname ? [`${hostname}.${domainname}`] : []), hostname];
  return `${address}\t${names.join(" ")}`;
}

/** Format: hosts(5), in Docker's order: localhost, what was asked for, the container itself. */
export function renderHosts(
  request: Pick<SandboxRequest, "hostname" | "domainname" | "extraHosts" | "linkedHosts">,
  facts: Pick<FileFacts, "addresses" | "hostGateway" | "isHostMode">,
  hostFile: string,
): string {
  const base = facts.isHostMode ? hostFile.split("\n").filter((line) => line !== "") : LOCALHOST_LINES;
  const lines = [
    ...base,
    ...request.extraHosts.map((entry) => extraHostLine(entry, facts.hostGateway)),
    ...(request.linkedHosts ?? []).map(linkedLine),
    ...facts.addresses.map((address) => ownLine(request, address)),
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
