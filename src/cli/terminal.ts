import { Fault } from "#errors";
import type { ConfigFile } from "./config-file.ts";
import type { Console } from "./console.ts";

/** What a person types, or a pipe brings, until `dispose`; a terminal is in raw mode meanwhile if asked. */
export interface Input extends Disposable {
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** Reads standard input. Raw mode hands every key on, Ctrl-C too; disposing gives the terminal back as it was. */
export async function openInput({ isRaw }: { isRaw: boolean }): Promise<Input> {
  const mode = isRaw ? (await import("./raw-mode.ts")).enterRawMode() : undefined;
  const reader = Bun.stdin.stream().getReader();
  let isOver = false;
  async function* bytes() {
    while (!isOver) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  }
  return {
    bytes: bytes(),
    [Symbol.dispose]() {
      isOver = true;
      mode?.[Symbol.dispose]();
      // A read that waits for a silent pipe or terminal must not keep the program alive.
      reader.cancel().catch(() => undefined);
    },
  };
}

export interface Size {
  readonly rows: number;
  readonly columns: number;
}

/** The size of the terminal behind our output; undefined when there is none. */
export function terminalSize(console: Console): Size | undefined {
  if (!console.isTerminal(1)) return undefined;
  const [columns = 0, rows = 0] = process.stdout.getWindowSize();
  return columns > 0 && rows > 0 ? { rows, columns } : undefined;
}

/** Calls `onResize` now and whenever the terminal changes its size. */
export function followSize(console: Console, onResize: (size: Size) => void): Disposable {
  const tell = () => {
    const size = terminalSize(console);
    if (size !== undefined) onResize(size);
  };
  tell();
  process.on("SIGWINCH", tell);
  return { [Symbol.dispose]: () => void process.off("SIGWINCH", tell) };
}

const PROXIED = [
  "SIGHUP",
  "SIGINT",
  "SIGQUIT",
  "SIGTERM",
  "SIGUSR1",
  "SIGUSR2",
  "SIGCONT",
  "SIGTSTP",
] as const;

/** Hands signals that are meant for the container on, instead of obeying them. */
export function proxySignals(onSignal: (signal: string) => void): Disposable {
  const handlers = PROXIED.map((signal) => [signal, () => onSignal(signal)] as const);
  for (const [signal, handler] of handlers) process.on(signal, handler);
  return {
    [Symbol.dispose]() {
      for (const [signal, handler] of handlers) process.off(signal, handler);
    },
  };
}

/** A signal that ends the program must not leave the terminal in raw mode: `leave` puts it back first. */
export function leaveOnSignal(leave: () => void): Disposable {
  const exits = { SIGHUP: 129, SIGTERM: 143 } as const;
  const handlers = (["SIGHUP", "SIGTERM"] as const).map((signal) => {
    const handler = () => {
      leave();
      process.exit(exits[signal]);
    };
    process.once(signal, handler);
    return [signal, handler] as const;
  });
  return {
    [Symbol.dispose]() {
      for (const [signal, handler] of handlers) process.off(signal, handler);
    },
  };
}

/** Without settings of your own: Ctrl-P, Ctrl-Q. */
const DETACH_KEYS = "ctrl-p,ctrl-q";
const CONTROL: Readonly<Record<string, number>> = { "@": 0, "[": 27, "\\": 28, "]": 29, "^": 30, _: 31 };

/** The bytes of `ctrl-p,ctrl-q` or `a,b`; undefined when it is no such list. */
export function keysOf(text: string): number[] | undefined {
  const codes = (text || DETACH_KEYS).split(",").map((key) => {
    const [, letter] = /^ctrl-(.)$/.exec(key) ?? [];
    if (letter === undefined) return key.length === 1 ? key.charCodeAt(0) : undefined;
    return /^[a-zA-Z]$/.test(letter) ? letter.toLowerCase().charCodeAt(0) - 96 : CONTROL[letter];
  });
  return codes.every((code) => code !== undefined) ? codes : undefined;
}

/**
 * Passes input on unchanged and notices the keys by which a person leaves: the daemon acts on them, we must know that the
 * end of the stream then is no end of the container.
 */
export async function* watchKeys(
  source: AsyncIterable<Uint8Array>,
  keys: readonly number[],
  onDetach: () => void,
): AsyncGenerator<Uint8Array> {
  let matched = 0;
  for await (const bytes of source) {
    for (const byte of bytes) {
      matched = byte === keys[matched] ? matched + 1 : byte === keys[0] ? 1 : 0;
      if (matched === keys.length) onDetach();
    }
    yield bytes;
  }
}

export const DETACH_KEYS_FLAG = {
  kind: "text",
  hint: "string",
  about: "Override the key sequence for detaching a container",
} as const;

/** The keys as typed, else as the configuration has them; empty for the usual ones. */
export function askedKeys(typed: string, { config }: { readonly config: Pick<ConfigFile, "text"> }): string {
  return typed === "" ? config.text("detachKeys") : typed;
}

/** @throws Fault `invalid` when the text is no list of keys */
export function detachKeys(text: string): number[] {
  const keys = keysOf(text);
  if (keys === undefined) throw new Fault("invalid", `invalid detach keys (${text}) provided`);
  return keys;
}
