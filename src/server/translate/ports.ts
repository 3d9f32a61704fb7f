import { didYouMean, Fault } from "#errors";

const PROTOCOLS = new Set(["tcp", "udp", "sctp"]);

type PortMap = Readonly<Record<string, readonly { readonly HostIp: string; readonly HostPort: string }[]>>;

/** `80`, `80/tcp`, `80-82/UDP` into `80/tcp`, one for each port. Throws `invalid` in Docker's words. */
export function parsePorts(text: string): readonly string[] {
  const [range = "", protocol = "tcp", ...more] = text.split("/");
  const proto = protocol.toLowerCase() || "tcp";
  if (more.length > 0 || !PROTOCOLS.has(proto))
    throw invalidPort(text, `invalid proto: ${protocol}${didYouMean(protocol, PROTOCOLS)}`);
  const [first, last] = parseRange(range, text);
  if (first === 0) throw invalidPort(text, "port 0 is out of range");
  return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}/${proto}`);
}

export function toExposedPorts(keys: readonly string[]): readonly string[] {
  return [...new Set(keys.flatMap(parsePorts))];
}

/** Docker's map with normal keys; each host port is checked, and kept as it was given. */
export function toPortBindings(map: PortMap) {
  const bindings: Record<string, { hostIp: string; hostPort: string }[]> = {};
  for (const [key, wanted] of Object.entries(map))
    for (const port of parsePorts(key)) {
      const known = bindings[port] ?? [];
      bindings[port] = [...known, ...wanted.map(({ HostIp, HostPort }) => toBinding(HostIp, HostPort))];
    }
  return bindings;
}

function toBinding(hostIp: string, hostPort: string): { hostIp: string; hostPort: string } {
  if (hostPort !== "") parseRange(hostPort, hostPort);
  if (
    hostIp !== "" &&
    !/^(?:\d{1,3}(?:\.\d{1,3}){3}|\[?[0-9a-fA-F:.]*:[0-9a-fA-F:.]*(?:%\w+)?\]?)$/.test(hostIp)
  )
    throw new Fault("invalid", `Invalid IP address in the port bindings: "${hostIp.slice(0, 100)}"`);
  return { hostIp: hostIp.replace(/^\[|\]$/g, ""), hostPort };
}

function parseRange(range: string, whole: string): readonly [number, number] {
  const [, from, to = from] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(range) ?? [];
  const [first, last] = [Number(from), Number(to)];
  if (from === undefined || first > 65535 || last > 65535 || last < first)
    throw invalidPort(whole, `invalid range "${range.slice(0, 100)}"`);
  return [first, last];
}

function invalidPort(text: string, reason: string): Fault {
  return new Fault("invalid", `Invalid port specification: "${text.slice(0, 100)}": ${reason}`);
}
