import { constants } from "node:fs";
import { dirname } from "node:path";
import { Fault } from "#errors";
import { AT_FDCWD, close, must, openAt, seek, truncate, write } from "#host";
import { SpaceGuard } from "../space.ts";
import { BLOCK, BLOCKS_LIMIT, roundUp, SLOT } from "./layout.ts";

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
/** So much is gathered before it is written. */
const BUFFER_BYTES = 1024 * 1024;
/** Inodes are gathered in stretches of so many bytes, between the data as it comes. */
const STRETCH_BYTES = 64 * 1024;

/** The image: space is handed out once, from the start to the end, and written in any order. */
export class ImageFile {
  readonly #descriptor: number;
  readonly #space: SpaceGuard;
  readonly #buffer = Buffer.alloc(BUFFER_BYTES);
  readonly #stretch = Buffer.alloc(STRETCH_BYTES);
  #bufferAt = 0;
  #filled = 0;
  #stretchAt = 0;
  #stretchUsed = STRETCH_BYTES;
  #end: number;

  /** The first `reserved` bytes are the caller's. */
  constructor(path: string, reserved: number) {
    this.#space = new SpaceGuard(dirname(path));
    const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
    this.#descriptor = must(openAt(AT_FDCWD, path, flags, 0o600), "make the image");
    this.#end = reserved;
  }

  /** Whole blocks. Throws `invalid` where block addresses end. */
  allocate(bytes: number): number {
    const at = this.#end;
    this.#end = roundUp(at + bytes, BLOCK);
    if (this.#end / BLOCK > BLOCKS_LIMIT)
      throw new Fault("invalid", "Cannot unpack the archive: its files exceed the 16 TiB of an EROFS image");
    return at;
  }

  /** Bytes of a block before and behind what is written are zeros. */
  write(bytes: Uint8Array, at: number): void {
    const gap = at - (this.#bufferAt + this.#filled);
    // A longer gap may hold what was written before.
    if (gap < 0 || gap >= BLOCK || this.#filled + gap + bytes.length > BUFFER_BYTES) {
      this.#flush();
      this.#bufferAt = at;
      if (bytes.length >= BUFFER_BYTES) {
        this.#put(bytes, at);
        this.#bufferAt = at + bytes.length;
        return;
      }
    } else this.#buffer.fill(0, this.#filled, this.#filled + gap);
    const start = at - this.#bufferAt;
    this.#buffer.set(bytes, start);
    this.#filled = start + bytes.length;
  }

  /** A place for an inode and what follows it. One of no more than a block does not cross the end of one. */
  place(record: Buffer): number {
    if (record.length > STRETCH_BYTES) {
      const at = this.allocate(record.length);
      this.write(record, at);
      return at;
    }
    const start = placeAfter(this.#stretchUsed, record.length);
    if (start + record.length > STRETCH_BYTES) {
      this.#closeStretch();
      this.#stretchAt = this.allocate(STRETCH_BYTES);
      return this.place(record);
    }
    record.copy(this.#stretch, start);
    this.#stretchUsed = start + record.length;
    return this.#stretchAt + start;
  }

  /** Everything is written, and whole. Returns the number of blocks. */
  finish(): number {
    this.#closeStretch();
    this.#flush();
    must(truncate(this.#descriptor, this.#end), "set the size of the image");
    return this.#end / BLOCK;
  }

  close(): void {
    close(this.#descriptor);
  }

  /** Writes over what was written before; after `finish`. */
  patch(bytes: Uint8Array, at: number): void {
    this.#put(bytes, at);
  }

  #closeStretch(): void {
    if (this.#stretchAt > 0) this.write(this.#stretch, this.#stretchAt);
    this.#stretch.fill(0);
    this.#stretchUsed = 0;
  }

  #flush(): void {
    this.#put(this.#buffer.subarray(0, this.#filled), this.#bufferAt);
    this.#filled = 0;
  }

  #put(bytes: Uint8Array, at: number): void {
    if (bytes.length === 0) return;
    must(seek(this.#descriptor, at, 0), "write the image");
    for (let done = 0; done < bytes.length; )
      done += must(write(this.#descriptor, done === 0 ? bytes : bytes.subarray(done)), "write the image");
    this.#space.wrote(bytes.length);
  }
}

/** The next place for an inode at or after a position. */
export function placeAfter(used: number, bytes: number): number {
  const at = roundUp(used, SLOT);
  // What is larger may be cut by a block's end, but its inode may not.
  return BLOCK - (at % BLOCK) >= Math.min(bytes, BLOCK) ? at : roundUp(at, BLOCK);
}
