import { Fault } from "#errors";
import { findProgram, tryRun } from "#host";
import { type Family, IptablesRules, type RuleSet, TABLES, type Table } from "./iptables-rules.ts";
import { chainOf, parseRules, type SavedRules, setJumps, targetOf } from "./iptables-save.ts";
import { LegacyWatch } from "./legacy-watch.ts";
import { NftWatch } from "./nft-watch.ts";
import {
  EMPTY_STATE,
  type FirewallBackend,
  type FirewallChange,
  type FirewallParts,
  type FirewallState,
  type FirewallWatch,
  hasFamily,
} from "./state.ts";

/** Seconds to wait for another program that changes rules (iptables-legacy has one lock for all). */
const LOCK_WAIT = "--wait=10";
/** Of what a program said of its failure, the last line. */
const NO_REASON = "it printed no reason";

/** Which programs speak to the kernel: those the host calls iptables, or those for one of its two kinds of rules. */
export type IptablesKind = "iptables" | "iptables-nft" | "iptables-legacy";

interface IptablesOptions {
  readonly kind: IptablesKind;
  /** Whether these programs put their rules where nftables has its own. */
  readonly isNft: boolean;
  /** The name of the daemon's bridge, which tells its rules from another daemon's. */
  readonly daemon: string;
  readonly families: readonly Family[];
}

/** The rules of one daemon through iptables-restore of either kind, one process for a change of one family. */
export class IptablesBackend implements FirewallBackend {
  readonly name: string;
  readonly #options: IptablesOptions;
  readonly #rules: IptablesRules;
  #watch: FirewallWatch | undefined;

  constructor(options: IptablesOptions) {
    this.name = options.isNft ? "iptables-nft" : "iptables-legacy";
    this.#options = options;
    this.#rules = new IptablesRules(options.daemon);
  }

