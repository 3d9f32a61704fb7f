import type { Console } from "../console.ts";
import { silenceTerminal } from "../raw-mode.ts";

/** Asks for a line that does not show while it is typed. */
export function readSecret(console: Console, prompt: string): string {
  console.out(prompt);
  try {
    using _ = silenceTerminal();
    return console.line();
  } finally {
    console.out("\n");
  }
}
