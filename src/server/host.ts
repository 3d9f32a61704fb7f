import { Fault } from "#errors";

/** Where to listen. An IPv6 address keeps its brackets. */
export type Host =
  | { readonly scheme: "unix"; readonly path: string }
  | { readonly scheme: "tcp"; readonly address: string; readonly port: number };

/** Reads `unix:///PATH` and `tcp://ADDRESS:PORT`; without an address all of the host's are meant. */
export function parseHost(text: string): Host {
  const [, scheme, rest = ""] = /^([a-z]+):\/\/(.*)$/.exec(text) ?? [];
  if (scheme === "unix") {
    if (rest.startsWith("/")) return { scheme, path: rest };
    throw new Fault("invalid", `Cannot listen on ${text}: the path must be absolute`);
  }
  const [, name = "", digits = ""] = /^(\[[0-9a-fA-F:.]+\]|[^:/]*):(\d{1,5})$/.exec(rest) ?? [];
  if (scheme === "tcp" && digits !== "" && Number(digits) <= 65535)
    return { scheme, address: name || "0.0.0.0", port: Number(digits) };
  throw new Fault("invalid", `Cannot listen on ${text}: expected unix:///PATH or tcp://ADDRESS:PORT`);
}