  missing(): string | undefined {
    const wanted = this.#options.families.flatMap((family) => [
      this.#program(family, "restore"),
      this.#program(family, "save"),
    ]);
    const absent = wanted.find((name) => findProgram(name) === undefined);
    return absent === undefined ? undefined : `${absent} is not installed on this host`;
  }

  #program(family: Family, verb: "save" | "restore"): string {
    const [, suffix = ""] = /^iptables(.*)$/.exec(this.#options.kind) ?? [];
    return `${family === 4 ? "iptables" : "ip6tables"}${suffix}-${verb}`;
  }

  async #save(family: Family): Promise<SavedRules> {
    return parseRules((await this.#run([this.#program(family, "save")])).stdout);
  }

  async #run(command: readonly string[], input?: string): Promise<{ readonly stdout: string }> {
    const start = () => tryRun(command, input === undefined ? {} : { input });
    const result = await (this.#watch === undefined ? start() : this.#watch.own(start));
    if (result.code === 0) return result;
    const words = result.stderr.trim().split("\n").at(-1) ?? "";
    throw new Fault("internal", `${command[0]} ended with ${result.code}: ${words || NO_REASON}`);
  }

  /** One process for all tables; each table changes at once or not at all. */
  async #restore(family: Family, lines: (table: Table) => readonly string[]): Promise<void> {
    const parts = TABLES.flatMap((table) => {
      const own = lines(table);
      return own.length === 0 ? [] : [`*${table}`, ...own, "COMMIT"];
    });
    if (parts.length === 0) return;
    await this.#run([this.#program(family, "restore"), "--noflush", LOCK_WAIT], `${parts.join("\n")}\n`);
  }

  async #perFamily(work: (family: Family) => Promise<void>): Promise<void> {
    await Promise.all(this.#options.families.map(work));
  }

  async replace(state: FirewallState): Promise<void> {
    await this.#perFamily(async (family) => {
      if (!hasFamily(state, family)) return this.#clear(family, state);
      const there = await this.#save(family);
      const own = this.#rules.all(state, family);
      await this.#restore(family, (table) => [
        ...this.#rules.ownChains(table).map((chain) => `:${chain} - [0:0]`),
        ...this.#userChain(table, there),
        ...policy(table, { family, state, there }),
        ...setJumps(this.#rules.jumps(table, family), there.rules[table]),
        ...own[table].map((rule) => this.#rules.add(rule)),
      ]);
    });
  }

  /** It is made when it is not there, and never emptied. */
  #userChain(table: Table, there: SavedRules): string[] {
    const { user } = this.#rules;
    return table === "filter" && !there.chains.filter.has(user) ? [`:${user} - [0:0]`] : [];
  }

  async change({ add, remove }: FirewallChange): Promise<void> {
    await this.#perFamily(async (family) => {
      const [gone, come] = [this.#ofParts(remove, family), this.#ofParts(add, family)];
      await this.#restore(family, (table) => [
        ...gone.flatMap((rules) => rules[table].map((rule) => `-D ${rule}`)),
        ...come.flatMap((rules) => rules[table].map((rule) => this.#rules.add(rule))),
      ]);
    });
  }

  #ofParts({ bridges, forwardings }: FirewallParts, family: Family): RuleSet[] {
    return [
      ...bridges.map((bridge) => this.#rules.ofBridge(bridge, family)),
      ...forwardings.map((forwarding) => this.#rules.ofForwarding(forwarding, family)),
    ];
  }

  async clear(): Promise<void> {
    await this.#perFamily((family) => this.#clear(family, EMPTY_STATE));
  }

  async #clear(family: Family, state: FirewallState): Promise<void> {
    const { user } = this.#rules;
    const there = await this.#save(family);
    await this.#restore(family, (table) => {
      const rules = there.rules[table];
      const own = this.#rules.ownChains(table).filter((chain) => there.chains[table].has(chain));
      const isUserChainEmpty = !rules.some((rule) => rule.startsWith(`${user} `));
      if (table === "filter" && there.chains.filter.has(user) && isUserChainEmpty) own.push(user);
      const isOurs = (chain: string): boolean => chain === user || own.includes(chain);
      const jumps = rules.filter((rule) => isOurs(targetOf(rule)) && !isOurs(chainOf(rule)));
      return [
        ...policy(table, { family, state, there }),
        ...jumps.map((rule) => `-D ${rule}`),
        ...own.map((chain) => `-F ${chain}`),
        ...own.map((chain) => `-X ${chain}`),
      ];
    });
  }

  async isIntact(state: FirewallState): Promise<boolean> {
    const answers = this.#options.families.map(async (family) => {
      if (!hasFamily(state, family)) return true;
      const there = await this.#save(family);
      const own = this.#rules.all(state, family);
      return TABLES.every((table) => {
        const count = tally(there.rules[table]);
        const wanted = tally([...this.#rules.jumps(table, family), ...own[table]]);
        return [...wanted].every(([rule, times]) => (count.get(rule) ?? 0) >= times);
      });
    });
    return (await Promise.all(answers)).every(Boolean);
  }

  watch(notice: () => void): FirewallWatch {
    this.#watch = this.#options.isNft ? new NftWatch(notice) : new LegacyWatch(this.#options.families);
    return this.#watch;
  }
}

/** What is nobody's bridge's is not forwarded where it was not before. Any other policy is left alone. */
function policy(
  table: Table,
  { family, state, there }: { family: Family; state: FirewallState; there: SavedRules },
): string[] {
  if (table !== "filter") return [];
  const isDrop = there.chains.filter.get("FORWARD") === "DROP";
  if (state.closedFamilies.includes(family)) return isDrop ? [] : [":FORWARD DROP [0:0]"];
  return state.reopenedFamilies.includes(family) && isDrop ? [":FORWARD ACCEPT [0:0]"] : [];
}

function tally(rules: readonly string[]): Map<string, number> {
  const count = new Map<string, number>();
  for (const rule of rules) count.set(rule, (count.get(rule) ?? 0) + 1);
  return count;
}
