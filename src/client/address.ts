import { Fault } from "#errors";

/** Where a daemon listens. */
export type Address =
  | { readonly kind: "unix"; readonly path: string; readonly text: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number; readonly text: string }
  | {
      readonly kind: "ssh";
      readonly user?: string;
      readonly host: string;
      readonly port?: number;
      /** Of the daemon's socket on that host, where it is not the usual one. */
      readonly path?: string;
      readonly text: string;
    };

export const DEFAULT_HOST = "unix:///run/bunker/bunker.sock";
const PORT_PLAIN = 2375;
const PORT_TLS = 2376;

/**
 * Reads an address as people type it: `ssh://user@host:port/path`, `unix:///path`, `tcp://host:port`, `http://host:port`, `host:port`, `host`.
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
  if (scheme === "ssh") return sshAddress(text.trim());
  throw new Fault(
    "unsupported",
    `Cannot use "${text}" as the daemon's address: bunker speaks unix://, tcp:// and ssh://`,
  );
}

/** What could be taken for an option of ssh is refused, and a password: everybody may read the words of a process. */
function sshAddress(text: string): Address {
  const refuse = (why: string) =>
    new Fault("invalid", `Cannot use "${text}" as the daemon's address: ${why}`);
  if (/^ssh:\/\/[^/@]*:[^/@]*@/.test(text))
    throw new Fault("invalid", "Cannot use the daemon's address: plain-text password is not supported");
  const [, user, bracketed, plain, digits, path = ""] =
    /^ssh:\/\/(?:([^/@:]+)@)?(?:\[([0-9a-f:.]+)\]|([^/@:?#]+))(?::(\d{1,5}))?(\/[^?#]*)?$/i.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined) throw refuse("it is not ssh://USER@HOST:PORT");
  if (host.startsWith("-") || user?.startsWith("-")) throw refuse("a name does not begin with a dash");
  const port = digits === undefined ? undefined : Number(digits);
  if (port !== undefined && (port < 1 || port > 65535)) throw refuse("it is not ssh://USER@HOST:PORT");
  return {
    ...{ kind: "ssh", host, text },
    ...(user === undefined ? {} : { user }),
    ...(port === undefined ? {} : { port }),
    ...(path === "" || path === "/" ? {} : { path }),
  };
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
