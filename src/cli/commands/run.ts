import {
  armWait,
  attachContainer,
  type CreateBody,
  createContainer,
  Duplex,
  runContainer,
  startContainer,
  type Upgraded,
  type WaitReply,
} from "#client";
import { Fault } from "#errors";
import { Attachment } from "../attachment.ts";
import { CommandFailure, defineCli, USAGE_EXIT } from "../command.ts";
import { createBody, withoutStreams } from "../create/body.ts";
import { type Create, createFromImage } from "../create/container.ts";
import { CREATE_FLAGS } from "../create/flags.ts";
import { EarlySignals } from "../early-signals.ts";
import type { Flags } from "../flags.ts";
import { asRunFailure, BROKEN_OFF, startExitCode } from "../outcome.ts";
import type { Session } from "../session.ts";
import { askedKeys, DETACH_KEYS_FLAG, keysOf, terminalSize } from "../terminal.ts";

const RUN_FLAGS = {
  ...CREATE_FLAGS,
  detach: { kind: "bool", short: "d", about: "Run container in background and print container ID" },
  "detach-keys": DETACH_KEYS_FLAG,
  "sig-proxy": { kind: "bool", preset: "true", about: "Proxy received signals to the process" },
} as const;

/** How long `run --rm` waits for the removal of a container that did not start. */
const REMOVAL_MILLISECONDS = 10_000;

/** Resolves when waiting has no more point; does not keep the program alive. */
function patience(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, REMOVAL_MILLISECONDS).unref();
  });
}

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
    const typedKeys = askedKeys(flags.text("detach-keys"), session);
    const keys = keysOf(typedKeys);
    if (keys === undefined)
      throw new CommandFailure(USAGE_EXIT, `invalid detach keys (${typedKeys}) provided`);
    if (!flags.bool("detach")) return inForeground(session, { body, flags, keys, typedKeys });
    const id = await asRunFailure(() => createFromImage(session, { flags, body }));
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

async function start(session: Session, id: string): Promise<void> {
  try {
    await startContainer(session.daemon, id);
  } catch (cause) {
    if (!(cause instanceof Fault)) throw cause;
    throw new CommandFailure(startExitCode(cause.message), cause.message, { cause });
  }
}

interface Foreground {
  readonly id: string;
  readonly isTerminal: boolean;
  readonly takesInput: boolean;
  readonly keys: readonly number[];
  readonly proxiesSignals: boolean;
  readonly condition: "next-exit" | "removed";
}

/** A container in the foreground: attached and waited for before it starts, so that no byte and no exit code is missed. */
async function inForeground(
  session: Session,
  {
    body,
    flags,
    keys,
    typedKeys,
  }: {
    body: CreateBody;
    flags: Flags<typeof RUN_FLAGS>;
    keys: readonly number[];
    typedKeys: string;
  },
): Promise<number> {
  const condition = flags.bool("rm") ? "removed" : "next-exit";
  let upgraded: Upgraded | undefined;
  using early = new EarlySignals();
  const create: Create = async (...[wanted, names]) => {
    if (flags.bool("sig-proxy")) early.keep();
    const ran = await runContainer(session.daemon, wanted, { ...names, condition });
    upgraded = ran?.upgraded;
    if (ran === undefined) early.obey();
    return ran?.created ?? createContainer(session.daemon, wanted, names);
  };
  // The file for the id is to be there before the program runs.
  const isInOne = !flags.has("cidfile");
  const id = await asRunFailure(() => createFromImage(session, { flags, body, ...(isInOne && { create }) }));
  const asked: Foreground = {
    id,
    isTerminal: body.Tty === true,
    takesInput: body.AttachStdin === true,
    keys,
    proxiesSignals: flags.bool("sig-proxy"),
    condition,
  };
  if (upgraded !== undefined) return inOneCall(session, { ...asked, upgraded, early });
  const streams = {
    stdin: asked.takesInput,
    stdout: body.AttachStdout === true,
    stderr: body.AttachStderr === true,
    ...(typedKeys === "" ? {} : { detachKeys: typedKeys }),
  };
  return inThreeCalls(session, asked, streams);
}

async function inOneCall(
  session: Session,
  { upgraded, early, ...asked }: Foreground & { readonly upgraded: Upgraded; readonly early: EarlySignals },
): Promise<number> {
  const duplex = new Duplex(upgraded, false);
  using attachment = new Attachment(session, duplex, asked);
  void early.handOver(session, asked.id).catch(() => undefined);
  await attachment.forwardInput();
  await attachment.ended;
  if (duplex.failure === undefined) return duplex.exitCode ?? codeAfterwards(session, asked.id);
  if (asked.condition === "removed") await removal(armWait(session.daemon, asked.id, "removed"));
  const message = `Error response from daemon: ${duplex.failure}`;
  throw new CommandFailure(startExitCode(message), message);
}

/** Of a container whose stream broke off: what it said may be lost, and that is no success. */
async function codeAfterwards(session: Session, id: string): Promise<number> {
  session.complain(BROKEN_OFF);
  try {
    return exitCode(session, await (await armWait(session.daemon, id, "not-running")).exit) || USAGE_EXIT;
  } catch (thrown) {
    if (!(thrown instanceof Fault)) throw thrown;
    return exitCode(session, { StatusCode: USAGE_EXIT, Error: { Message: thrown.message } });
  }
}

/** As every daemon of Docker's API knows it. */
async function inThreeCalls(
  session: Session,
  asked: Foreground,
  streams: Parameters<typeof attachContainer>[2],
): Promise<number> {
  const { id, isTerminal, condition } = asked;
  const [upgraded, armed] = await asRunFailure(() =>
    Promise.all([attachContainer(session.daemon, id, streams), armWait(session.daemon, id, condition)]),
  );
  armed.exit.catch(() => undefined); // Looked at below; it may fail before that.
  using attachment = new Attachment(session, new Duplex(upgraded, isTerminal), asked);
  await attachment.forwardInput();
  try {
    await start(session, id);
  } catch (thrown) {
    attachment[Symbol.dispose](); // A daemon may not remove a container while somebody is attached.
    if (condition === "removed") await removal(armed);
    throw thrown;
  }
  attachment.followSize();
  const { isDetached } = await attachment.ended;
  return isDetached ? 0 : exitCode(session, await armed.exit);
}

/** Of a container that did not start: over when it is gone, or when waiting has no more point. */
async function removal(
  armed: Awaited<ReturnType<typeof armWait>> | ReturnType<typeof armWait>,
): Promise<void> {
  const gone = (async () => (await armed).exit)().catch(() => undefined);
  await Promise.race([gone, patience()]);
}

function exitCode(session: Session, { StatusCode, Error: failure }: WaitReply): number {
  if (!failure?.Message) return StatusCode;
  session.complain(`Error waiting for container: ${failure.Message}`);
  return USAGE_EXIT;
}
