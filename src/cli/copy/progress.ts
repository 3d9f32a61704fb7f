import { humanSize } from "../output/units.ts";
import type { Session } from "../session.ts";

/** How often the figure is drawn anew, in milliseconds. */
const PERIOD = 100;

/** Tells on a terminal how much has been copied; elsewhere, and when it is to be quiet, nothing. */
export class CopyProgress {
  readonly #session: Session;
  readonly #isShown: boolean;
  readonly #head: string;
  #bytes = 0;
  #drawnAt = 0;

  constructor(session: Session, { isQuiet, head }: { readonly isQuiet: boolean; readonly head: string }) {
    this.#session = session;
    this.#isShown = !isQuiet && session.console.isTerminal(1);
    this.#head = head;
  }

  /** Passes everything on, and counts it. */
  async *counted(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of bytes) {
      this.#bytes += piece.length;
      this.#draw();
      yield piece;
    }
  }

  done(target: string): void {
    if (!this.#isShown) return;
    this.#session.console.err(`\r\x1b[2KSuccessfully copied ${humanSize(this.#bytes)} to ${target}\n`);
  }

  #draw(): void {
    const now = performance.now();
    if (!this.#isShown || now - this.#drawnAt < PERIOD) return;
    this.#drawnAt = now;
    this.#session.console.err(`\r\x1b[2K${this.#head} - ${humanSize(this.#bytes)}`);
  }
}
