import { Fault, sentenceOf } from "#errors";

/** A name that makes a program's name, and no path. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** Credentials are far below it, in bytes. */
const OUTPUT_LIMIT = 256 * 1024;
/** Somebody may have to unlock a key ring first. */
const PATIENCE_MILLISECONDS = 120_000;
/** What a helper says of a registry that it knows nothing of. Source: docker-credential-helpers, "Development". */
const NOT_FOUND = /credentials not found/i;

type Verb = "get" | "store" | "erase";

/**
 * Runs the program `docker-credential-NAME` with one verb, its question on standard input. Undefined when it has no such
 * credentials. What it prints is in no message: it may be a secret.
 */
export async function askHelper(name: string, verb: Verb, question: string): Promise<string | undefined> {
  const program = `docker-credential-${name}`;
  if (!NAME.test(name))
    throw new Fault(
      "invalid",
      `Cannot use the credential helper ${JSON.stringify(name.slice(0, 100))}: it is no name`,
    );
  const path = Bun.which(program, { PATH: process.env.PATH ?? "" });
  if (path === null)
    throw new Fault(
      "not_found",
      `error getting credentials - err: exec: "${program}": executable file not found in $PATH`,
    );
  const child = Bun.spawn([path, verb], {
    env: process.env,
    stdin: Buffer.from(question),
    stdout: "pipe",
    stderr: "ignore",
    timeout: PATIENCE_MILLISECONDS,
    killSignal: "SIGKILL",
    maxBuffer: OUTPUT_LIMIT,
  });
  try {
    const [text, code] = await Promise.all([child.stdout.text(), child.exited]);
    if (code === 0) return text;
    if (NOT_FOUND.test(text)) return undefined;
    const why = child.signalCode === null ? `it ended with ${code}` : "it took too long or said too much";
    throw new Fault("unavailable", `Cannot ${verb} credentials with ${program}: ${why}`);
  } catch (cause) {
    if (cause instanceof Fault) throw cause;
    throw new Fault("unavailable", `Cannot ${verb} credentials with ${program}: ${sentenceOf(cause)}`);
  }
}
