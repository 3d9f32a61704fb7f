/** Who holds what: for each key its holders, each with something of its own. */
export class Holders<T> {
  readonly #held = new Map<string, Map<string, T>>();

  set(key: string, holder: string, value: T): void {
    const holders = this.#held.get(key) ?? new Map<string, T>();
    this.#held.set(key, holders.set(holder, value));
  }

  get(key: string, holder: string): T | undefined {
    return this.#held.get(key)?.get(holder);
  }

  delete(key: string, holder: string): void {
    const holders = this.#held.get(key);
    holders?.delete(holder);
    if (holders?.size === 0) this.#held.delete(key);
  }

  /** All that a holder has. */
  forget(holder: string): void {
    for (const key of this.keysOf(holder)) this.delete(key, holder);
  }

  clear(key: string): void {
    this.#held.delete(key);
  }

  keys(): readonly string[] {
    return [...this.#held.keys()];
  }

  keysOf(holder: string): readonly string[] {
    return this.keys().filter((key) => this.#held.get(key)?.has(holder));
  }

  of(key: string): readonly string[] {
    return [...(this.#held.get(key)?.keys() ?? [])];
  }
}
