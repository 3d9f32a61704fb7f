import { Transport, type TransportOptions } from "#client";
import type { Console } from "./console.ts";

/** What one run of the program shares: where the daemon is, where text goes, what the environment says. */
export class Session implements Disposable {
  readonly console: Console;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly host: string;
  readonly #options: TransportOptions;
  #transport: Transport | undefined;
  exitCode = 0;

  constructor(
    host: string,
    {
      console,
      env,
      transport = {},
    }: {
      console: Console;
      env: Readonly<Record<string, string | undefined>>;
      transport?: TransportOptions;
    },
  ) {
    this.host = host;
    this.console = console;
    this.env = env;
    this.#options = transport;
  }

  /** The connection to the daemon, made when first asked for. */
  get daemon(): Transport {
    this.#transport ??= new Transport(this.host, this.#options);
    return this.#transport;
  }

  /** Prints one line. */
  say(line: string): void {
    this.console.out(`${line}\n`);
  }

  /** Prints one line where errors go. */
  complain(line: string): void {
    this.console.err(`${line}\n`);
  }

  [Symbol.dispose](): void {
    this.#transport?.[Symbol.dispose]();
  }
}
