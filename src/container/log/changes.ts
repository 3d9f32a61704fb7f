import { type FSWatcher, watch } from "node:fs";
import { dirname } from "node:path";

/** Also without a notice the file is looked at this often: notices may be lost, and some file systems give none. Milliseconds. */
const LONGEST_SILENCE = 5000;
const POLL = 200;

/** Tells when something may have been written below a folder. */
export class Changes implements Disposable {
  readonly #watcher: FSWatcher | undefined;
  #isChanged = false;
  #wake: (() => void) | undefined;

  constructor(path: string) {
    this.#watcher = watched(dirname(path), () => this.notice());
  }

  /** Wakes `next` up, now or when it is called. */
  readonly notice = (): void => {
    this.#isChanged = true;
    this.#wake?.();
  };

  /** Settles at the next change since the last call, at the latest after some seconds. */
  async next(): Promise<void> {
    if (!this.#isChanged) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, this.#watcher === undefined ? POLL : LONGEST_SILENCE);
      this.#wake = resolve;
      await promise;
      clearTimeout(timer);
    }
    this.#isChanged = false;
    this.#wake = undefined;
  }

  [Symbol.dispose](): void {
    this.#watcher?.close();
  }
}

/** Undefined where the kernel gives no notices, or no more of them. */
function watched(directory: string, notice: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(directory, { persistent: false }, notice);
    watcher.on("error", notice);
    return watcher;
  } catch {
    return undefined;
  }
}
