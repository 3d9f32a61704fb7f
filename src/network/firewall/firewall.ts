import { sentenceOf } from "#errors";
import type { Log } from "#host";
import {
  EMPTY_STATE,
  type FilteredBridge,
  type FirewallBackend,
  type FirewallChange,
  type FirewallParts,
  type FirewallState,
  type FirewallWatch,
  type Forwarding,
} from "./state.ts";

/** What others remove they seldom remove at once: it is looked a moment after the first was noticed. */
const GATHERING_MILLISECONDS = 200;
/** How long the first repair that is not prompt waits. */
const FIRST_WAIT_MILLISECONDS = 1000;
/** So many repairs in a row follow at once; each further one waits twice as long, up to the longest. */
const PROMPT_REPAIRS = 10;
const LONGEST_WAIT_MILLISECONDS = 60_000;
/** So long without a repair, and the next one is prompt again. */
const CALM_MILLISECONDS = 60_000;
/** Comparing all rules takes a while where there are thousands of others': at most one part in so many of the time goes to it. */
const SHARE_OF_COMPARING = 5;

export interface FirewallOptions {
  /** Those whose rules are this daemon's business. */
  readonly families: readonly (4 | 6)[];
  /** Back-ends that an earlier start of this daemon may have left rules in. */
  others(): readonly Pick<FirewallBackend, "name" | "clear">[];
  /** Ends the watch. */
  readonly signal?: AbortSignal;
}

interface Pending {
  readonly add: { readonly bridges: FilteredBridge[]; readonly forwardings: Forwarding[] };
  readonly remove: { readonly bridges: FilteredBridge[]; readonly forwardings: Forwarding[] };
}

const nothingPending = (): Pending => ({
  add: { bridges: [], forwardings: [] },
  remove: { bridges: [], forwardings: [] },
});

const isEmpty = ({ bridges, forwardings }: FirewallParts): boolean =>
  bridges.length === 0 && forwardings.length === 0;

/** What has not been said yet need not be taken back. */
function takeBack<T>(part: T, { add, remove }: { add: T[]; remove: T[] }): void {
  const index = add.indexOf(part);
  if (index >= 0) add.splice(index, 1);
  else remove.push(part);
}

const saysSomething = ({ ports, passages }: Forwarding): boolean => ports.length + passages.length > 0;

const keyOf = ({ containerId, bridge }: Pick<Forwarding, "containerId" | "bridge">): string =>
  `${containerId} ${bridge}`;

/**
 * Keeps what the rules should be, and makes changes one after another: those that come together go together. Until
 * `begin` it only takes note. Rules that others remove are made again.
 */
export class Firewall implements AsyncDisposable {
  readonly #backend: FirewallBackend;
  readonly #log: Log;
  readonly #families: readonly (4 | 6)[];
  readonly #others: FirewallOptions["others"];
  readonly #bridges = new Map<string, FilteredBridge>();
  readonly #forwardings = new Map<string, Forwarding>();
  #closedFamilies: readonly (4 | 6)[] = [];
  #hasBegun = false;
  #pending = nothingPending();
  #next: Promise<void> | undefined;
  #last: Promise<void> = Promise.resolve();
  #watch: FirewallWatch | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #repairs = { count: 0, last: 0 };
  #notBefore = 0;
  /** Who was seen, while it is too early to look after it. */
  #suspect: string | undefined;

  constructor(backend: FirewallBackend, log: Log, options: FirewallOptions) {
    this.#backend = backend;
    this.#log = log;
    this.#families = options.families;
    this.#others = options.others;
    options.signal?.addEventListener("abort", () => this.#stopWatching());
  }

  get backend(): FirewallBackend {
    return this.#backend;
  }

  /** Whether rules of this family are made at all. */
  handles(family: 4 | 6): boolean {
    return this.#families.includes(family);
  }

  /** What this host lacks; undefined too where no rules are wanted. */
  missing(): string | undefined {
    return this.#families.length === 0 ? undefined : this.#backend.missing();
  }

  get #isIdle(): boolean {
    return this.#families.length === 0 || this.#backend.missing() !== undefined;
  }

  get isEmpty(): boolean {
    return this.#bridges.size === 0;
  }

