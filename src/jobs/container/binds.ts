import { posix } from "node:path";
import { Fault } from "#errors";

const PROPAGATIONS = ["private", "rprivate", "shared", "rshared", "slave", "rslave"];
/** Said for other systems' sake, or of labels that this kernel does not keep: accepted, without effect. */
const IGNORED = ["z", "Z", "cached", "delegated", "consistent"];

/** `source:destination[:options]`, taken apart. */
export interface Bind {
  /** A host path, a volume's name, or empty for an anonymous volume. */
  readonly source: string;
  readonly destination: string;
  readonly mode: string;
  readonly isReadonly: boolean;
  readonly isRecursiveReadonly: boolean;
  readonly propagation: string;
  readonly noCopy: boolean;
}

/** Source: docker run reference, `--volume`. Throws `invalid` in Docker's words. */
export function parseBind(text: string): Bind {
  const parts = text.split(":");
  const [first = "", second, mode = ""] = parts;
  if (first === "" || parts.length > 3 || second === "")
    throw new Fault("invalid", `invalid volume specification: '${text.slice(0, 512)}'`);
  const source = second === undefined ? "" : first;
  const destination = checkDestination(second ?? first);
  return { source: cleanSource(source), destination, ...parseMode(mode, isHostPath(source)) };
}

export function isHostPath(source: string): boolean {
  return source.startsWith("/");
}

/** An absolute path below the root, normalised. */
export function checkDestination(text: string): string {
  if (!text.startsWith("/"))
    throw new Fault("invalid", `invalid mount path: '${text.slice(0, 512)}' mount path must be absolute`);
  const path = posix.normalize(text).replace(/(?<=.)\/+$/, "");
  if (path === "/" || text.includes("\0"))
    throw new Fault("invalid", `invalid specification: destination can't be '/': '${text.slice(0, 512)}'`);
  return path;
}

function cleanSource(source: string): string {
  return isHostPath(source) ? posix.normalize(source).replace(/(?<=.)\/+$/, "") : source;
}

/** Each kind of option once at most. */
export function parseMode(mode: string, isBind: boolean): Omit<Bind, "source" | "destination"> {
  const words = mode === "" ? [] : mode.split(",");
  const access = words.filter((word) => ["ro", "rw", "rro"].includes(word));
  const propagation = words.filter((word) => PROPAGATIONS.includes(word));
  const noCopy = words.filter((word) => word === "nocopy");
  const ignored = words.filter((word) => IGNORED.includes(word));
  const isKnown = access.length + propagation.length + noCopy.length + ignored.length === words.length;
  const isOnce = access.length <= 1 && propagation.length <= 1 && noCopy.length <= 1;
  const suits = isBind ? noCopy.length === 0 : propagation.length === 0;
  if (!isKnown || !isOnce || !suits) throw new Fault("invalid", `invalid mode: ${mode.slice(0, 200)}`);
  return {
    mode,
    isReadonly: access[0] === "ro" || access[0] === "rro",
    isRecursiveReadonly: access[0] === "rro",
    propagation: propagation[0] ?? "",
    noCopy: noCopy.length > 0,
  };
}
