import { Fault, sentenceOf } from "#errors";
import { fs } from "./lazy-fs.ts";

/** Whoever reads our output has gone. The program ends quietly, as one that SIGPIPE ended. */
export class ClosedPipe extends Error {
  override readonly name = "ClosedPipe";
}

/**
 * A pipe takes so many bytes whole or not at all, and Bun's call, which begins again with all of them where a part was
 * taken, must not be given more. Source: pipe(7), PIPE_BUF.
 */
const WHOLE_BYTES = 4096;
/** Kept for a reader who does not read. */
const HELD_BYTES = 16 << 20;
const RETRY_MILLISECONDS = 2;

/**
 * Descriptor 1 or 2. What is written first, which is all that most commands write, goes through Bun's own call:
 * loading node:fs takes longer than such a command. The rest goes through node:fs, and waits for a slow reader.
 */
export class Outlet {
  readonly #descriptor: number;
  #isUsed = false;
  /** While the first piece waits for a reader that others have kept busy, what comes later waits behind it. */
  #held: Promise<void> | undefined;
  #heldBytes = 0;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /** @throws ClosedPipe when nobody reads any more, Fault `internal` when the output cannot be kept (a full disk) */
  write(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.#held !== undefined) this.#hold(bytes);
    else if (this.#isUsed || bytes.length > WHOLE_BYTES) this.#writeWaiting(bytes);
    else this.#writeFirst(bytes);
    this.#isUsed = true;
  }

  /** While something waits for its reader: whoever has more to write is to wait as well. Rejects as `write` throws. */
  get busy(): Promise<void> | undefined {
    return this.#held;
  }

  /** Resolves when everything is written, throws as `write`. */
  async settled(): Promise<void> {
    await this.#held;
  }

  #writeFirst(bytes: Uint8Array): void {
    const file = Bun.file(this.#descriptor);
    // Of a regular file, which alone has a size, Bun writes in a thread.
    if (file.size !== Number.POSITIVE_INFINITY) {
      this.#writeWaiting(bytes);
      return;
    }
    const piece = bytes.slice();
    const writing = Bun.write(file, piece);
    const outcome: unknown = Bun.peek(writing);
    if (typeof outcome === "number") this.#writeWaiting(piece.subarray(outcome));
    else if (outcome === writing)
      this.#holdUntil(
        writing.then(
          (written) => this.#writeWaiting(piece.subarray(written)),
          // It has waited in vain, and node:fs finds out why.
          () => this.#writeWaiting(piece),
        ),
      );
    else {
      writing.catch(() => undefined); // Told here and now.
      this.#fail(outcome);
    }
  }

  #hold(bytes: Uint8Array): void {
    this.#heldBytes += bytes.length;
    if (this.#heldBytes > HELD_BYTES)
      throw new Fault(
        "internal",
        "Cannot write the output: nobody reads it, and its pipe may not be waited for",
      );
    const copy = bytes.slice();
    const before = this.#held ?? Promise.resolve();
    this.#holdUntil(
      before.then(() => {
        this.#writeWaiting(copy);
        this.#heldBytes -= copy.length;
      }),
    );
  }

  #holdUntil(written: Promise<void>): void {
    const held = written.then(() => {
      if (this.#held === held) this.#held = undefined;
    });
    this.#held = held;
    held.catch(() => undefined); // Told by settled().
  }

  #writeWaiting(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      try {
        at += fs().writeSync(this.#descriptor, bytes, at, bytes.length - at);
      } catch (thrown) {
        if (codeOf(thrown) === "EAGAIN") Bun.sleepSync(RETRY_MILLISECONDS);
        else {
          this.#fail(thrown);
          return;
        }
      }
    }
  }

  #fail(thrown: unknown): void {
    const code = codeOf(thrown);
    if (code === "EBADF") return; // Closed before we started: there is nobody to tell.
    if (code === "EPIPE" || code === "EIO") throw new ClosedPipe("nobody reads the output");
    throw new Fault("internal", `Cannot write the output: ${sentenceOf(thrown)}`, { cause: thrown });
  }
}

function codeOf(thrown: unknown): unknown {
  return thrown instanceof Error && "code" in thrown ? thrown.code : "";
}
