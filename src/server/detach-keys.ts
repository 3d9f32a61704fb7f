import { Transform, type TransformCallback } from "node:stream";
import { Fault } from "#errors";

/** ctrl-p, ctrl-q: Docker's default. */
const DEFAULT_KEYS = [16, 17];
const CONTROL_NAMES = "@abcdefghijklmnopqrstuvwxyz[\\]^_";

/** `ctrl-p,ctrl-q`, `a`, `ctrl-a,d` … into the bytes a terminal sends. Throws `invalid`. */
export function parseDetachKeys(text: string | undefined): readonly number[] {
  if (text === undefined || text === "") return DEFAULT_KEYS;
  return text.split(",").map((key) => {
    const name = /^ctrl-(.)$/.exec(key)?.[1];
    const code = name === undefined ? -1 : CONTROL_NAMES.indexOf(name.toLowerCase());
    if (code >= 0) return code;
    if (/^[\x21-\x7e]$/.test(key)) return key.charCodeAt(0);
    throw new Fault(
      "invalid",
      `Invalid detach keys (${text.slice(0, 100)}) provided: expected single characters or ctrl- and a letter, separated by commas`,
    );
  });
}

/**
 * Lets the bytes of a terminal pass until the detach keys come, then emits `detach` and swallows the rest.
 * The beginning of a sequence is held back until it is known not to be one.
 */
export class DetachFilter extends Transform {
  readonly #keys: readonly number[];
  #matched = 0;
  #isDetached = false;

  constructor(keys: readonly number[]) {
    super();
    this.#keys = keys;
  }

  override _transform(chunk: Buffer, _encoding: string, done: TransformCallback): void {
    const kept: number[] = [];
    for (const byte of chunk) {
      if (this.#isDetached) break;
      this.#feed(byte, kept);
    }
    done(null, kept.length === 0 ? undefined : Buffer.from(kept));
    if (this.#isDetached) this.emit("detach");
  }

  override _flush(done: TransformCallback): void {
    const held = this.#keys.slice(0, this.#matched);
    done(null, held.length === 0 || this.#isDetached ? undefined : Buffer.from(held));
  }

  #feed(byte: number, kept: number[]): void {
    if (byte !== this.#keys[this.#matched] && this.#matched > 0) {
      kept.push(...this.#keys.slice(0, this.#matched));
      this.#matched = 0;
    }
    if (byte !== this.#keys[this.#matched]) {
      kept.push(byte);
      return;
    }
    this.#matched += 1;
    this.#isDetached = this.#matched === this.#keys.length;
  }
}
