import { statfsSync } from "node:fs";
import { Fault } from "#errors";

/** A disk is never filled beyond this share by an archive. */
const FULL = 0.95;
/** How much is written between two looks at the disk. */
const STRIDE_BYTES = 16 * 1024 * 1024;
const STRIDE_FILES = 256;

/**
 * Stops an archive before it fills the disk: 95 % may be in use afterwards, and where less than a tenth was
 * free to begin with, half of that.
 */
export class SpaceGuard {
  readonly #directory: string;
  readonly #reservedBytes: number;
  readonly #reservedFiles: number;
  #bytes = 0;
  #files = 0;

  constructor(directory: string) {
    this.#directory = directory;
    const { bsize, blocks, bavail, files, ffree } = statfsSync(directory);
    this.#reservedBytes = Math.min(blocks * (1 - FULL), bavail / 2) * bsize;
    this.#reservedFiles = Math.min(files * (1 - FULL), ffree / 2);
  }

  /** Throws `unavailable` when it is enough. */
  wrote(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes >= STRIDE_BYTES) this.#look();
  }

  madeFile(): void {
    this.#files++;
    if (this.#files >= STRIDE_FILES) this.#look();
  }

  #look(): void {
    this.#bytes = 0;
    this.#files = 0;
    const { bsize, bavail, ffree, files } = statfsSync(this.#directory);
    if (bavail * bsize < this.#reservedBytes)
      throw new Fault("unavailable", "Cannot unpack the archive: no space left on device that it may use");
    if (files > 0 && ffree < this.#reservedFiles)
      throw new Fault("unavailable", "Cannot unpack the archive: no space left on device for so many files");
  }
}
