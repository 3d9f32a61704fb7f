import type { Family } from "./iptables-rules.ts";
import { LegacyTables } from "./kernel-rules.ts";
import type { FirewallWatch, Intruder } from "./state.ts";

const WATCHED = ["raw", "nat", "filter"];
/** Looks between two thorough ones: what keeps the number of rules may still have changed them. */
const LOOKS_TO_THOROUGH = 60;

/** iptables-legacy tells nobody of changes: how many rules a table has, and where its chains are, is asked for. */
export class LegacyWatch implements FirewallWatch {
  readonly interval = 1000;
  readonly #tables: readonly LegacyTables[];
  #known: string;
  #isSuspect = false;
  #looks = 0;
  /** Programs of ours that are at work. */
  #running = 0;

  constructor(families: readonly Family[]) {
    this.#tables = families.map((family) => new LegacyTables(family));
    this.#known = this.#ask();
  }

  #ask(): string {
    return this.#tables
      .flatMap((tables) => WATCHED.map((table) => Buffer.from(tables.shape(table)).toString("hex")))
      .join();
  }

  look(): Intruder | undefined {
    this.#looks += 1;
    this.#compare();
    const isSuspect = this.#isSuspect || this.#looks % LOOKS_TO_THOROUGH === 0;
    this.#isSuspect = false;
    return isSuspect ? "another program" : undefined;
  }

  #compare(): void {
    const now = this.#ask();
    this.#isSuspect ||= now !== this.#known;
    this.#known = now;
  }

  async own<T extends { readonly pid: number }>(work: () => Promise<T>): Promise<T> {
    if (this.#running === 0) this.#compare();
    this.#running += 1;
    try {
      return await work();
    } finally {
      this.#running -= 1;
      this.#known = this.#ask();
    }
  }

  [Symbol.dispose](): void {
    for (const tables of this.#tables) tables[Symbol.dispose]();
  }
}
