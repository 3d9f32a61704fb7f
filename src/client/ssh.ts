import type { Subprocess } from "bun";
import { Fault, sentenceOf } from "#errors";
import type { Address } from "./address.ts";

/** What a stream needs of the thing below it; Bun's sockets are one. */
export interface Line {
  /** How many bytes were taken, which may be none; negative when nobody listens. */
  write(bytes: Uint8Array): number;
  shutdown(): void;
  end(): void;
  pause(): void;
  resume(): void;
}

export interface LineHandlers {
  data(bytes: Uint8Array): void;
  drain(): void;
  /** The other side has ended the stream; with an error when it was not meant to. */
  finish(error?: Error): void;
}

const CONNECT_SECONDS = 30;
/** Of what ssh says when it fails. */
const KEPT_CHARACTERS = 1000;

/** The argument vector. The last words are run by the shell of the other host, so a path is quoted for it. */
export function sshCommand({ user, host, port, path }: Address & { kind: "ssh" }): string[] {
  return [
    ...["ssh", "-o", `ConnectTimeout=${CONNECT_SECONDS}`],
    ...(user === undefined ? [] : ["-l", user]),
    ...(port === undefined ? [] : ["-p", String(port)]),
    ...["-T", "--", host, "bunker"],
    ...(path === undefined ? [] : ["--host", quoted(`unix://${path}`)]),
    ...["system", "dial-stdio"],
  ];
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** The stream to the daemon of another host: ssh runs `bunker system dial-stdio` there. */
export class SshLine implements Line {
  readonly #child: Subprocess<"pipe", "pipe", "pipe">;
  readonly #handlers: LineHandlers;
  #isBusy = false;
  #hasEnded = false;
  #resumed = Promise.withResolvers<void>();

  /** @throws Fault `unsupported` when ssh is not installed */
  constructor(address: Address & { kind: "ssh" }, handlers: LineHandlers) {
    this.#handlers = handlers;
    this.#resumed.resolve();
    try {
      this.#child = Bun.spawn(sshCommand(address), { stdin: "pipe", stdout: "pipe", stderr: "pipe" });
    } catch (cause) {
      throw new Fault("unsupported", `Cannot run ssh to reach ${address.text}: ${sentenceOf(cause)}`, {
        cause,
      });
    }
    void this.#pump(address.text);
  }

  async #pump(text: string): Promise<void> {
    const said = this.#child.stderr.text();
    for await (const bytes of this.#child.stdout) {
      this.#handlers.data(bytes);
      await this.#resumed.promise;
    }
    const code = await this.#child.exited;
    const words = (await said).trim().slice(-KEPT_CHARACTERS);
    const reason = `ssh to ${text} ended with ${code}: ${words || "it gave no reason"}; is bunker installed there, and its daemon running?`;
    this.#handlers.finish(code === 0 || this.#hasEnded ? undefined : new Error(reason));
  }

  write(bytes: Uint8Array): number {
    if (this.#hasEnded || this.#child.exitCode !== null) return -1;
    if (this.#isBusy) return 0;
    this.#isBusy = true;
    void this.#flush(bytes);
    return bytes.length;
  }

  async #flush(bytes: Uint8Array): Promise<void> {
    try {
      this.#child.stdin.write(bytes);
      await this.#child.stdin.flush();
    } catch {
      // ssh has ended: its exit code tells why.
    }
    this.#isBusy = false;
    this.#handlers.drain();
  }

  shutdown(): void {
    void Promise.resolve(this.#child.stdin.end()).catch(() => undefined);
  }

  end(): void {
    this.#hasEnded = true;
    this.resume();
    this.shutdown();
    this.#child.kill();
  }

  pause(): void {
    this.#resumed = Promise.withResolvers<void>();
  }

  resume(): void {
    this.#resumed.resolve();
  }
}
