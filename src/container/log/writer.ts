/** How a log is told. `time` in nanoseconds since the epoch. */
export interface LogWish {
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly since?: bigint;
  readonly until?: bigint;
  /** Of a terminal's output, which is not framed. */
  readonly tty: boolean;
  readonly timestamps: boolean;
  /** The attributes before each message. */
  readonly details: boolean;
}

/** Seconds since the epoch, and nanoseconds of the second. */
export interface Moment {
  readonly seconds: number;
  readonly nanoseconds: number;
}

export type Attributes = Readonly<Record<string, string>>;

export const STDOUT = 1;
export const STDERR = 2;
const FRAME = 8;
const BILLION = 1_000_000_000n;
const EMPTY = new Uint8Array();

/**
 * Entries of a log as a client gets them: those that were asked for, each with its time and attributes where these
 * were, in Docker's frames (stream, three zeros, big-endian length) unless there is a terminal. They are made in
 * one buffer, byte by byte: a log is read as fast as this is. Source: Docker Engine API, ContainerAttach.
 */
export class LogWriter {
  /** Whether the time of an entry must be known. */
  readonly needsTime: boolean;
  readonly needsAttributes: boolean;
  /** Nothing after this is wanted. */
  isOver = false;
  out = Buffer.allocUnsafeSlow(0);
  readonly #wish: LogWish;
  readonly #since: Moment | undefined;
  readonly #until: Moment | undefined;
  #used = 0;
  #second = Number.NaN;
  #date = EMPTY;

  constructor(wish: LogWish) {
    this.#wish = wish;
    this.#since = wish.since === undefined ? undefined : momentOf(wish.since);
    this.#until = wish.until === undefined ? undefined : momentOf(wish.until);
    this.needsTime = wish.timestamps || wish.since !== undefined || wish.until !== undefined;
    this.needsAttributes = wish.details;
  }

  /**
   * Begins an entry whose text has at most so many bytes. Says where in `out` the text goes, -1 when the entry is
   * not wanted; `end` follows.
   */
  begin(most: number, time: Moment | undefined, attributes?: Attributes): number {
    if (this.isOver || (time !== undefined && !this.#isInside(time))) return -1;
    const { timestamps, details, tty } = this.#wish;
    const told = details ? `${detailsOf(attributes ?? {})} ` : "";
    this.#reserve(FRAME + 32 + told.length * 3 + most + 1);
    let at = this.#used + (tty ? 0 : FRAME);
    if (timestamps && time !== undefined) at = this.#stamp(at, time);
    if (details) at += this.out.write(told, at);
    return at;
  }

  /** The entry's text lies in `out` up to `end`. */
  end(stream: number, end: number): void {
    const { stdout, stderr, tty } = this.#wish;
    if (!(stream === STDERR ? stderr : stdout)) return;
    if (!tty) this.#frame(stream, end - this.#used - FRAME);
    this.#used = end;
  }

  /** An entry at once. */
  add(
    stream: number,
    text: Uint8Array,
    about: { readonly time?: Moment; readonly attributes?: Attributes },
  ): void {
    const at = this.begin(text.length, about.time, about.attributes);
    if (at < 0) return;
    this.out.set(text, at);
    this.end(stream, at + text.length);
  }

  /** So many bytes of a log are to come. */
  expect(bytes: number): void {
    this.#reserve(bytes + (bytes >> 2));
  }

  /** What was made since the last time; undefined when that is nothing. */
  take(): Uint8Array | undefined {
    if (this.#used === 0) return undefined;
    const made = this.out.subarray(0, this.#used);
    this.out = Buffer.allocUnsafeSlow(0);
    this.#used = 0;
    return made;
  }

  #isInside(time: Moment): boolean {
    if (this.#since !== undefined && isBefore(time, this.#since)) return false;
    if (this.#until === undefined || !isBefore(this.#until, time)) return true;
    this.isOver = true;
    return false;
  }

  #reserve(more: number): void {
    if (this.#used + more <= this.out.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.out.length * 2, this.#used + more));
    grown.set(this.out.subarray(0, this.#used));
    this.out = grown;
  }

  #frame(stream: number, length: number): void {
    const { out } = this;
    const at = this.#used;
    out[at] = stream;
    out[at + 1] = 0;
    out[at + 2] = 0;
    out[at + 3] = 0;
    out[at + 4] = length >>> 24;
    out[at + 5] = length >>> 16;
    out[at + 6] = length >>> 8;
    out[at + 7] = length;
  }

  /** RFC 3339 in UTC, always with nine decimals, so that lines align. */
  #stamp(at: number, { seconds, nanoseconds }: Moment): number {
    if (seconds !== this.#second) {
      this.#second = seconds;
      this.#date = Buffer.from(new Date(seconds * 1000).toISOString().slice(0, 20));
    }
    this.out.set(this.#date, at);
    let rest = nanoseconds;
    for (let digit = at + 28; digit > at + 19; digit--) {
      this.out[digit] = 0x30 + (rest % 10);
      rest = Math.trunc(rest / 10);
    }
    this.out[at + 29] = 0x5a;
    this.out[at + 30] = 0x20;
    return at + 31;
  }
}

export function momentOf(nanoseconds: bigint): Moment {
  return { seconds: Number(nanoseconds / BILLION), nanoseconds: Number(nanoseconds % BILLION) };
}

const isBefore = (one: Moment, other: Moment): boolean =>
  one.seconds < other.seconds || (one.seconds === other.seconds && one.nanoseconds < other.nanoseconds);

function detailsOf(attributes: Attributes): string {
  const pairs = Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  return pairs.map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`).join(",");
}
