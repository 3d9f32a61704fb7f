import { renameSync } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";

/** Deletes trees in the background: their names are free at once, and what a crash left is deleted at the next open. */
export class Removals implements AsyncDisposable {
  readonly #directory: string;
  readonly #pending = new Set<Promise<void>>();

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** `directory` must be on the file system of what will be removed. */
  static async open(directory: string): Promise<Removals> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const removals = new Removals(directory);
    for (const name of await readdir(directory)) removals.#delete(`${directory}/${name}`);
    return removals;
  }

  /** Resolves when the name is free; nothing there is success. `deleted` is called when it is gone from the disk. */
  async remove(path: string, deleted: () => void = () => {}): Promise<void> {
    const aside = `${this.#directory}/${crypto.randomUUID()}`;
    try {
      renameSync(path, aside);
    } catch (thrown) {
      if (thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT") return;
      throw thrown;
    }
    this.#delete(aside, deleted);
  }

  /** Resolves when everything that was asked for is gone from the disk. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#pending);
  }

  /** What cannot be deleted (an immutable file) stays aside and is tried again at the next open. */
  #delete(path: string, deleted: () => void = () => {}): void {
    const work = rm(path, { recursive: true, force: true })
      .then(deleted)
      .catch(() => {})
      .finally(() => this.#pending.delete(work));
    this.#pending.add(work);
  }
}