  /** Undefined where there are no rules to be. */
  async isIntact(): Promise<boolean | undefined> {
    if (!this.#hasBegun || this.isEmpty) return undefined;
    let isIntact = false;
    await this.#inTurn(async () => {
      isIntact = await this.#backend.isIntact(this.state);
    });
    return isIntact;
  }

  get state(): FirewallState {
    if (this.#bridges.size === 0) return EMPTY_STATE;
    return {
      bridges: [...this.#bridges.values()],
      forwardings: [...this.#forwardings.values()],
      closedFamilies: this.#closedFamilies,
      reopenedFamilies: [],
    };
  }

  /** All that was taken note of becomes rules, whatever was there before; from now on changes show at once. */
  async begin(): Promise<void> {
    if (this.#isIdle) return;
    const isFirst = !this.#hasBegun;
    this.#hasBegun = true;
    this.#pending = nothingPending();
    if (isFirst) this.#startWatching();
    await this.#inTurn(async () => {
      for (const other of isFirst ? this.#others() : []) await this.#clearOther(other);
      await this.#backend.replace(this.state);
    });
  }

  async #clearOther(other: Pick<FirewallBackend, "name" | "clear">): Promise<void> {
    try {
      await other.clear();
    } catch (error) {
      this.#log("warn", `Rules of an earlier start may be left in ${other.name}: ${sentenceOf(error)}`);
    }
  }

  /** A bridge, or what is to be said of it now, and the ports of those on it: of others there it forgets. */
  async addBridge(bridge: FilteredBridge, forwardings: readonly Forwarding[] = []): Promise<void> {
    const before = this.#bridges.get(bridge.name);
    const isFirst = this.#bridges.size === 0;
    this.#bridges.set(bridge.name, bridge);
    if (JSON.stringify(before) !== JSON.stringify(bridge)) {
      if (before !== undefined) this.#takeBackBridge(before);
      this.#pending.add.bridges.push(bridge);
    }
    const kept = new Set(forwardings.map(keyOf));
    this.#forgetForwardings(
      (forwarding) => forwarding.bridge === bridge.name && !kept.has(keyOf(forwarding)),
    );
    for (const forwarding of forwardings) this.#note(forwarding);
    // There is nothing yet that a change could change.
    if (isFirst) await this.#replaceAll();
    else await this.#flush();
  }

  #forgetForwardings(isMeant: (forwarding: Forwarding) => boolean): void {
    for (const [key, forwarding] of this.#forwardings)
      if (isMeant(forwarding)) {
        this.#forwardings.delete(key);
        this.#takeBackForwarding(forwarding);
      }
  }

  /** With the ports of those on it. Nothing is left when it was the last. */
  async removeBridge(name: string): Promise<void> {
    const bridge = this.#bridges.get(name);
    if (bridge === undefined) return;
    this.#bridges.delete(name);
    this.#takeBackBridge(bridge);
    this.#forgetForwardings((forwarding) => forwarding.bridge === name);
    if (this.#bridges.size === 0) await this.#replaceAll();
    else await this.#flush();
  }

  #takeBackBridge(bridge: FilteredBridge): void {
    const { add, remove } = this.#pending;
    takeBack(bridge, { add: add.bridges, remove: remove.bridges });
  }

  #takeBackForwarding(forwarding: Forwarding): void {
    const { add, remove } = this.#pending;
    takeBack(forwarding, { add: add.forwardings, remove: remove.forwardings });
  }

  async publish(forwarding: Forwarding): Promise<void> {
    this.#note(forwarding);
    await this.#flush();
  }

  #note(forwarding: Forwarding): void {
    const key = keyOf(forwarding);
    const before = this.#forwardings.get(key);
    if (JSON.stringify(before) === JSON.stringify(forwarding)) return;
    this.#forwardings.set(key, forwarding);
    if (before !== undefined) this.#takeBackForwarding(before);
    if (saysSomething(forwarding)) this.#pending.add.forwardings.push(forwarding);
  }

  /** Does nothing for a container that has no ports there. */
  async withdraw(containerId: string, bridge: string): Promise<void> {
    const key = keyOf({ containerId, bridge });
    const forwarding = this.#forwardings.get(key);
    if (forwarding === undefined) return;
    this.#forwardings.delete(key);
    this.#takeBackForwarding(forwarding);
    await this.#flush();
  }

  /** For families whose forwarding this daemon turned on: what is nobody's bridge's is not forwarded. */
  async closeForwarding(families: readonly (4 | 6)[]): Promise<void> {
    const wanted = families.filter((family) => this.handles(family));
    if (String(wanted) === String(this.#closedFamilies)) return;
    this.#closedFamilies = wanted;
    await this.#replaceAll();
  }

  /** For families whose forwarding was turned off again. */
  async reopenForwarding(families: readonly (4 | 6)[]): Promise<void> {
    const wanted = families.filter((family) => this.handles(family));
    this.#closedFamilies = this.#closedFamilies.filter((family) => !wanted.includes(family));
    if (wanted.length === 0 || !this.#hasBegun) return;
    await this.#inTurn(() => this.#backend.replace({ ...this.state, reopenedFamilies: wanted }));
  }

  /** Removes all rules, and forgets what they should be. */
  async clear(): Promise<void> {
    this.#bridges.clear();
    this.#forwardings.clear();
    this.#pending = nothingPending();
    if (!this.#isIdle) await this.#inTurn(() => this.#backend.clear());
  }

  async #replaceAll(): Promise<void> {
    this.#pending = nothingPending();
    if (!this.#hasBegun) return;
    await this.#inTurn(() => this.#backend.replace(this.state));
  }

  #flush(): Promise<void> {
    if (!this.#hasBegun || (isEmpty(this.#pending.add) && isEmpty(this.#pending.remove)))
      return this.#next ?? Promise.resolve();
    this.#next ??= this.#inTurn(async () => {
      this.#next = undefined;
      const change = this.#pending;
      this.#pending = nothingPending();
      if (!isEmpty(change.add) || !isEmpty(change.remove)) await this.#apply(change);
    });
    return this.#next;
  }

  async #apply(change: FirewallChange): Promise<void> {
    try {
      await this.#backend.change(change);
    } catch (error) {
      this.#log(
        "warn",
        `The firewall's rules were not as bunker left them; they are made again (${sentenceOf(error)})`,
      );
      await this.#backend.replace(this.state);
    }
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const mine = this.#last.then(work);
    this.#last = mine.catch(() => {});
    return mine;
  }

  #startWatching(): void {
    this.#watch = this.#backend.watch(() => this.#lookIn(GATHERING_MILLISECONDS));
    this.#lookIn(GATHERING_MILLISECONDS);
  }

  /** One look at a time is ahead; while there is nothing to look at no timer runs. */
  #lookIn(milliseconds: number): void {
    if (this.#watch === undefined || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#look();
    }, milliseconds);
    this.#timer.unref();
  }

  #look(): void {
    // In its turn: what a program of ours is doing just now must be known as ours first.
    void this.#inTurn(async () => {
      this.#suspect = this.#watch?.look() ?? this.#suspect;
      if (this.#suspect !== undefined && performance.now() >= this.#notBefore)
        await this.#compare(this.#suspect);
    })
      .catch((error: unknown) =>
        this.#log("error", `The firewall's rules could not be made again: ${sentenceOf(error)}`),
      )
      .finally(() => this.#lookAgain());
  }

  #lookAgain(): void {
    const interval = this.#watch?.interval;
    if (this.#suspect !== undefined)
      this.#lookIn(Math.max(GATHERING_MILLISECONDS, this.#notBefore - performance.now()));
    else if (interval !== undefined) this.#lookIn(interval);
  }

  async #compare(intruder: string): Promise<void> {
    this.#suspect = undefined;
    const start = performance.now();
    const isIntact = await this.#backend.isIntact(this.state);
    const now = performance.now();
    this.#notBefore = now + (now - start) * SHARE_OF_COMPARING;
    if (isIntact) return;
    if (now - this.#repairs.last > CALM_MILLISECONDS) this.#repairs.count = 0;
    this.#repairs = { count: this.#repairs.count + 1, last: now };
    const excess = this.#repairs.count - PROMPT_REPAIRS;
    if (excess > 0)
      this.#notBefore = now + Math.min(FIRST_WAIT_MILLISECONDS * 2 ** excess, LONGEST_WAIT_MILLISECONDS);
    this.#log("warn", `Rules of the firewall were removed by ${intruder}; they are made again`);
    await this.#backend.replace(this.state);
  }

  /** The rules stay: containers go on without the daemon. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last;
    this.#stopWatching();
  }

  #stopWatching(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#watch?.[Symbol.dispose]();
    this.#watch = undefined;
  }
}
