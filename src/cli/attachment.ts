import { type Duplex, killContainer, resizeContainer } from "#client";
import type { Session } from "./session.ts";
import { followSize, leaveOnSignal, openInput, proxySignals, type Size, watchKeys } from "./terminal.ts";

export interface AttachmentOptions {
  readonly id: string;
  /** Whether the container has a terminal. */
  readonly isTerminal: boolean;
  readonly takesInput: boolean;
  /** The keys by which a person leaves. */
  readonly keys: readonly number[];
  readonly proxiesSignals: boolean;
  /** Sends a new size to whatever has the terminal; the container when not given. */
  readonly resize?: (size: Size) => Promise<void>;
}

/**
 * A person at a running container: what comes out is printed, what is typed goes in, signals and the size of the terminal
 * are handed on. Disposing gives the terminal back.
 */
export class Attachment implements Disposable {
  readonly #session: Session;
  readonly #options: AttachmentOptions;
  readonly #duplex: Duplex;
  readonly #stack = new DisposableStack();
  #isDetached = false;
  /** Resolves when the daemon has ended the stream: the program ended, or the person left. */
  readonly ended: Promise<{ isDetached: boolean }>;

  constructor(session: Session, duplex: Duplex, options: AttachmentOptions) {
    this.#session = session;
    this.#options = options;
    this.#duplex = duplex;
    this.#stack.use(duplex);
    const { console } = session;
    const output = duplex.output(
      (stream, bytes) => (stream === "stdout" ? console.out(bytes) : console.err(bytes)),
      console.busy,
    );
    this.ended = output.then(() => ({ isDetached: this.#isDetached }));
    this.ended.catch(() => undefined); // Whoever awaits it later learns of a failure; until then it is not unhandled.
    if (options.proxiesSignals) this.#stack.use(proxySignals((signal) => this.#forward(signal)));
    if (!options.takesInput) duplex.endInput();
  }

  /** Hands the size of our terminal on, now and whenever it changes. Call it when the program runs. */
  followSize(): void {
    const { isTerminal, id, resize } = this.#options;
    if (!isTerminal) return;
    const send = resize ?? ((size: Size) => resizeContainer(this.#session.daemon, id, size));
    // A program that has just ended has no size; that is no failure.
    const tell = (size: Size) => void send(size).catch(() => undefined);
    this.#stack.use(followSize(this.#session.console, tell));
  }

  /** Begins to hand on what is typed. Call it once the stream is there: a terminal goes into raw mode. */
  async forwardInput(): Promise<void> {
    const { isTerminal, keys, takesInput } = this.#options;
    if (!takesInput) return;
    if (isTerminal && !this.#options.proxiesSignals)
      this.#stack.use(leaveOnSignal(() => this[Symbol.dispose]()));
    const input = this.#stack.use(
      await openInput({ isRaw: isTerminal && this.#session.console.isTerminal(0) }),
    );
    const noticed = () => {
      this.#isDetached = true;
    };
    void this.#duplex.input(isTerminal ? watchKeys(input.bytes, keys, noticed) : input.bytes);
  }

  #forward(signal: string): void {
    // It may not run yet, or no longer: then there is nobody to tell.
    killContainer(this.#session.daemon, this.#options.id, signal).catch(() => undefined);
  }

  [Symbol.dispose](): void {
    this.#stack.dispose();
  }
}
