import { Fault } from "#errors";

/** Where a daemon listens. */
export type Address =
  | { readonly kind: "unix"; readonly path: string; readonly text: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number; readonly text: string };

export const DEFAULT_HOST = "unix:///run/bunker/bunker.sock";
const PORT_PLAIN = 2375;
const PORT_TLS = 2376;

/**
 * Reads an address as people type it: `unix:///path`, `tcp://host:port`, `http://host:port`, `host:port`, `host`.
 * A host without a scheme means tcp; without a port it means 2375, or 2376 with TLS.
 * @throws Fault `invalid` when it is none of these, `unsupported` for a scheme that bunker does not speak
 */
export function parseAddress(text: string, isTls = false): Address {
  const [, scheme = "tcp", rest = ""] = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(.*)$/i.exec(text.trim()) ?? [];
  if (scheme === "unix") return { kind: "unix", path: unixPath(text, rest), text: `unix://${rest}` };
  if (scheme === "tcp" || scheme === "http" || scheme === "https") {
    const port = isTls || scheme === "https" ? PORT_TLS : PORT_PLAIN;
    return tcpAddress(text, rest, port);
  }
  throw new Fault(
    "unsupported",
    `Cannot use "${text}" as the daemon's address: bunker speaks unix:// and tcp://`,
  );
}

function unixPath(text: string, path: string): string {
  if (path.startsWith("/")) return path;
  throw new Fault("invalid", `Cannot use "${text}" as the daemon's address: a socket needs an absolute path`);
}

function tcpAddress(text: string, rest: string, fallback: number): Address {
  const [place = ""] = rest.split("/");
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-f:.]+)\]|([^:]*))(?::(\d{1,5}))?$/i.exec(place) ?? [];
  const host = bracketed ?? plain;
  const port = digits === undefined ? fallback : Number(digits);
  if (host === undefined || port > 65535)
    throw new Fault("invalid", `Cannot use "${text}" as the daemon's address: it is not host:port`);
  const name = host === "" ? "127.0.0.1" : host;
  return { kind: "tcp", host: name, port, text: `tcp://${bracketed ? `[${name}]` : name}:${port}` };
}

/** The address that the environment asks for, or the default. */
export function hostFromEnvironment(env: Readonly<Record<string, string | undefined>>): string {
  return env.BUNKER_HOST || env.DOCKER_HOST || DEFAULT_HOST;
}
