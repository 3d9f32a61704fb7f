/** Upper bounds of the buckets, in seconds. Source: Prometheus client libraries' default, which Docker's daemon uses. */
const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** How often, and how long each time: counted in buckets. */
export class Histogram {
  readonly #counts = new Array<number>(BOUNDS.length).fill(0);
  #count = 0;
  #sum = 0;

  observe(seconds: number): void {
    this.#count += 1;
    this.#sum += seconds;
    for (const [at, bound] of BOUNDS.entries())
      if (seconds <= bound) this.#counts[at] = (this.#counts[at] ?? 0) + 1;
  }

  /** In Prometheus' text format; `labels` is `action="start"`. */
  lines(name: string, labels: string): readonly string[] {
    return [
      ...BOUNDS.map((bound, at) => `${name}_bucket{${labels},le="${bound}"} ${this.#counts[at]}`),
      `${name}_bucket{${labels},le="+Inf"} ${this.#count}`,
      `${name}_sum{${labels}} ${this.#sum}`,
      `${name}_count{${labels}} ${this.#count}`,
    ];
  }
}
