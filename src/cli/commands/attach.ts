import { armWait, attachContainer, Duplex, inspectContainer } from "#client";
import { Fault } from "#errors";
import { Attachment } from "../attachment.ts";
import { defineCli } from "../command.ts";
import { askedKeys, DETACH_KEYS_FLAG, detachKeys } from "../terminal.ts";

/** `bunker attach`. */
export const attach = defineCli({
  synopsis: "[OPTIONS] CONTAINER",
  about: "Attach local standard input, output, and error streams to a running container",
  example: "bunker attach --detach-keys ctrl-x shell",
  flags: {
    "detach-keys": DETACH_KEYS_FLAG,
    "no-stdin": { kind: "bool", about: "Do not attach STDIN" },
    "sig-proxy": { kind: "bool", preset: "true", about: "Proxy all received signals to the process" },
  },
  words: { min: 1, max: 1 },
  async run({ flags, words: [name = ""], session }) {
    const { Id: id, State, Config } = await inspectContainer(session.daemon, name);
    if (!State.Running)
      throw new Fault("conflict", "You cannot attach to a stopped container, start it first");
    if (State.Paused)
      throw new Fault("conflict", "You cannot attach to a paused container, unpause it first");
    if (State.Restarting)
      throw new Fault("conflict", "You cannot attach to a restarting container, wait until it is running");
    const isTerminal = Config.Tty === true;
    const takesInput = !flags.bool("no-stdin") && Config.OpenStdin === true;
    if (isTerminal && takesInput && !session.console.isTerminal(0))
      throw new Fault("invalid", "the input device is not a TTY");
    const typedKeys = askedKeys(flags.text("detach-keys"), session);
    const keys = detachKeys(typedKeys);
    const { exit } = await armWait(session.daemon, id, "not-running");
    exit.catch(() => undefined);
    const upgraded = await attachContainer(session.daemon, id, {
      stdin: takesInput,
      stdout: true,
      stderr: true,
      ...(typedKeys === "" ? {} : { detachKeys: typedKeys }),
    });
    using attachment = new Attachment(session, new Duplex(upgraded, isTerminal), {
      id,
      isTerminal,
      takesInput,
      keys,
      proxiesSignals: flags.bool("sig-proxy") && !isTerminal,
    });
    await attachment.forwardInput();
    attachment.followSize();
    const { isDetached } = await attachment.ended;
    if (isDetached) return 0;
    const { StatusCode, Error: failure } = await exit;
    if (failure?.Message) throw new Fault("internal", failure.Message);
    return StatusCode;
  },
});
