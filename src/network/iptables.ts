import { findProgram, run } from "#host";
import { contains, parseAddress, requirePrefix } from "./addresses.ts";
import type { PublishedPort } from "./driver.ts";
import type {
  FilteredBridge,
  FirewallBackend,
  FirewallChange,
  FirewallState,
  Forwarding,
} from "./firewall.ts";

type Table = "raw" | "nat" | "filter";
const TABLES: readonly Table[] = ["raw", "nat", "filter"];
/** The daemon with this bridge has the plain names; any other puts its bridge's name behind. */
const PLAIN_BRIDGE = "bunker0";
/** Seconds to wait for another program that changes rules (iptables-legacy has one lock for all). */
const LOCK_WAIT = "--wait=10";
const LOOPBACK = requirePrefix("127.0.0.0/8", "the loopback").subnet;

/** A chain name has at most 28 characters: 11 of ours, a dash, and at most 15 of the bridge's. */
function chainsOf(bridge: string) {
  const name = (part: string): string => (bridge === PLAIN_BRIDGE ? part : `${part}-${bridge}`);
  return {
    raw: name("BUNKER-RAW"),
    dnat: name("BUNKER-DNAT"),
    post: name("BUNKER-POST"),
    forward: name("BUNKER-FWD"),
    user: name("BUNKER-USER"),
  };
}

/** The rules of one daemon, told by its bridge's name, through iptables-restore of either kind (legacy, nf_tables). */
export class IptablesBackend implements FirewallBackend {
  readonly #mark: string;
  readonly #chains: ReturnType<typeof chainsOf>;

  constructor(bridge: string) {
    this.#mark = `bunker:${bridge}`;
    this.#chains = chainsOf(bridge);
  }

  missing(): string | undefined {
    const absent = ["iptables-restore", "iptables-save"].find((name) => findProgram(name) === undefined);
    return absent === undefined ? undefined : `${absent} is not installed on this host`;
  }

