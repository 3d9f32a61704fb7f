import { Fault } from "#errors";

/** One copy between a container and this machine. */
export interface Copy {
  readonly container: string;
  /** The path in the container. */
  readonly inside: string;
  /** The path on this machine, or `-` for standard input or output. */
  readonly outside: string;
  readonly isInward: boolean;
  /** Owners go along. */
  readonly isArchive: boolean;
  readonly followsLink: boolean;
  readonly isQuiet: boolean;
}

/** Which of the two words names a container. Throws `invalid` in Docker's words when none or both do. */
export function directionOf(
  source: string,
  target: string,
): Pick<Copy, "container" | "inside" | "outside" | "isInward"> {
  if (source === "") throw new Fault("invalid", "source can not be empty");
  if (target === "") throw new Fault("invalid", "destination can not be empty");
  const [from, to] = [split(source), split(target)];
  if (from !== undefined && to !== undefined)
    throw new Fault("unsupported", "copying between containers is not supported");
  if (from !== undefined) return { ...from, outside: target, isInward: false };
  if (to !== undefined) return { ...to, outside: source, isInward: true };
  throw new Fault("invalid", "must specify at least one container source");
}

/** `container:path`; a path that begins with `/` or `.` is this machine's, colon or not. */
function split(word: string): { readonly container: string; readonly inside: string } | undefined {
  const colon = word.indexOf(":");
  if (colon <= 0 || word.startsWith("/") || word.startsWith(".")) return undefined;
  return { container: word.slice(0, colon), inside: word.slice(colon + 1) };
}
