import { TABLES, type Table } from "./iptables-rules.ts";

/** What iptables-save printed: the names of the chains, their policies, and the rules without their `-A `. */
export interface SavedRules {
  readonly chains: Readonly<Record<Table, ReadonlyMap<string, string>>>;
  readonly rules: Readonly<Record<Table, readonly string[]>>;
}

export function parseRules(saved: string): SavedRules {
  const chains = {
    raw: new Map<string, string>(),
    nat: new Map<string, string>(),
    filter: new Map<string, string>(),
  };
  const rules: Record<Table, string[]> = { raw: [], nat: [], filter: [] };
  let table: Table | undefined;
  for (const line of saved.split("\n")) {
    if (line.startsWith("*")) table = TABLES.find((name) => line === `*${name}`);
    else if (table === undefined) continue;
    else if (line.startsWith(":")) {
      const [name = "", policy = ""] = line.slice(1).split(" ");
      chains[table].set(name, policy);
    } else if (line.startsWith("-A ")) rules[table].push(plain(line.slice(3)));
  }
  return { chains, rules };
}

/** A comment may come in quotes, which ours never need. */
const plain = (rule: string): string => rule.trimEnd().replace(/--comment "([^" ]*)"/, "--comment $1");

export const chainOf = (rule: string): string => rule.split(" ")[0] ?? "";
export const targetOf = (rule: string): string => / -[jg] (\S+)/.exec(rule)?.[1] ?? "";

/** Exactly these jumps, at the top of their chains in this order: what else leads there from one of those is removed. */
export function setJumps(jumps: readonly string[], there: readonly string[]): string[] {
  const targets = new Set(jumps.map(targetOf));
  return [...Map.groupBy(jumps, chainOf)].flatMap(([chain, wanted]) => {
    const found = there.filter((rule) => chainOf(rule) === chain && targets.has(targetOf(rule)));
    if (found.join("\n") === wanted.join("\n")) return [];
    return [
      ...found.map((rule) => `-D ${rule}`),
      ...wanted.toReversed().map((jump) => `-I ${chain} 1${jump.slice(chain.length)}`),
    ];
  });
}
