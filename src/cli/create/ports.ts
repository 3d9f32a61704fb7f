import type { PortBinding } from "#client";
import { didYouMean, Fault } from "#errors";
import { isAddress } from "./values.ts";

type Ports = Record<string, PortBinding[]>;

interface Range {
  readonly first: number;
  readonly last: number;
}

const PROTOCOLS = ["tcp", "udp", "sctp"];

/**
 * Reads `--publish` in all its forms: `80`, `8020:80`, `127.0.0.1::80/udp`, `[::1]:8020:80`, `8000-8010:80-90`, `8000-8010:80`
 * and `target=80,published=8020,protocol=tcp`.
 * @returns bindings by container port (`80/tcp`)
 * @throws Fault `invalid` with docker's wording
 */
export function publishedPorts(specs: readonly string[]): Ports {
  const ports: Ports = {};
  for (const spec of specs) publish(ports, spec.includes("=") ? shortForm(spec) : spec);
  return ports;
}

function publish(ports: Ports, spec: string): void {
  const [whole = "", protocol = "tcp"] = spec.split("/");
  const parts = whole.split(":");
  const containerText = parts.pop() ?? "";
  const hostText = parts.pop() ?? "";
  const ip = parts.join(":").replace(/^\[(.*)\]$/, "$1");
  if (ip !== "" && !isAddress(ip)) throw new Fault("invalid", `invalid IP address: ${ip}`);
  if (containerText === "") throw new Fault("invalid", `no port specified: ${spec}<empty>`);
  const container = rangeOf(containerText, "containerPort");
  const host = hostText === "" ? undefined : rangeOf(hostText, "hostPort");
  const count = container.last - container.first;
  if (host !== undefined && host.last - host.first !== count && count !== 0)
    throw new Fault(
      "invalid",
      `invalid ranges specified for container and host Ports: ${containerText} and ${hostText}`,
    );
  if (!PROTOCOLS.includes(protocol.toLowerCase()))
    throw new Fault("invalid", `invalid proto: ${protocol}${didYouMean(protocol, PROTOCOLS)}`);
  for (let at = 0; at <= count; at++) {
    const port = `${container.first + at}/${protocol.toLowerCase()}`;
    ports[port] ??= [];
    ports[port].push({ HostIp: ip, HostPort: hostPort(host, { at, count }) });
  }
}

/** One container port may be given a range of host ports, of which the daemon picks a free one. */
function hostPort(host: Range | undefined, { at, count }: { at: number; count: number }): string {
  if (host === undefined) return "";
  if (count === 0 && host.last > host.first) return `${host.first}-${host.last}`;
  return String(host.first + at);
}

function rangeOf(text: string, what: string): Range {
  const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? [];
  const range = { first: Number(first), last: Number(last) };
  const isRange = first !== undefined && range.last <= 65535 && range.first <= range.last;
  if (!isRange) throw new Fault("invalid", `invalid ${what}: ${text}`);
  return range;
}

function shortForm(spec: string): string {
  const values: Record<string, string> = { target: "", published: "", protocol: "tcp", mode: "" };
  for (const field of spec.split(",")) {
    const [, key = "", value = ""] = /^([^=]*)=(.*)$/.exec(field) ?? [];
    if (!Object.hasOwn(values, key) || value === "")
      throw new Fault("invalid", `invalid publish opts format (should be name=value but got '${field}')`);
    values[key] = value;
  }
  return `${values.published === "" ? "" : `${values.published}:`}${values.target}/${values.protocol}`;
}

/** Reads `--expose`: `80`, `3000-3005/udp`. */
export function exposedPorts(specs: readonly string[]): string[] {
  return specs.flatMap((spec) => {
    if (spec.includes(":")) throw new Fault("invalid", `invalid port format for --expose: ${spec}`);
    const [text = "", protocol = "tcp"] = spec.split("/");
    const bad = text.split("-").find((part) => !/^\d{1,5}$/.test(part) || Number(part) > 65535);
    if (bad !== undefined)
      throw new Fault(
        "invalid",
        `invalid range format for --expose: ${text}, error: strconv.ParseUint: parsing ${JSON.stringify(bad)}: ${/^\d+$/.test(bad) ? "value out of range" : "invalid syntax"}`,
      );
    const { first, last } = rangeOf(text, "range format for --expose");
    return Array.from({ length: last - first + 1 }, (_, at) => `${first + at}/${protocol}`);
  });
}
