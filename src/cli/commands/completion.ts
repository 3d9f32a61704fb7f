import { didYouMean, Fault } from "#errors";
import { defineCli } from "../command.ts";
import { SHELLS } from "../completion/scripts.ts";

/** `bunker completion`. */
export const completion = defineCli({
  synopsis: "bash|zsh|fish",
  about: "Print the completion script for a shell",
  example: "bunker completion bash > /etc/bash_completion.d/bunker",
  flags: { "no-descriptions": { kind: "bool" } },
  words: { min: 1, max: 1 },
  async run({ words: [shell = ""], session }) {
    const script = Object.hasOwn(SHELLS, shell) ? SHELLS[shell] : undefined;
    if (script === undefined) {
      throw new Fault(
        "unsupported",
        `Cannot complete for the shell ${JSON.stringify(shell)}: there are scripts for bash, zsh and fish${didYouMean(shell, Object.keys(SHELLS))}`,
      );
    }
    session.console.out(script(session.program));
    return 0;
  },
});
