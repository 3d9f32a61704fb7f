import { posix } from "node:path";
import type { OwnerMap } from "#container";
import { didYouMean, Fault } from "#errors";
import { parseOwners } from "./owners.ts";

const ACCESS = ["ro", "rw"];
export const PROPAGATIONS = ["private", "rprivate", "shared", "rshared", "slave", "rslave"];
/** Labels that this engine does not keep, and words said for other systems' sake: accepted, without effect. */
const LABELS = ["z", "Z"];
const CONSISTENCIES = ["consistent", "cached", "delegated"];
const COPY = ["nocopy"];
/** Podman's: what is written does not reach the source. */
const OVERLAY = ["O"];
const WORDS = [...ACCESS, ...LABELS, ...PROPAGATIONS, ...COPY, ...OVERLAY, ...CONSISTENCIES, "idmap"];
const LONGEST_SAID = 512;

/** `source:destination[:options]`, taken apart. */
export interface Bind {
  /** A host path, a volume's name, or empty for an anonymous volume. */
  readonly source: string;
  readonly destination: string;
  readonly mode: Mode;
}

export interface Mode {
  readonly text: string;
  readonly isReadonly: boolean;
  /** Empty when none is named. */
  readonly propagation: string;
  readonly noCopy: boolean;
  readonly isOverlay: boolean;
  readonly owners?: OwnerMap;
}

/** Source: docker run reference, `--volume`. Throws `invalid` in Docker's words. */
export function parseBind(text: string): Bind {
  const parts = text.split(":");
  const [first = "", second, last = ""] = parts;
  if (first === "" || parts.length > 3 || (parts.length === 2 && isMode(second ?? ""))) throw badBind(text);
  const mode = parseMode(last);
  const isBind = second !== undefined && isHostPath(first);
  try {
    const field = isBind ? mode.noCopy && "VolumeOptions" : mode.propagation !== "" && "BindOptions";
    const destination = checkTarget(isBind ? "bind" : "volume", second ?? first);
    if (field) throw badMount(isBind ? "bind" : "volume", `field ${field} must not be specified`);
    if (mode.isOverlay) checkOverlay(isBind, first, mode);
    return { source: second === undefined ? "" : cleanSource(first), destination, mode };
  } catch (thrown) {
    if (thrown instanceof Fault) throw badBind(text, thrown);
    throw thrown;
  }
}

/** Its options go to the kernel as one text. */
function checkOverlay(isBind: boolean, source: string, { propagation, owners, isReadonly }: Mode): void {
  if (!isBind) throw badMount("volume", "an overlay (O) needs a folder of the host");
  if (/[,\\"]/.test(source))
    throw badMount("bind", "an overlay (O) cannot be over a path with a comma or a backslash");
  if (propagation !== "" || owners !== undefined || isReadonly)
    throw badMount("bind", "an overlay (O) is private and writable, and owners are as they are");
}

export function isHostPath(source: string): boolean {
  return source.startsWith("/");
}

/** Of a mount of that type: absolute, normalised and not the root. */
export function checkTarget(type: string, text: string): string {
  if (text === "") throw badMount(type, "field Target must not be empty");
  try {
    return checkDestination(text);
  } catch (thrown) {
    throw thrown instanceof Fault ? badMount(type, thrown.message) : thrown;
  }
}

/** An absolute path below the root, normalised. */
export function checkDestination(text: string): string {
  const path = clean(text);
  if (path === "/" || text.includes("\0"))
    throw new Fault("invalid", "invalid specification: destination can't be '/'");
  return checkAbsolute(text) && path;
}

export function checkAbsolute(text: string): true {
  if (isHostPath(text) && !text.includes("\0")) return true;
  throw new Fault(
    "invalid",
    `invalid mount path: '${text.slice(0, LONGEST_SAID)}' mount path must be absolute`,
  );
}

/** Without `.`, `..` and slashes that mean nothing. */
export function clean(path: string): string {
  return posix.normalize(path).replace(/(?<=.)\/+$/, "");
}

const cleanSource = (source: string) => (isHostPath(source) ? clean(source) : source);

/** What `--volumes-from` may say of all the mounts it takes over. Throws `invalid`. */
export function parseBorrowedMode(text: string): Mode {
  const mode = parseMode(text);
  const isOwn = mode.propagation !== "" || mode.noCopy || mode.isOverlay || mode.owners !== undefined;
  if (isOwn) throw badMode(text);
  return mode;
}

/** Each kind of option once at most. Throws `invalid` in Docker's words. */
export function parseMode(text: string): Mode {
  const words = text === "" ? [] : text.split(",");
  const idmaps = words.filter((word) => /^idmap(=|$)/.test(word));
  const kinds = [ACCESS, LABELS, PROPAGATIONS, COPY, OVERLAY, CONSISTENCIES].map((known) =>
    words.filter((word) => known.includes(word)),
  );
  const isKnown = [...kinds, idmaps].reduce((sum, { length }) => sum + length, 0) === words.length;
  if (!isKnown || [...kinds, idmaps].some(({ length }) => length > 1)) throw badMode(text);
  const [access, , propagation, copy, overlay] = kinds;
  return {
    text,
    isReadonly: access?.[0] === "ro",
    propagation: propagation?.[0] ?? "",
    noCopy: copy?.[0] !== undefined,
    isOverlay: overlay?.[0] !== undefined,
    ...(idmaps[0] !== undefined && { owners: parseOwners(idmaps[0]) }),
  };
}

function isMode(text: string): boolean {
  try {
    return parseMode(text) !== undefined;
  } catch {
    return false;
  }
}

/** Podman's word that is not had is told from misspellings. */
function badMode(text: string): Fault {
  const stranger = text.split(",").find((word) => !WORDS.includes(word)) ?? "";
  const said = `invalid mode: ${text.slice(0, LONGEST_SAID)}${didYouMean(stranger, WORDS)}`;
  if (!text.split(",").includes("U")) return new Fault("invalid", said);
  return new Fault("invalid", `${said}: owners of sources are not changed, see idmap for how they are seen`);
}

function badBind(text: string, why?: Fault): Fault {
  const said = `invalid volume specification: '${text.slice(0, LONGEST_SAID)}'`;
  return new Fault("invalid", why === undefined ? said : `${said}: ${why.message}`);
}

export function badMount(type: string, reason: string): Fault {
  return new Fault(
    "invalid",
    `invalid mount config for type ${JSON.stringify(type.slice(0, 40))}: ${reason}`,
  );
}
