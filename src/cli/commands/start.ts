import { armWait, attachContainer, Duplex, inspectContainer, startContainer, type WaitReply } from "#client";
import { Fault } from "#errors";
import { Attachment } from "../attachment.ts";
import { defineCli, FAILURE_EXIT, forEach } from "../command.ts";
import type { Flags } from "../flags.ts";
import type { Session } from "../session.ts";
import { askedKeys, DETACH_KEYS_FLAG, detachKeys } from "../terminal.ts";

const START_FLAGS = {
  attach: { kind: "bool", short: "a", about: "Attach STDOUT/STDERR and forward signals" },
  checkpoint: { kind: "text", hint: "string", about: "Restore from this checkpoint" },
  "checkpoint-dir": { kind: "text", hint: "string", about: "Use a custom checkpoint storage directory" },
  "detach-keys": DETACH_KEYS_FLAG,
  interactive: { kind: "bool", short: "i", about: "Attach container's STDIN" },
} as const;

/** `bunker start`. */
export const start = defineCli({
  synopsis: "[OPTIONS] CONTAINER [CONTAINER...]",
  about: "Start one or more stopped containers",
  example: "bunker start -ai shell",
  flags: START_FLAGS,
  words: { min: 1 },
  async run({ flags, words, session }) {
    if (flags.has("checkpoint") && words.length > 1)
      throw new Fault("invalid", "you cannot restore multiple containers at once");
    const how = startOptions(flags, session);
    if (flags.bool("attach") || flags.bool("interactive")) {
      if (words.length > 1)
        throw new Fault("invalid", "you cannot start and attach multiple containers at once");
      const [name = ""] = words;
      return startAttached(session, name, {
        wantsInput: flags.bool("interactive"),
        how,
      });
    }
    const failed: string[] = [];
    await forEach(words, { session, prints: false }, async (name) => {
      try {
        await startContainer(session.daemon, name, how);
        session.say(name);
      } catch (thrown) {
        failed.push(name);
        throw thrown;
      }
    });
    if (failed.length === 0) return 0;
    session.complain(`Error: failed to start containers: ${failed.join(", ")}`);
    return FAILURE_EXIT;
  },
});

type StartOptions = { readonly [name in "detachKeys" | "checkpoint" | "folder"]?: string };

function startOptions(flags: Flags<typeof START_FLAGS>, session: Session): StartOptions {
  const detachKeys = askedKeys(flags.text("detach-keys"), session);
  return {
    ...(detachKeys === "" ? {} : { detachKeys }),
    ...(flags.has("checkpoint") ? { checkpoint: flags.text("checkpoint") } : {}),
    ...(flags.has("checkpoint-dir") ? { folder: flags.text("checkpoint-dir") } : {}),
  };
}

/** Attaches and waits before it starts, as `run` does. */
async function startAttached(
  session: Session,
  name: string,
  { wantsInput, how }: { wantsInput: boolean; how: StartOptions },
): Promise<number> {
  const details = await inspectContainer(session.daemon, name);
  const isTerminal = details.Config.Tty === true;
  const takesInput = wantsInput && details.Config.OpenStdin === true;
  const [upgraded, { exit }] = await Promise.all([
    attachContainer(session.daemon, details.Id, {
      stdin: takesInput,
      stdout: true,
      stderr: true,
      ...(how.detachKeys === undefined ? {} : { detachKeys: how.detachKeys }),
    }),
    armWait(session.daemon, details.Id, details.HostConfig?.AutoRemove ? "removed" : "next-exit"),
  ]);
  exit.catch(() => undefined);
  using attachment = new Attachment(session, new Duplex(upgraded, isTerminal), {
    id: details.Id,
    isTerminal,
    takesInput,
    keys: detachKeys(how.detachKeys ?? ""),
    proxiesSignals: !isTerminal,
  });
  await attachment.forwardInput();
  await startContainer(session.daemon, details.Id, how);
  attachment.followSize();
  const { isDetached } = await attachment.ended;
  return isDetached ? 0 : exitCode(session, await exit);
}

function exitCode(session: Session, { StatusCode, Error: failure }: WaitReply): number {
  if (!failure?.Message) return StatusCode;
  session.complain(`Error waiting for container: ${failure.Message}`);
  return FAILURE_EXIT;
}
