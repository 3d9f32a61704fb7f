import { statfs } from "node:fs/promises";
import { RegistryProblem } from "./problem.ts";

const MIB = 1024 * 1024;
/** How much may be written until it is looked again whether there is room. */
const STRIDE_BYTES = 64 * MIB;

export interface UploadLimits {
  /** So many requests may write at a time. */
  readonly mostAtOnce: number;
  /** So many bytes of the disk stay free. */
  readonly reserveBytes: number;
}

export const UPLOAD_LIMITS: UploadLimits = { mostAtOnce: 100, reserveBytes: 256 * MIB };

/** A request that writes; disposing it lets the next one in. */
export interface Writing extends Disposable {
  /** Throws 507 when what it has written so far has filled the disk. */
  wrote(bytes: number): Promise<void>;
}

/** Lets uploads in while there is room for them: who is not let in has lost nothing, and may come again. */
export class UploadRoom {
  readonly #root: string;
  readonly #limits: UploadLimits;
  #writing = 0;

  constructor(root: string, limits: UploadLimits) {
    this.#root = root;
    this.#limits = limits;
  }

  /** Throws 429 when too many write already, 507 when so many bytes (0 when they are not known) would fill the disk. */
  async enter(bytes: number): Promise<Writing> {
    if (this.#writing >= this.#limits.mostAtOnce)
      throw new RegistryProblem(429, "TOOMANYREQUESTS", "too many uploads are under way", {
        "Retry-After": "1",
      });
    this.#writing += 1;
    using undo = new DisposableStack();
    undo.defer(() => {
      this.#writing -= 1;
    });
    await this.#require(bytes);
    const left = undo.move();
    let unchecked = 0;
    return {
      wrote: async (more) => {
        unchecked += more;
        if (unchecked < STRIDE_BYTES) return;
        unchecked = 0;
        await this.#require(0);
      },
      [Symbol.dispose]: () => left.dispose(),
    };
  }

  async #require(bytes: number): Promise<void> {
    const { bavail, bsize } = await statfs(this.#root);
    if (bavail * bsize - bytes < this.#limits.reserveBytes) throw full();
  }
}

/** As it is told also when the disk is full in spite of all. */
export function full(): RegistryProblem {
  return new RegistryProblem(
    507,
    "DENIED",
    "the registry's disk is full: what was sent so far is kept for a week",
  );
}
