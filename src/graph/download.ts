import { constants } from "node:fs";
import { type FileHandle, open, rm } from "node:fs/promises";
import { Fault } from "#errors";
import { type Content, hasherFor, mismatch } from "./content.ts";
import { Flights, type Passenger, type Voyage } from "./flights.ts";
import { Gauge } from "./gauge.ts";
import { takeOver } from "./neighbours.ts";
import { Slots } from "./slots.ts";
import type { LayerSource } from "./types.ts";

const { O_RDWR, O_CREAT, O_NOFOLLOW } = constants;
/** Chunks from the network are gathered to this size before they are written, or to so many. */
const WRITE_BYTES = 512 * 1024;
const WRITE_CHUNKS = 256;
const READ_BYTES = 1024 * 1024;

/** A blob on its way into the content store. */
export interface Arrival {
  /** Bytes on disk by now; ends when they are all there and the digest is right. */
  readonly growth: AsyncIterable<number>;
  /** Resolves when the first bytes may come. */
  readonly started: Promise<void>;
  /** Resolves when the blob is verified and has its name. */
  readonly whole: Promise<void>;
}

class Cargo {
  readonly gauge = new Gauge();
  readonly started = Promise.withResolvers<void>();
}

/** Brings blobs into the content store, each one once, whoever wants it. */
export class Downloads {
  readonly #content: Content;
  readonly #slots: Slots;
  /** The runtime has no more threads for files than processors: those that wait for the disk leave none for what comes. */
  readonly #disk = new Slots(1);
  readonly #flights = new Flights<void, Cargo>(() => new Cargo());

  constructor(content: Content, concurrency: number) {
    this.#content = content;
    this.#slots = new Slots(concurrency);
  }

  limit(concurrency: number): void {
    this.#slots.resize(concurrency);
  }

