/**
 * What no row holds yet, because whoever wants it is still under way, however long it takes: layers that a pull
 * obtains, blobs that become a layer's.
 */
export class Leases<Name extends string> {
  readonly #counts = new Map<Name, number>();

  /** Each hold wants its own release. */
  hold(name: Name): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  release(names: Iterable<Name>): void {
    for (const name of names) {
      const count = this.#counts.get(name) ?? 0;
      if (count <= 1) this.#counts.delete(name);
      else this.#counts.set(name, count - 1);
    }
  }

  /** Held until the result is disposed. */
  use(name: Name): Disposable {
    this.hold(name);
    return { [Symbol.dispose]: () => this.release([name]) };
  }

  isHeld(name: Name): boolean {
    return this.#counts.has(name);
  }

  held(): ReadonlySet<Name> {
    return new Set(this.#counts.keys());
  }
}
