import { Fault } from "#errors";

/** Host programs are looked up here and nowhere else, whatever PATH the daemon was started with. */
const SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** How much of a program's error output is kept for the message. */
const KEPT_BYTES = 64 * 1024;

export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly signal?: AbortSignal;
  readonly environment?: Readonly<Record<string, string>>;
}

export interface ProgramResult {
  readonly pid: number;
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The path of a host program, or undefined when it is not installed. */
export function findProgram(name: string): string | undefined {
  return Bun.which(name, { PATH: SEARCH }) ?? undefined;
}

/** Runs a host program by argument vector, never a shell. Throws `unsupported` when it is not installed. */
export async function tryRun(command: readonly string[], options: RunOptions = {}): Promise<ProgramResult> {
  const [name = "", ...args] = command;
  const path = findProgram(name);
  if (path === undefined)
    throw new Fault("unsupported", `Cannot run ${name}: it is not installed on this host`);
  const child = Bun.spawn([path, ...args], {
    stdin: options.input === undefined ? "ignore" : Buffer.from(options.input),
    stdout: "pipe",
    stderr: "pipe",
    env: { PATH: SEARCH, LC_ALL: "C", ...options.environment },
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { pid: child.pid, code, stdout, stderr: stderr.slice(0, KEPT_BYTES) };
}

/** As tryRun, and throws `internal` with the program's own words when it does not end with 0. */
export async function run(command: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await tryRun(command, options);
  if (code === 0) return stdout;
  const words = stderr.trim().split("\n").at(-1) ?? "";
  throw new Fault("internal", `${command[0]} ended with ${code}: ${words || "it printed no reason"}`);
}

/**
 * The standard output of a host program as it comes, by argument vector, never a shell; the program ends with the
 * iteration or the signal. Throws `unsupported` when it is not installed, `internal` with its words when it fails.
 */
export async function* stream(
  command: readonly string[],
  { signal }: Pick<RunOptions, "signal"> = {},
): AsyncGenerator<Uint8Array> {
  const [name = "", ...args] = command;
  const path = findProgram(name);
  if (path === undefined)
    throw new Fault("unsupported", `Cannot run ${name}: it is not installed on this host`);
  if (signal?.aborted) return;
  const child = Bun.spawn([path, ...args], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    env: { PATH: SEARCH, LC_ALL: "C" },
  });
  const end = () => child.kill();
  signal?.addEventListener("abort", end, { once: true });
  const said = child.stderr.text();
  try {
    for await (const block of child.stdout) yield block;
    const words = (await said).slice(0, KEPT_BYTES).trim();
    if ((await child.exited) !== 0 && !signal?.aborted)
      throw new Fault("internal", `${name} ended with ${child.exitCode}: ${words || "it printed no reason"}`);
  } finally {
    signal?.removeEventListener("abort", end);
    child.kill();
  }
}
