import { isIP } from "node:net";
import type { Container } from "#container";
import { Fault } from "#errors";
import type { PortRequest } from "#network";

type Protocol = PortRequest["protocol"];
interface Range {
  readonly first: number;
  readonly last: number;
}

const PROTOCOLS: readonly string[] = ["tcp", "udp", "sctp"];
const HIGHEST_PORT = 65535;

/**
 * The ports to be published when the container starts: the bindings as given, and, with publish-all, each
 * exposed port that has none. Throws `invalid` for what is no port.
 */
export function portRequests(container: Pick<Container, "spec" | "effective">): readonly PortRequest[] {
  const { portBindings, publishAllPorts } = container.spec.host;
  const bound = Object.entries(portBindings).flatMap(([key, bindings]) =>
    (bindings.length === 0 ? [{ hostIp: "", hostPort: "" }] : bindings).flatMap((binding) =>
      bindingRequests(key, binding),
    ),
  );
  if (!publishAllPorts) return bound;
  const isBound = ({ containerPort, protocol }: PortRequest) =>
    bound.some((one) => one.containerPort === containerPort && one.protocol === protocol);
  const exposed = container.effective.exposedPorts.flatMap((key) =>
    bindingRequests(key, { hostIp: "", hostPort: "" }),
  );
  return [...bound, ...exposed.filter((request) => !isBound(request))];
}

function bindingRequests(
  key: string,
  { hostIp, hostPort }: { readonly hostIp: string; readonly hostPort: string },
): readonly PortRequest[] {
  const { range, protocol } = parsePortKey(key);
  const address = hostIp.replace(/^\[(.*)\]$/, "$1");
  if (address !== "" && isIP(address) === 0)
    throw new Fault("invalid", `invalid IP address: "${hostIp.slice(0, 100)}" in the binding of port ${key}`);
  const host = hostPort === "" ? { first: 0, last: 0 } : parseRange(hostPort, hostPort);
  const count = range.last - range.first + 1;
  const isParallel = count > 1 && host.first !== 0;
  if (isParallel && host.last - host.first + 1 !== count)
    throw new Fault(
      "invalid",
      `invalid ranges specified for container and host Ports: ${key} and ${hostPort}`,
    );
  return Array.from({ length: count }, (_, index) => ({
    containerPort: range.first + index,
    protocol,
    hostAddress: address,
    hostPort: isParallel ? host.first + index : host.first,
    hostPortEnd: isParallel ? host.first + index : host.last,
  }));
}

/** `80`, `80/tcp`, `8000-8010/udp`. Throws `invalid`. */
export function parsePortKey(key: string): { readonly range: Range; readonly protocol: Protocol } {
  const [ports = "", protocol = "tcp", ...rest] = key.split("/");
  const name = protocol.toLowerCase();
  if (rest.length > 0 || !PROTOCOLS.includes(name))
    throw new Fault("invalid", `invalid proto: ${protocol.slice(0, 40)} in the port "${key.slice(0, 80)}"`);
  return { range: parseRange(ports, key), protocol: name as Protocol };
}

function parseRange(text: string, whole: string): Range {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  const first = Number(match?.[1] ?? Number.NaN);
  const last = Number(match?.[2] ?? first);
  if (match === null || first > last || last > HIGHEST_PORT)
    throw new Fault("invalid", `invalid port specification: "${whole.slice(0, 80)}"`);
  return { first, last };
}
