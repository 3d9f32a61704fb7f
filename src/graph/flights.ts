import type { LayerReport } from "./types.ts";

export interface Passenger {
  readonly signal: AbortSignal;
  readonly report: LayerReport;
}

export interface Voyage<Cargo> {
  readonly signal: AbortSignal;
  readonly report: LayerReport;
  readonly cargo: Cargo;
}

export type Work<T, Cargo> = (voyage: Voyage<Cargo>) => Promise<T>;

/** What a caller gets: the outcome, and what all callers of the same work can watch meanwhile. */
export interface Ride<T, Cargo> {
  readonly cargo: Cargo;
  /** Rejects with the signal's reason when the caller lets go; if it was the last, after the work has cleaned up. */
  readonly done: Promise<T>;
}

/** Work that several callers want at the same time is done once, and goes on while anybody wants it. */
export class Flights<T, Cargo = undefined> {
  readonly #flying = new Map<string, Flight<T, Cargo>>();
  readonly #load: () => Cargo;

  constructor(load: () => Cargo) {
    this.#load = load;
  }

  join(key: string, passenger: Passenger, work: Work<T, Cargo>): Ride<T, Cargo> {
    const flight = this.#board(key, work);
    return { cargo: flight.cargo, done: flight.ride(passenger) };
  }

  /** What is under way now, if anything; asking does not count as wanting it. */
  current(key: string): Promise<T> | undefined {
    return this.#flying.get(key)?.done;
  }

  keys(): readonly string[] {
    return [...this.#flying.keys()];
  }

  /** An abandoned flight still has to land before the next one for the same key may start. */
  #board(key: string, work: Work<T, Cargo>): Flight<T, Cargo> {
    const present = this.#flying.get(key);
    if (present !== undefined && !present.isAbandoned) return present;
    const flight = new Flight<T, Cargo>(this.#load(), async (voyage) => {
      await present?.done.catch(() => {});
      voyage.signal.throwIfAborted();
      return work(voyage);
    });
    this.#flying.set(key, flight);
    const land = () => {
      if (this.#flying.get(key) === flight) this.#flying.delete(key);
    };
    flight.done.then(land, land);
    return flight;
  }
}

class Flight<T, Cargo> {
  readonly cargo: Cargo;
  readonly done: Promise<T>;
  readonly #abort = new AbortController();
  readonly #reports = new Set<LayerReport>();
  #last: Parameters<LayerReport> | undefined;
  #aboard = 0;

  constructor(cargo: Cargo, work: Work<T, Cargo>) {
    this.cargo = cargo;
    this.done = work({ signal: this.#abort.signal, report: (...report) => this.#tell(report), cargo });
    this.done.catch(() => {});
  }

  get isAbandoned(): boolean {
    return this.#abort.signal.aborted;
  }

  async ride({ signal, report }: Passenger): Promise<T> {
    const off = Promise.withResolvers<never>();
    const getOff = () => off.reject(signal.reason);
    this.#aboard++;
    this.#reports.add(report);
    if (this.#last !== undefined) report(...this.#last);
    signal.addEventListener("abort", getOff, { once: true });
    if (signal.aborted) getOff();
    try {
      return await Promise.race([off.promise, this.done]);
    } finally {
      signal.removeEventListener("abort", getOff);
      this.#reports.delete(report);
      if (--this.#aboard === 0 && signal.aborted) {
        this.#abort.abort(signal.reason);
        await this.done.catch(() => {});
      }
    }
  }

  #tell(report: Parameters<LayerReport>): void {
    this.#last = report;
    for (const tell of this.#reports) tell(...report);
  }
}