  /** Begins, or joins what is under way; the caller lets go by its signal. */
  fetch(source: LayerSource, passenger: Passenger): Arrival {
    const { cargo, done } = this.#flights.join(source.descriptor.digest, passenger, (voyage) =>
      this.#run(source, voyage),
    );
    done.catch(() => {});
    return { growth: cargo.gauge, started: cargo.started.promise, whole: done };
  }

  async #run(source: LayerSource, voyage: Voyage<Cargo>): Promise<void> {
    const { gauge, started } = voyage.cargo;
    try {
      await this.#bring(source, voyage);
    } catch (thrown) {
      gauge.fail(thrown);
      started.resolve();
      throw thrown;
    }
  }

  async #bring(source: LayerSource, { signal, report, cargo }: Voyage<Cargo>): Promise<void> {
    const { digest, size } = source.descriptor;
    const { gauge, started } = cargo;
    const isHere = (await this.#content.size(digest)) === size;
    if (isHere || (await takeOver(this.#content, { digest, size, signal }))) {
      gauge.rise(size);
      gauge.end();
      return started.resolve();
    }
    using slot = await this.#slots.acquire(signal);
    started.resolve();
    const path = this.#content.partialPath(digest);
    await using file = await open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
    const incoming = await resume(file, source);
    try {
      gauge.rise(incoming.offset);
      report("downloading", incoming.offset, size);
      for await (const chunk of remaining(source, incoming.offset, signal)) {
        await incoming.add(chunk);
        gauge.rise(incoming.written);
        report("downloading", incoming.offset, size);
        signal.throwIfAborted();
      }
      await incoming.flush();
      gauge.rise(incoming.written);
      report("verifying", size, size);
      incoming.verify();
    } catch (thrown) {
      await incoming.settle();
      if (incoming.isWrong) await rm(path, { force: true });
      throw thrown;
    }
    gauge.end();
    // The next may come while the disk writes.
    slot[Symbol.dispose]();
    using _disk = await this.#disk.acquire(signal);
    await file.sync();
    await this.#content.publish(digest);
    report("downloaded", size, size);
  }
}

function remaining(source: LayerSource, offset: number, signal: AbortSignal): AsyncIterable<Uint8Array> | [] {
  return offset === source.descriptor.size ? [] : source.open(offset, signal);
}

/** Takes up what an earlier try left: its bytes are hashed again, for nobody vouches for them. */
async function resume(file: FileHandle, source: LayerSource): Promise<Incoming> {
  const incoming = new Incoming(file, source);
  const { size } = await file.stat();
  if (size > source.descriptor.size) await file.truncate(0);
  else await incoming.rehash(size);
  return incoming;
}

/** Bytes of one blob: hashed as they come, gathered, and written while the next ones come. */
class Incoming {
  readonly #file: FileHandle;
  readonly #source: LayerSource;
  readonly #hash;
  #gathered: Uint8Array[] = [];
  #gatheredBytes = 0;
  #writing: Promise<void> = Promise.resolve();
  offset = 0;
  /** Bytes that can be read from the file. */
  written = 0;
  /** What is on disk can never become the blob. */
  isWrong = false;

  constructor(file: FileHandle, source: LayerSource) {
    this.#file = file;
    this.#source = source;
    this.#hash = hasherFor(source.descriptor.digest);
  }

  async rehash(length: number): Promise<void> {
    const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
    while (this.offset < length) {
      const { bytesRead } = await this.#file.read(
        buffer,
        0,
        Math.min(READ_BYTES, length - this.offset),
        this.offset,
      );
      if (bytesRead === 0) break;
      this.#hash.update(buffer.subarray(0, bytesRead));
      this.offset += bytesRead;
    }
    this.written = this.offset;
  }

  async add(chunk: Uint8Array): Promise<void> {
    const { digest, size } = this.#source.descriptor;
    if (this.offset + chunk.length > size) {
      this.isWrong = true;
      throw new Fault(
        "invalid",
        `Cannot accept ${digest}: it is larger than the ${size} bytes that were declared`,
      );
    }
    this.#hash.update(chunk);
    this.offset += chunk.length;
    this.#gathered.push(chunk);
    this.#gatheredBytes += chunk.length;
    const isEnough = this.#gatheredBytes >= WRITE_BYTES || this.#gathered.length >= WRITE_CHUNKS;
    if (isEnough) await this.#write();
  }

  async flush(): Promise<void> {
    await this.#write();
    await this.#writing;
  }

  /** After a failure: nothing writes any more. */
  async settle(): Promise<void> {
    await this.flush().catch(() => {});
  }

  /** Throws `unavailable` when bytes are missing (a later try goes on from here), `invalid` when they are wrong. */
  verify(): void {
    const { digest, size } = this.#source.descriptor;
    if (this.offset < size)
      throw new Fault(
        "unavailable",
        `Cannot download ${digest}: it ended after ${this.offset} of ${size} bytes`,
      );
    const actual = `${digest.slice(0, digest.indexOf(":"))}:${this.#hash.digest("hex")}`;
    if (actual === digest) return;
    this.isWrong = true;
    throw mismatch(digest, actual);
  }

  /** Waits for the write before and starts the next. */
  async #write(): Promise<void> {
    await this.#writing;
    const chunks = this.#gathered;
    const length = this.#gatheredBytes;
    this.#gathered = [];
    this.#gatheredBytes = 0;
    if (length === 0) return;
    const at = this.written;
    this.#writing = writeAll(this.#file, chunks, at).then(() => {
      this.written = at + length;
      chunks.forEach(letGo);
    });
    this.#writing.catch(() => {});
  }
}

/** Its memory is there for the next at once: what waits for the collector makes a daemon larger by a third. */
function letGo({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}

async function writeAll(file: FileHandle, chunks: readonly Uint8Array[], position: number): Promise<void> {
  let at = position;
  for (let rest = chunks; rest.length > 0; ) {
    const { bytesWritten } = await file.writev(rest, at);
    at += bytesWritten;
    rest = behind(rest, bytesWritten);
  }
}

function behind(chunks: readonly Uint8Array[], length: number): readonly Uint8Array[] {
  let left = length;
  const first = chunks.findIndex((chunk) => {
    if (left < chunk.length) return true;
    left -= chunk.length;
    return false;
  });
  return first < 0
    ? []
    : [...chunks.slice(first, first + 1).map((chunk) => chunk.subarray(left)), ...chunks.slice(first + 1)];
}
