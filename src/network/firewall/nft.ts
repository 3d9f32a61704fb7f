import { Fault } from "#errors";
import { findProgram, type ProgramResult, tryRun } from "#host";
import type { Family } from "./iptables-rules.ts";
import {
  chainNames,
  elementLines,
  elementsOf,
  replaceScript,
  rulesOf,
  setNames,
  tableOf,
  USER_CHAIN,
} from "./nft-script.ts";
import { NftWatch } from "./nft-watch.ts";
import {
  type FirewallBackend,
  type FirewallChange,
  type FirewallState,
  type FirewallWatch,
  hasFamily,
} from "./state.ts";

interface NftOptions {
  /** The name of the daemon's bridge, which tells its tables from another daemon's. */
  readonly daemon: string;
  readonly families: readonly Family[];
}

/** What is looked at of `nft --json list table`. */
interface Listed {
  readonly nftables: readonly {
    readonly rule?: { readonly chain: string };
    readonly chain?: { readonly name: string };
    readonly set?: ListedSet;
    readonly map?: ListedSet;
  }[];
}
interface ListedSet {
  readonly name: string;
  readonly elem?: readonly unknown[];
}

/**
 * Tables of our own in the kernel's nftables, `ip bunker` and `ip6 bunker`, through one `nft` for a change. Ports are
 * elements of maps: how many there are costs a packet nothing.
 */
export class NftBackend implements FirewallBackend {
  readonly name = "nftables";
  readonly #daemon: string;
  readonly #families: readonly Family[];
  #watch: FirewallWatch | undefined;

  constructor({ daemon, families }: NftOptions) {
    this.#daemon = daemon;
    this.#families = families;
  }

  missing(): string | undefined {
    return findProgram("nft") === undefined ? "nft is not installed on this host" : undefined;
  }

  async replace(state: FirewallState): Promise<void> {
    const scripts = this.#families.map(async (family) =>
      hasFamily(state, family) ? replaceScript(this.#daemon, family, state) : this.#clearScript(family),
    );
    await this.#apply((await Promise.all(scripts)).flat());
  }

  async change({ add, remove }: FirewallChange): Promise<void> {
    const daemon = this.#daemon;
    await this.#apply(
      this.#families.flatMap((family) => [
        ...elementLines("delete", { daemon, family, elements: elementsOf(remove, family) }),
        ...elementLines("add", { daemon, family, elements: elementsOf(add, family) }),
      ]),
    );
  }

  async clear(): Promise<void> {
    const scripts = await Promise.all(this.#families.map((family) => this.#clearScript(family)));
    await this.#apply(scripts.flat());
  }

  /** All goes at once, unless the user has rules in the chain that is theirs: then that chain stays. */
  async #clearScript(family: Family): Promise<string[]> {
    const table = tableOf(this.#daemon, family);
    const listed = await this.#list(family);
    if (listed === undefined) return [];
    const hasUserRules = listed.nftables.some(({ rule }) => rule?.chain === USER_CHAIN);
    if (!hasUserRules) return [`delete table ${table}`];
    const chains = listed.nftables
      .flatMap(({ chain }) => chain?.name ?? [])
      .filter((name) => name !== USER_CHAIN);
    const sets = listed.nftables.flatMap(({ set, map }) => set?.name ?? map?.name ?? []);
    return [
      ...chains.map((name) => `flush chain ${table} ${name}`),
      ...chains.map((name) => `delete chain ${table} ${name}`),
      ...sets.map((name) => `delete set ${table} ${name}`),
    ];
  }

  /** Undefined when there is no such table. */
  async #list(family: Family): Promise<Listed | undefined> {
    const { code, stdout } = await this.#run([
      "--json",
      "list",
      "table",
      ...tableOf(this.#daemon, family).split(" "),
    ]);
    return code === 0 ? (JSON.parse(stdout) as Listed) : undefined;
  }

  async #apply(lines: readonly string[]): Promise<void> {
    if (lines.length === 0) return;
    const { code, stderr } = await this.#run(["-f", "-"], `${lines.join("\n")}\n`);
    if (code === 0) return;
    const words = stderr.trim().split("\n")[0] ?? "";
    throw new Fault("internal", `nft ended with ${code}: ${words || "it printed no reason"}`);
  }

  async #run(args: readonly string[], input?: string): Promise<ProgramResult> {
    const run = () => tryRun(["nft", ...args], input === undefined ? {} : { input });
    return this.#watch === undefined ? run() : this.#watch.own(run);
  }

  /** By count: a rule or an element that went is missing in its chain or set. */
  async isIntact(state: FirewallState): Promise<boolean> {
    const answers = this.#families.map(async (family) => {
      if (!hasFamily(state, family)) return true;
      const listed = await this.#list(family);
      return listed !== undefined && holdsAll(listed, { state, family });
    });
    return (await Promise.all(answers)).every(Boolean);
  }

  watch(notice: () => void): FirewallWatch {
    this.#watch = new NftWatch(
      notice,
      this.#families.map((family) => tableOf(this.#daemon, family).split(" ")[1] ?? ""),
    );
    return this.#watch;
  }
}

function holdsAll(
  { nftables }: Listed,
  { state, family }: { state: FirewallState; family: Family },
): boolean {
  const rules = rulesOf(family, state.closedFamilies.includes(family));
  const elements = elementsOf(state, family);
  const hasRules = chainNames().every(
    (name) =>
      nftables.some(({ chain }) => chain?.name === name) &&
      nftables.filter(({ rule }) => rule?.chain === name).length === rules[name]?.length,
  );
  const found = new Map(
    nftables.flatMap(({ set, map }) => {
      const one = set ?? map;
      return one === undefined ? [] : [[one.name, one.elem?.length ?? 0] as const];
    }),
  );
  const wanted = (name: string): number => elements.filter(({ set }) => set === name).length;
  return hasRules && setNames().every((name) => found.get(name) === wanted(name));
}