  async replace(state: FirewallState): Promise<void> {
    const there = parseRules(await run(["iptables-save"]));
    const own = this.#ownRules(state);
    const blocks = TABLES.map((table) => {
      const chains = this.#ownChains(table);
      const lines = chains.map((chain) => `:${chain} - [0:0]`);
      const { user } = this.#chains;
      if (table === "filter" && !there.chains.filter.has(user)) lines.push(`:${user} - [0:0]`);
      for (const jump of this.#jumps(table)) lines.push(...setJump(jump, there.rules[table]));
      return [...lines, ...own[table].map((rule) => `-A ${rule}`)];
    });
    await restore(blocks);
  }

  async change({ add, remove }: FirewallChange): Promise<void> {
    const blocks = TABLES.map((table) => [
      ...remove.flatMap((forwarding) => this.#forwardingRules(forwarding)[table].map((rule) => `-D ${rule}`)),
      ...add.flatMap((forwarding) => this.#forwardingRules(forwarding)[table].map((rule) => `-A ${rule}`)),
    ]);
    await restore(blocks);
  }

  async clear(): Promise<void> {
    const there = parseRules(await run(["iptables-save"]));
    const blocks = TABLES.map((table) => {
      const rules = there.rules[table];
      const own = this.#ownChains(table).filter((chain) => there.chains[table].has(chain));
      const { user } = this.#chains;
      const isUserChainEmpty = !rules.some((rule) => rule.startsWith(`${user} `));
      if (table === "filter" && there.chains.filter.has(user) && isUserChainEmpty) own.push(user);
      const jumps = rules.filter((rule) => own.includes(targetOf(rule)) && !own.includes(chainOf(rule)));
      return [
        ...jumps.map((rule) => `-D ${rule}`),
        ...own.map((chain) => `-F ${chain}`),
        ...own.map((chain) => `-X ${chain}`),
      ];
    });
    await restore(blocks);
  }

  #ownChains(table: Table): string[] {
    const { raw, dnat, post, forward } = this.#chains;
    return { raw: [raw], nat: [dnat, post], filter: [forward] }[table];
  }

  /** Written as iptables-save writes them, so that they can be found. */
  #jumps(table: Table): readonly string[] {
    const { raw, dnat, post, forward } = this.#chains;
    const comment = `-m comment --comment ${this.#mark}`;
    return {
      raw: [`PREROUTING ${comment} -j ${raw}`],
      nat: [
        `PREROUTING -m addrtype --dst-type LOCAL ${comment} -j ${dnat}`,
        `OUTPUT -m addrtype --dst-type LOCAL ${comment} -j ${dnat}`,
        `POSTROUTING ${comment} -j ${post}`,
      ],
      filter: [`FORWARD ${comment} -j ${forward}`],
    }[table];
  }

  #ownRules({ bridges, forwardings }: FirewallState): Record<Table, string[]> {
    const { forward, user } = this.#chains;
    const comment = `-m comment --comment ${this.#mark}`;
    const perBridge = bridges.map((bridge) => bridgeRules(bridge, this.#chains, comment));
    const perContainer = forwardings.map((forwarding) => this.#forwardingRules(forwarding));
    return {
      raw: [...perBridge.flatMap(({ raw }) => raw), ...perContainer.flatMap(({ raw }) => raw)],
      nat: [...perBridge.flatMap(({ nat }) => nat), ...perContainer.flatMap(({ nat }) => nat)],
      // What may come in is settled for every bridge before anything may go out: no bridge reaches another, but for
      // published ports, and those are not for a network without a way out.
      filter: [
        `${forward} ${comment} -j ${user}`,
        ...perBridge.flatMap(({ confined }) => confined),
        ...perBridge.flatMap(({ inward }) => inward),
        ...perBridge.flatMap(({ outward }) => outward),
      ],
    };
  }

  #forwardingRules({ containerId, address, ports }: Forwarding): Record<Table, string[]> {
    const comment = `-m comment --comment ${this.#mark}:${containerId.slice(0, 12)}`;
    const { raw, dnat } = this.#chains;
    return {
      raw: ports
        .filter(isOnLoopback)
        .map((port) => `${raw} -d ${port.hostAddress}/32 ! -i lo ${match(port)} ${comment} -j DROP`),
      nat: ports.map(
        (port) =>
          `${dnat} ${destination(port)}${match(port)} ${comment} -j DNAT --to-destination ${address}:${port.containerPort}`,
      ),
      filter: [],
    };
  }
}

const match = ({ protocol, hostPort }: PublishedPort): string =>
  `-p ${protocol} -m ${protocol} --dport ${hostPort}`;

const destination = ({ hostAddress }: PublishedPort): string =>
  hostAddress === "0.0.0.0" ? "" : `-d ${hostAddress}/32 `;

/** Translation comes before routing, where the kernel would drop a loopback address from outside. */
function isOnLoopback({ hostAddress }: PublishedPort): boolean {
  const address = parseAddress(hostAddress);
  return address !== undefined && contains(LOOPBACK, address);
}

function bridgeRules(bridge: FilteredBridge, chains: ReturnType<typeof chainsOf>, comment: string) {
  const { name, subnet, gateway } = bridge;
  const { raw, post, forward } = chains;
  const rule = (chain: string, condition: string, target: string): string =>
    `${chain} ${condition} ${comment} -j ${target}`;
  // route_localnet on the bridge lets replies to 127.0.0.1 in: nothing else with such an address may come.
  const rawRules = [
    rule(raw, `-d 127.0.0.0/8 -i ${name}`, "DROP"),
    rule(raw, `-s 127.0.0.0/8 -i ${name}`, "DROP"),
  ];
  // A network without translation is meant to be routed to.
  if (bridge.isMasqueraded)
    rawRules.push(rule(raw, `-d ${gateway}/32`, "RETURN"), rule(raw, `-d ${subnet} ! -i ${name}`, "DROP"));
  return {
    raw: rawRules,
    nat: [
      ...(bridge.isMasqueraded ? [rule(post, `-s ${subnet} ! -o ${name}`, "MASQUERADE")] : []),
      rule(post, `-s 127.0.0.0/8 -o ${name}`, "MASQUERADE"),
      rule(post, `-s ${subnet} -o ${name} -m conntrack --ctstate DNAT`, "MASQUERADE"),
    ],
    confined: bridge.isInternal
      ? [rule(forward, `-i ${name} ! -o ${name}`, "DROP"), rule(forward, `! -i ${name} -o ${name}`, "DROP")]
      : [],
    inward: [
      rule(forward, `-o ${name} -m conntrack --ctstate RELATED,ESTABLISHED`, "ACCEPT"),
      rule(forward, `-o ${name} -m conntrack --ctstate DNAT`, "ACCEPT"),
      rule(forward, `-i ${name} -o ${name}`, bridge.isOpenInside ? "ACCEPT" : "DROP"),
      rule(forward, `-o ${name}`, "DROP"),
    ],
    outward: bridge.isInternal ? [] : [rule(forward, `-i ${name}`, "ACCEPT")],
  };
}

/** What iptables-save printed: the names of the chains, and the rules without their `-A `. */
export interface SavedRules {
  readonly chains: Readonly<Record<Table, ReadonlySet<string>>>;
  readonly rules: Readonly<Record<Table, readonly string[]>>;
}

export function parseRules(saved: string): SavedRules {
  const chains: Record<Table, Set<string>> = { raw: new Set(), nat: new Set(), filter: new Set() };
  const rules: Record<Table, string[]> = { raw: [], nat: [], filter: [] };
  let table: Table | undefined;
  for (const line of saved.split("\n")) {
    if (line.startsWith("*")) table = TABLES.find((name) => line === `*${name}`);
    else if (table === undefined) continue;
    else if (line.startsWith(":")) chains[table].add(line.slice(1).split(" ")[0] ?? "");
    else if (line.startsWith("-A ")) rules[table].push(line.slice(3).trimEnd());
  }
  return { chains, rules };
}

const chainOf = (rule: string): string => rule.split(" ")[0] ?? "";
const targetOf = (rule: string): string => / -[jg] (\S+)/.exec(rule)?.[1] ?? "";

/** Exactly one such jump, at the top of its chain: what else leads there from that chain is removed. */
function setJump(jump: string, there: readonly string[]): string[] {
  const same = there.filter((rule) => chainOf(rule) === chainOf(jump) && targetOf(rule) === targetOf(jump));
  // A comment may come back in quotes.
  if (same.length === 1 && same[0]?.replaceAll('"', "") === jump) return [];
  const [chain = "", ...rest] = jump.split(" ");
  return [...same.map((rule) => `-D ${rule}`), `-I ${chain} 1 ${rest.join(" ")}`];
}

/** One process for all tables; each table changes at once or not at all. */
async function restore(blocks: readonly (readonly string[])[]): Promise<void> {
  const parts = blocks.flatMap((lines, index) =>
    lines.length === 0 ? [] : [`*${TABLES[index]}`, ...lines, "COMMIT"],
  );
  if (parts.length === 0) return;
  await run(["iptables-restore", "--noflush", LOCK_WAIT], { input: `${parts.join("\n")}\n` });
}
