import { Fault } from "#errors";
import { findProgram } from "#host";
import { killer } from "./child.ts";
import { foreignCompressionOf } from "./decompress.ts";

/** The longest mark of a compression, in bytes. */
const MAGIC_BYTES = 6;
/** What a dictionary may take: four times what xz's highest level needs, and no more than a host has. */
const COMMANDS = {
  xz: ["xz", "--decompress", "--stdout", "--memlimit-decompress=256MiB"],
  bzip2: ["bzip2", "--decompress", "--stdout"],
} as const;
/** How much of a program's complaint is told. */
const COMPLAINT_LIMIT = 200;

/**
 * Undoes xz and bzip2 by the host's own programs, and passes everything else on as it is; the first piece is then long
 * enough to tell other compressions by. Not for a process that has left the host's root. Throws `unsupported` when the
 * program is missing, `invalid` when the stream is damaged.
 */
export async function* expand(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  const pieces = withStart(source);
  const { value: start, done } = await pieces.next();
  if (done === true) return;
  const compression = foreignCompressionOf(start);
  const all = (async function* () {
    yield start;
    yield* pieces;
  })();
  try {
    if (compression === undefined) yield* all;
    else yield* throughProgram(all, compression);
  } finally {
    await pieces.return(undefined); // Whoever gives up in the middle lets go of the source.
  }
}

async function* withStart(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void> {
  let start: Buffer | undefined = Buffer.alloc(0);
  for await (const piece of source) {
    const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    if (start === undefined) {
      yield bytes;
      continue;
    }
    start = Buffer.concat([start, bytes]);
    if (start.length < MAGIC_BYTES) continue;
    yield start;
    start = undefined;
  }
  if (start !== undefined && start.length > 0) yield start;
}

async function* throughProgram(
  source: AsyncIterable<Buffer>,
  compression: keyof typeof COMMANDS,
): AsyncGenerator<Buffer> {
  const [name, ...words] = COMMANDS[compression];
  const program = findProgram(name);
  if (program === undefined)
    throw new Fault(
      "unsupported",
      `Cannot unpack the archive: it is compressed with ${compression}, and the program ${name} is not installed on the daemon's host; install it, or compress the archive with gzip or zstd`,
    );
  const child = Bun.spawn([program, ...words], { stdio: ["pipe", "pipe", "pipe"], env: {} });
  using _killed = killer(child, undefined);
  const complaint = child.stderr.text();
  let failure: { readonly thrown: unknown } | undefined;
  const feeding = feed(child, source).catch((thrown) => {
    failure = { thrown };
    child.kill("SIGKILL");
  });
  for await (const piece of child.stdout) yield Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
  const code = await child.exited;
  await feeding;
  if (failure !== undefined && code !== 0 && child.signalCode === "SIGKILL") throw failure.thrown;
  if (code === 0) return;
  const reason =
    (await complaint).trim().split("\n").at(-1)?.slice(0, COMPLAINT_LIMIT) || `it ended with ${code}`;
  throw new Fault("invalid", `Cannot unpack the archive: its compression is damaged (${reason})`);
}

async function feed(
  child: Bun.Subprocess<"pipe", "pipe", "pipe">,
  source: AsyncIterable<Buffer>,
): Promise<void> {
  for await (const piece of source) {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.stdin.write(piece);
    await child.stdin.flush();
  }
  await child.stdin.end();
}
