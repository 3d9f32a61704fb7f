import { closeSync, constants, openSync } from "node:fs";
import { isAlive } from "#host";
import type { NamespaceHolder } from "./driver.ts";

/** The network namespace of a container that runs, kept open: whatever becomes of the pid, it stays this one. */
export class HeldNamespace implements Disposable {
  readonly #descriptor: number;
  #isOpen = true;

  private constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /** Undefined when the holder has ended. */
  static find({ pid, startTicks }: NamespaceHolder): HeldNamespace | undefined {
    let descriptor: number;
    try {
      descriptor = openSync(`/proc/${pid}/ns/net`, constants.O_RDONLY);
    } catch {
      return undefined;
    }
    // Looked at once it is open: the pid may have become another's before, and no longer matters after.
    if (isAlive(pid, startTicks)) return new HeldNamespace(descriptor);
    closeSync(descriptor);
    return undefined;
  }

  get descriptor(): number {
    return this.#descriptor;
  }

  get path(): string {
    return `/proc/self/fd/${this.#descriptor}`;
  }

  /** Once is enough: afterwards the number may be another file's. */
  [Symbol.dispose](): void {
    if (this.#isOpen) closeSync(this.#descriptor);
    this.#isOpen = false;
  }
}
