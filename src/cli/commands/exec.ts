import {
  createExec,
  Duplex,
  type ExecBody,
  inspectExec,
  resizeExec,
  runExec,
  startExecAttached,
  startExecDetached,
  type Transport,
  type Upgraded,
} from "#client";
import { Fault } from "#errors";
import { Attachment } from "../attachment.ts";
import { defineCli, USAGE_EXIT } from "../command.ts";
import { checkEnv } from "../create/checks.ts";
import { environment } from "../create/environment.ts";
import type { Flags } from "../flags.ts";
import { BROKEN_OFF } from "../outcome.ts";
import type { Session } from "../session.ts";
import { askedKeys, DETACH_KEYS_FLAG, detachKeys, terminalSize } from "../terminal.ts";

const EXEC_FLAGS = {
  detach: { kind: "bool", short: "d", about: "Detached mode: run command in the background" },
  "detach-keys": DETACH_KEYS_FLAG,
  env: { kind: "list", short: "e", about: "Set environment variables", check: checkEnv },
  "env-file": { kind: "list", about: "Read in a file of environment variables" },
  interactive: { kind: "bool", short: "i", about: "Keep STDIN open even if not attached" },
  privileged: { kind: "bool", about: "Give extended privileges to the command" },
  tty: { kind: "bool", short: "t", about: "Allocate a pseudo-TTY" },
  user: {
    kind: "text",
    hint: "string",
    short: "u",
    about: 'Username or UID (format: "<name|uid>[:<group|gid>]")',
  },
  workdir: { kind: "text", hint: "string", short: "w", about: "Working directory inside the container" },
} as const;

/** `bunker exec`. */
export const exec = defineCli({
  synopsis: "[OPTIONS] CONTAINER COMMAND [ARG...]",
  about: "Execute a command in a running container",
  example: "bunker exec -it web sh",
  flags: EXEC_FLAGS,
  words: { min: 2 },
  stopsAtWord: true,
  async run({ flags, words: [name = "", ...command], session }) {
    const isTerminal = flags.bool("tty");
    const takesInput = flags.bool("interactive") && !flags.bool("detach");
    if (isTerminal && takesInput && !session.console.isTerminal(0))
      throw new Fault("invalid", "the input device is not a TTY");
    const keys = detachKeys(askedKeys(flags.text("detach-keys"), session));
    const size = isTerminal ? terminalSize(session.console) : undefined;
    const consoleSize: { size?: [number, number] } =
      size === undefined ? {} : { size: [size.rows, size.columns] };
    const body = bodyOf(flags, { command, session, ...consoleSize });
    if (flags.bool("detach")) {
      const { Id } = await createExec(session.daemon, name, body);
      await startExecDetached(session.daemon, Id);
      return 0;
    }
    const inOne = await runExec(session.daemon, name, body);
    const { id, upgraded } =
      inOne ?? (await startInTwo(session.daemon, name, { body, isTerminal, ...consoleSize }));
    const duplex = new Duplex(upgraded, isTerminal);
    using attachment = new Attachment(session, duplex, {
      id,
      isTerminal,
      takesInput,
      keys,
      proxiesSignals: false, // There is no call that signals a command, only one that signals the container.
      resize: (next) => resizeExec(session.daemon, id, next),
    });
    await attachment.forwardInput();
    attachment.followSize();
    const { isDetached } = await attachment.ended;
    if (isDetached) return 0;
    if (duplex.exitCode !== undefined) return duplex.exitCode;
    if (inOne !== undefined) session.complain(BROKEN_OFF);
    const code = exitCodeOf(await inspectExec(session.daemon, id));
    return inOne === undefined ? code : code || USAGE_EXIT;
  },
});

/** One that neither runs nor has ended was never begun. Source: docker run reference, "Exit status". */
function exitCodeOf({ ExitCode, Running }: { ExitCode: number | null; Running: boolean }): number {
  return ExitCode ?? (Running ? 0 : 126);
}

/** As every daemon of Docker's API knows it. */
async function startInTwo(
  transport: Transport,
  name: string,
  { body, ...terminal }: { body: ExecBody; isTerminal: boolean; size?: [number, number] },
): Promise<{ readonly id: string; readonly upgraded: Upgraded }> {
  const { Id: id } = await createExec(transport, name, body);
  return { id, upgraded: await startExecAttached(transport, id, terminal) };
}

function bodyOf(
  flags: Flags<typeof EXEC_FLAGS>,
  { command, session, size }: { command: readonly string[]; session: Session; size?: [number, number] },
): ExecBody {
  const isAttached = !flags.bool("detach");
  const keys = askedKeys(flags.text("detach-keys"), session);
  const variables = environment(flags.list("env-file"), flags.list("env"), session.env);
  return {
    Cmd: command,
    AttachStdin: isAttached && flags.bool("interactive"),
    AttachStdout: isAttached,
    AttachStderr: isAttached,
    Tty: flags.bool("tty"),
    Privileged: flags.bool("privileged"),
    ...(variables.length > 0 ? { Env: variables } : {}),
    ...(flags.has("user") ? { User: flags.text("user") } : {}),
    ...(flags.has("workdir") ? { WorkingDir: flags.text("workdir") } : {}),
    ...(keys === "" ? {} : { DetachKeys: keys }),
    ...(size === undefined ? {} : { ConsoleSize: size }),
  };
}
