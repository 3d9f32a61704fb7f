import { ERROR_STREAM, EXIT_STREAM } from "#api";
import { Fault } from "#errors";

export type Stream = "stdout" | "stderr";
export type Sink = (stream: Stream, bytes: Uint8Array) => void;
/** While a sink has more than it can take; undefined as long as it can. */
export type Busy = () => Promise<void> | undefined;

const HEADER_BYTES = 8;
const STDERR = 2;
/** Of an exit code, and one more by which a longer one is known. */
const LONGEST_EXIT = 4;

/**
 * Takes Docker's multiplexed stream apart: a header of eight bytes (stream, three zeros, length in big-endian) before each
 * piece of output. Headers and pieces may arrive split anywhere; content is passed on as it comes.
 */
export class Demultiplexer {
  readonly #sink: Sink;
  #header: Uint8Array = new Uint8Array(HEADER_BYTES);
  #headerBytes = 0;
  #remaining = 0;
  #stream = 0;
  #error = "";
  #exit = "";
  readonly #last: number;

  /** `tellsExit`: the last frame may be an exit code, or why there is none. */
  constructor(sink: Sink, { tellsExit = false }: { readonly tellsExit?: boolean } = {}) {
    this.#sink = sink;
    this.#last = tellsExit ? EXIT_STREAM : ERROR_STREAM;
  }

  /** Why there is no exit code, where that comes with the output. */
  get failure(): string | undefined {
    return this.#error === "" ? undefined : this.#error;
  }

  /** What the last frame told, where a command's exit code comes with its output; once all of that frame is here. */
  get exitCode(): number | undefined {
    const isWhole = this.#stream === EXIT_STREAM && this.#remaining === 0;
    return isWhole && /^\d{1,3}$/.test(this.#exit) ? Number(this.#exit) : undefined;
  }

  /** @throws Fault `internal` for an unknown stream, or with the daemon's sentence when it reports a failure of the stream */
  push(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#remaining === 0) {
        at = this.#takeHeader(bytes, at);
        continue;
      }
      const end = Math.min(bytes.length, at + this.#remaining);
      this.#emit(bytes.subarray(at, end));
      this.#remaining -= end - at;
      at = end;
      if (this.#remaining === 0 && this.#stream === ERROR_STREAM && this.#last === ERROR_STREAM)
        throw new Fault("internal", `error from daemon in stream: ${this.#error}`);
    }
  }

  #takeHeader(bytes: Uint8Array, from: number): number {
    const end = Math.min(bytes.length, from + HEADER_BYTES - this.#headerBytes);
    this.#header.set(bytes.subarray(from, end), this.#headerBytes);
    this.#headerBytes += end - from;
    if (this.#headerBytes < HEADER_BYTES) return end;
    this.#headerBytes = 0;
    const view = new DataView(this.#header.buffer);
    this.#stream = view.getUint8(0);
    this.#remaining = view.getUint32(4);
    if (this.#stream > this.#last) throw new Fault("internal", `Unrecognized input header: ${this.#stream}`);
    return end;
  }

  #emit(content: Uint8Array): void {
    if (this.#stream === ERROR_STREAM) this.#error += new TextDecoder().decode(content);
    else if (this.#stream === EXIT_STREAM)
      this.#exit = (this.#exit + new TextDecoder().decode(content)).slice(0, LONGEST_EXIT);
    else this.#sink(this.#stream === STDERR ? "stderr" : "stdout", content);
  }
}
