import {
  armWait,
  attachContainer,
  type CreateBody,
  Duplex,
  killContainer,
  resizeContainer,
  startContainer,
  type WaitReply,
} from "#client";
import { Fault, sentenceOf } from "#errors";
import { CommandFailure, defineCli, USAGE_EXIT } from "../command.ts";
import { createBody, withoutStreams } from "../create/body.ts";
import { createFromImage } from "../create/container.ts";
import { CREATE_FLAGS } from "../create/flags.ts";
import type { Flags } from "../flags.ts";
import { asRunFailure, startExitCode } from "../outcome.ts";
import type { Session } from "../session.ts";
import {
  followSize,
  type Input,
  keysOf,
  openInput,
  proxySignals,
  terminalSize,
  watchKeys,
} from "../terminal.ts";

const RUN_FLAGS = {
  ...CREATE_FLAGS,
  detach: { kind: "bool", short: "d", about: "Run container in background and print container ID" },
  "detach-keys": {
    kind: "text",
    hint: "string",
    about: "Override the key sequence for detaching a container",
  },
  "sig-proxy": { kind: "bool", preset: "true", about: "Proxy received signals to the process" },
} as const;

/** How long `run --rm` waits for the removal of a container that did not start. */
const REMOVAL_MILLISECONDS = 10_000;

/** `bunker run`. */
export const run = defineCli({
  synopsis: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
  about: "Create and run a new container from an image",
  example: "bunker run -d --name web -p 8020:80 -v ./site:/usr/local/apache2/htdocs:ro httpd",
  flags: RUN_FLAGS,
  words: { min: 1 },
  stopsAtWord: true,
  async run({ flags, words, session }) {
    if (flags.bool("detach") && flags.has("attach"))
      throw new Fault("conflict", "conflicting options: cannot specify both --attach and --detach");
    const body = await asRunFailure(() => bodyFor(flags, words, session));
    if (body.Tty && body.AttachStdin && !session.console.isTerminal(0))
      throw new Fault("invalid", "the input device is not a TTY");
    const keys = keysOf(flags.text("detach-keys"));
    if (keys === undefined)
      throw new CommandFailure(USAGE_EXIT, `invalid detach keys (${flags.text("detach-keys")}) provided`);
    const id = await asRunFailure(() => createFromImage(session, { flags, body }));
    if (!flags.bool("detach")) return new Foreground(session, { id, body, flags, keys }).run();
    await start(session, id);
    session.say(id);
    return 0;
  },
});

function bodyFor(flags: Flags<typeof RUN_FLAGS>, words: readonly string[], session: Session): CreateBody {
  const size = flags.bool("tty") ? terminalSize(session.console) : undefined;
  const body = createBody(flags, words, {
    env: session.env,
    folder: process.cwd(),
    ...(size === undefined ? {} : { consoleSize: [size.rows, size.columns] }),
  });
  return flags.bool("detach") ? withoutStreams(body) : body;
}

async function start(session: Session, id: string, detachKeys?: string): Promise<void> {
  try {
    await startContainer(session.daemon, id, detachKeys);
  } catch (cause) {
    if (!(cause instanceof Fault)) throw cause;
    throw new CommandFailure(startExitCode(cause.message), cause.message, { cause });
  }
}

interface Running {
  readonly id: string;
  readonly body: CreateBody;
  readonly flags: Flags<typeof RUN_FLAGS>;
  readonly keys: readonly number[];
}

/** A container in the foreground: attached and waited for before it starts, so that no byte and no exit code is missed. */
class Foreground {
  readonly #session: Session;
  readonly #running: Running;
  #isDetached = false;

  constructor(session: Session, running: Running) {
    this.#session = session;
    this.#running = running;
  }

  async run(): Promise<number> {
    const { id, body, flags } = this.#running;
    const { daemon, console } = this.#session;
    using stack = new DisposableStack();
    const [upgraded, { exit }] = await asRunFailure(() =>
      Promise.all([
        attachContainer(daemon, id, {
          stdin: body.AttachStdin === true,
          stdout: body.AttachStdout === true,
          stderr: body.AttachStderr === true,
          ...(flags.has("detach-keys") ? { detachKeys: flags.text("detach-keys") } : {}),
        }),
        armWait(daemon, id, flags.bool("rm") ? "removed" : "next-exit"),
      ]),
    );
    exit.catch(() => undefined); // Looked at below; it may fail before that.
    const duplex = stack.use(new Duplex(upgraded, body.Tty === true));
    const output = duplex.output((stream, bytes) =>
      stream === "stdout" ? console.out(bytes) : console.err(bytes),
    );
    output.catch(() => undefined);
    if (flags.bool("sig-proxy")) stack.use(proxySignals((signal) => this.#forward(signal)));
    if (body.AttachStdin) this.#forwardInput(duplex, stack.use(openInput({ isRaw: this.#isRaw() })));
    else duplex.endInput();
    await this.#start(exit);
    if (body.Tty) stack.use(followSize(console, (size) => this.#resize(size)));
    await output;
    return this.#isDetached ? 0 : this.#exitCode(await exit);
  }

  #isRaw(): boolean {
    return this.#running.body.Tty === true && this.#session.console.isTerminal(0);
  }

  #forwardInput(duplex: Duplex, { bytes }: Input): void {
    const isWatched = this.#running.body.Tty === true;
    const source = isWatched
      ? watchKeys(bytes, this.#running.keys, () => {
          this.#isDetached = true;
        })
      : bytes;
    void duplex.input(source);
  }

  async #start(exit: Promise<WaitReply>): Promise<void> {
    const { id, flags } = this.#running;
    try {
      await start(this.#session, id);
    } catch (thrown) {
      if (flags.bool("rm"))
        await Promise.race([exit.catch(() => undefined), Bun.sleep(REMOVAL_MILLISECONDS)]);
      throw thrown;
    }
  }

  #forward(signal: string): void {
    // It may not run yet, or no longer: then there is nobody to tell.
    killContainer(this.#session.daemon, this.#running.id, signal).catch(() => undefined);
  }

  #resize(size: { rows: number; columns: number }): void {
    resizeContainer(this.#session.daemon, this.#running.id, size).catch(() => undefined);
  }

  #exitCode({ StatusCode, Error: failure }: WaitReply): number {
    if (!failure?.Message) return StatusCode;
    this.#session.complain(`Error waiting for container: ${sentenceOf(failure.Message)}`);
    return USAGE_EXIT;
  }
}
