import { API_VERSION, Transport } from "#client";
import { Fault } from "#errors";
import { ConfigFile } from "./config-file.ts";
import { connectionOf, currentContext } from "./connection.ts";
import type { Console } from "./console.ts";
import type { Flags } from "./flags.ts";
import type { GLOBAL_FLAGS } from "./globals.ts";
import type { ProgramName } from "./program.ts";

interface SessionOptions {
  readonly console: Console;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly program: ProgramName;
}

/** What one run of the program shares: where the daemon is, where text goes, what the environment says. */
export class Session implements Disposable {
  readonly console: Console;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What the program was called by: usage and errors say it. */
  readonly program: ProgramName;
  /** The flags before the command. */
  readonly globals: Flags<typeof GLOBAL_FLAGS>;
  #transport: Transport | undefined;
  #config: ConfigFile | undefined;
  exitCode = 0;

  constructor(globals: Flags<typeof GLOBAL_FLAGS>, { console, env, program }: SessionOptions) {
    this.globals = globals;
    this.console = console;
    const folder = globals.text("config");
    this.env = folder === "" ? env : { ...env, BUNKER_CONFIG: folder, DOCKER_CONFIG: folder };
    this.program = program;
  }

  /** The client's configuration. One that cannot be understood is complained of, and taken for empty. */
  get config(): ConfigFile {
    if (this.#config !== undefined) return this.#config;
    try {
      this.#config = ConfigFile.read(this.env);
    } catch (thrown) {
      if (!(thrown instanceof Fault)) throw thrown;
      this.complain(`WARNING: ${thrown.message}`);
      this.#config = ConfigFile.empty(this.env);
    }
    return this.#config;
  }

  /** Name of the context in force. */
  get context(): string {
    return currentContext({ flags: this.globals, env: this.env, config: this.config });
  }

  /**
   * The connection to the daemon, made when first asked for.
   * @throws Fault when the context in force, or a certificate, is not there
   */
  get daemon(): Transport {
    if (this.#transport === undefined) {
      const { env, program, config } = this;
      const { host, options } = connectionOf({ flags: this.globals, env, program, config });
      this.#transport = new Transport(host, options);
    }
    return this.#transport;
  }

  /** The API version spoken with the daemon, or that would be where there is no way to one. */
  get apiVersion(): string {
    return this.#transport?.apiVersion ?? API_VERSION;
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
