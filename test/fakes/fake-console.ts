import { type Console, runCli } from "#cli";
import type { ProgramName } from "../../src/cli/program.ts";

export interface Told {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs one command line and keeps what it prints. Nothing is a terminal unless asked. */
export async function told(
  host: string,
  words: readonly string[],
  {
    env = {},
    terminals = [],
    onOut,
    input = "",
    program = "bunker",
  }: {
    env?: Record<string, string>;
    terminals?: readonly number[];
    onOut?: (text: string) => void;
    /** What is typed, in lines. */
    input?: string;
    program?: ProgramName;
  } = {},
): Promise<Told> {
  let out = "";
  let err = "";
  const lines = input.split("\n");
  const text = (content: string | Uint8Array) =>
    typeof content === "string" ? content : Buffer.from(content).toString();
  const console: Console = {
    out(content) {
      onOut?.(text(content));
      out += text(content);
    },
    err(content) {
      err += text(content);
    },
    busy: () => undefined,
    settled: async () => undefined,
    isTerminal: (descriptor) => terminals.includes(descriptor),
    line: () => lines.shift() ?? "",
  };
  const code = await runCli(["-H", host, ...words], { console, env, program });
  return { code, out, err };
}
