import { Fault } from "#errors";
import { fs } from "../lazy-fs.ts";

type Env = Readonly<Record<string, string | undefined>>;

/** A file of variables or labels larger than this is something else. */
const FILE_BYTES = 4 << 20;

/**
 * Variables of `--env-file` and then `--env`; a name alone takes its value from our own environment.
 * @throws Fault `invalid` that names file and line
 */
export function environment(files: readonly string[], given: readonly string[], env: Env): string[] {
  return [...files.flatMap((path) => fromFile(path, env)), ...given.map((pair) => completed(pair, env))];
}

const completed = (pair: string, env: Env) =>
  pair.includes("=") || env[pair] === undefined ? pair : `${pair}=${env[pair]}`;

/** Variables of a file: `NAME=value` taken as it stands, `NAME` from our environment if it is there, `#` comments. */
function fromFile(path: string, env: Env): string[] {
  return linesOf(path).flatMap(({ line, number }) => {
    const equals = line.indexOf("=");
    const name = equals < 0 ? line : line.slice(0, equals);
    const refuse = (reason: string) =>
      new Fault("invalid", `invalid env file (${path}): line ${number}: ${reason}`);
    if (/\s/.test(name)) throw refuse(`variable '${name}' contains whitespaces`);
    if (name === "") throw refuse(`no variable name on line '${line}'`);
    if (equals >= 0) return [line];
    return env[name] === undefined ? [] : [`${name}=${env[name]}`];
  });
}

/** Labels of `--label-file`, one a line. */
export function labelsOf(files: readonly string[], given: readonly string[]): string[] {
  return [...files.flatMap((path) => linesOf(path).map(({ line }) => line)), ...given];
}

function linesOf(path: string): { line: string; number: number }[] {
  const text = readText(path);
  if (text.includes("\0"))
    throw new Fault("invalid", `invalid env file (${path}): it contains a NUL character`);
  return text
    .replace(/^\uFEFF/, "")
    .split("\n")
    .map((raw, at) => ({ line: raw.replace(/\r$/, "").trimStart(), number: at + 1 }))
    .filter(({ line }) => line !== "" && !line.startsWith("#"));
}

/** The text of a file that a flag names. @throws Fault `invalid` */
export function readText(path: string): string {
  try {
    const bytes = fs().readFileSync(path);
    if (bytes.length > FILE_BYTES)
      throw new Fault("invalid", `open ${path}: it is larger than ${FILE_BYTES} bytes`);
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    if (cause instanceof Fault) throw cause;
    const code = cause instanceof Error && "code" in cause ? cause.code : "";
    const reason = {
      ENOENT: "no such file or directory",
      EACCES: "permission denied",
      EISDIR: "is a directory",
    };
    const known = Object.entries(reason).find(([name]) => name === code)?.[1];
    throw new Fault("invalid", `open ${path}: ${known ?? "invalid utf8 bytes"}`, { cause });
  }
}
