import { readFileSync } from "node:fs";
import { z } from "zod";
import { Fault } from "#errors";

/** How much of a runtime's log is read, from its end. */
const READ_CHARACTERS = 64 * 1024;
const WORDS_CHARACTERS = 2000;

/** A line of what `--log-format json` writes. */
const Line = z.object({ level: z.string().optional(), msg: z.string() });

/** What a runtime's log says of a failure: the last error; undefined when it says nothing. */
export function loggedError(path: string): string | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8").slice(-READ_CHARACTERS);
  } catch {
    return undefined;
  }
  return text
    .split("\n")
    .flatMap((line) => messageOf(line))
    .at(-1);
}

function messageOf(line: string): readonly string[] {
  try {
    const { level = "error", msg } = Line.parse(JSON.parse(line));
    return level === "error" || level === "fatal" ? [msg] : [];
  } catch {
    return [];
  }
}

/** Errors of the program's own, by which clients tell exit codes 126 and 127. Source: docker run reference, "Exit status". */
const PROGRAM =
  /executable file not found|no such file or directory|permission denied|is a directory|exec format error/;

/** A runtime's own words, as Docker's clients know them. */
export function runtimeFault(runtime: string, words: string): Fault {
  const said = inDockersWords(words).slice(0, WORDS_CHARACTERS);
  return new Fault(
    PROGRAM.test(said) ? "invalid" : "internal",
    `Cannot start the program with the runtime ${runtime}: ${said}`,
  );
}

/** crun quotes as it likes and writes the C library's sentences; Docker's clients look for Go's. */
function inDockersWords(words: string): string {
  return (
    words
      .replace(/executable file [`'"]*([^`'"]*)[`'"]* not found in \$PATH.*/, (_, name: string) => {
        const reason = name.includes("/")
          ? `stat ${name}: no such file or directory`
          : "executable file not found in $PATH";
        return `exec: ${JSON.stringify(name)}: ${reason}`;
      })
      // What it says of a directory.
      .replace("open executable: Operation not permitted", "open executable: permission denied")
      .replace(
        /\b(No such file or directory|Permission denied|Is a directory|Not a directory|Exec format error)\b/g,
        (sentence) => sentence.toLowerCase(),
      )
      .trim()
  );
}
