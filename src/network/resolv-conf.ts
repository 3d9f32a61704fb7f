import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { contains, parseAddress, parsePrefix } from "./addresses.ts";
import type { FileFacts } from "./files.ts";
import type { SandboxRequest } from "./types.ts";

const RESOLV_CONF = "/etc/resolv.conf";
/** Where systemd-resolved lists the servers behind its stub. */
const RESOLVED_CONF = "/run/systemd/resolve/resolv.conf";
export const FALLBACK_SERVERS = ["8.8.8.8", "8.8.4.4"];
/** Of a container's files: the daemon's memory is not theirs to fill. */
const MAX_FILE_BYTES = 1024 * 1024;
const LOOPBACK_V4 = parsePrefix("127.0.0.0/8")?.subnet;
/** The last line of a file as we wrote it: of one that does not end so, somebody has made it theirs. */
const SEAL = /^# sum ([0-9a-f]{16})\n$/;

/** Empty when there is none. */
export function readHostResolvConf(): string {
  return readText(RESOLV_CONF);
}

/** The host's own, or, where that only names systemd-resolved's stub, the servers behind it. */
export function hostResolvConf(isHostMode: boolean): string {
  const text = readHostResolvConf();
  const { servers } = parseResolvConf(text);
  const isStub = !isHostMode && servers.length === 1 && servers[0] === "127.0.0.53";
  return (isStub && readText(RESOLVED_CONF)) || text;
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

export function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** As readText, of a file that a container may write to: undefined when it has made more of it than is ever read. */
export function readBounded(path: string): string | undefined {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  return size > MAX_FILE_BYTES ? undefined : readText(path);
}

/** The text with a line that tells later whether anybody has changed it. */
export function seal(text: string): string {
  return `${text}# sum ${sumOf(text)}\n`;
}

/** Whether somebody else has written in it since it was sealed. What is empty or missing is nobody's. */
export function isEdited(text: string | undefined): boolean {
  if (text === undefined) return true;
  if (text === "") return false;
  const at = text.lastIndexOf("# sum ");
  const [, sum] = SEAL.exec(text.slice(Math.max(0, at))) ?? [];
  return at < 0 || sum !== sumOf(text.slice(0, at));
}

function sumOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
