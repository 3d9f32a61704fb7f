import { contains, parseAddress, requirePrefix } from "../addresses.ts";
import type { BridgeSubnet, FilteredBridge, FirewallState, ForwardedPort, Forwarding } from "./state.ts";

export type Table = "raw" | "nat" | "filter";
export type Family = 4 | 6;
/** By table, rules as iptables-save writes them, without their `-A `. */
export type RuleSet = Readonly<Record<Table, readonly string[]>>;

export const TABLES: readonly Table[] = ["raw", "nat", "filter"];
/** The daemon with this bridge has the plain names; any other puts its bridge's name behind. */
const PLAIN_BRIDGE = "bunker0";
const LOOPBACK = requirePrefix("127.0.0.0/8", "the loopback").subnet;

/** A chain name has at most 28 characters: 11 of ours, a dash, and at most 15 of the bridge's. */
export function chainsOf(daemon: string) {
  const name = (part: string): string => (daemon === PLAIN_BRIDGE ? part : `${part}-${daemon}`);
  return {
    raw: name("BUNKER-RAW"),
    guard: name("BUNKER-GATE"),
    dnat: name("BUNKER-DNAT"),
    home: name("BUNKER-HOME"),
    away: name("BUNKER-AWAY"),
    post: name("BUNKER-POST"),
    forward: name("BUNKER-FWD"),
    user: name("BUNKER-USER"),
    known: name("BUNKER-EST"),
    confine: name("BUNKER-CONF"),
    direct: name("BUNKER-PUB"),
    inward: name("BUNKER-IN"),
    outward: name("BUNKER-OUT"),
  };
}

/** How a daemon's rules are written; `daemon` is the name of its default bridge, by which it is told from others. */
export class IptablesRules {
  readonly #mark: string;
  readonly #chains: ReturnType<typeof chainsOf>;

  constructor(daemon: string) {
    this.#mark = `bunker:${daemon}`;
    this.#chains = chainsOf(daemon);
  }

  get user(): string {
    return this.#chains.user;
  }

  /** Those that are nobody else's; the user's is not among them. */
  ownChains(table: Table): readonly string[] {
    const { raw, guard, dnat, home, away, post, forward, known, confine, direct, inward, outward } =
      this.#chains;
    return {
      raw: [raw, guard],
      nat: [dnat, home, away, post],
      filter: [forward, known, confine, direct, inward, outward],
    }[table];
  }

  /**
   * From the kernel's chains into ours, in this order. Every frame of a bridge comes this way, so that what few
   * concern is asked for by address first, what the user says comes next, and then what belongs to a connection that
   * was let pass. Where the name of the chain is mark enough there is no comment, which would be read each time.
   */
  jumps(table: Table, family: Family): readonly string[] {
    const { raw, guard, dnat, post, forward, user, known } = this.#chains;
    const comment = this.#comment();
    const loopback = family === 4 ? ["-d", "-s"].map((end) => `${end} 127.0.0.0/8`) : [];
    return {
      raw: [
        ...loopback.map((condition) => `PREROUTING ${condition} ${comment} -j ${raw}`),
        `PREROUTING -j ${guard}`,
      ],
      nat: [
        `PREROUTING -m addrtype --dst-type LOCAL ${comment} -j ${dnat}`,
        `OUTPUT -m addrtype --dst-type LOCAL ${comment} -j ${dnat}`,
        `POSTROUTING ${comment} -j ${post}`,
      ],
      filter: [
        `FORWARD -j ${user}`,
        `FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ${known}`,
        `FORWARD ${comment} -j ${forward}`,
      ],
    }[table];
  }

  /** The line that adds a rule: in three chains what is left alone comes before all that is not. */
  add(rule: string): string {
    const { guard, away, known } = this.#chains;
    const chain = [guard, away, known].find((name) => rule.startsWith(`${name} `));
    if (chain === undefined || !rule.endsWith(" -j RETURN")) return `-A ${rule}`;
    return `-I ${chain} 1${rule.slice(chain.length)}`;
  }

  /** What is in our chains whatever there is. */
  frame(family: Family): RuleSet {
    const { dnat, home, away, post, forward, confine, direct, inward, outward } = this.#chains;
    const comment = this.#comment();
    // These two cannot be translated: no answer would find its way back from a container. The relay has them.
    const aside = family === 6 ? ["::1/128", "fe80::/10"] : [];
    return {
      raw: [],
      nat: [
        ...aside.map((destination) => `${dnat} -d ${destination} ${comment} -j RETURN`),
        `${post} ${comment} -j ${home}`,
        `${post} ${comment} -j ${away}`,
      ],
      filter: [confine, direct, inward, outward].map((chain) => `${forward} ${comment} -j ${chain}`),
    };
  }

  /** All that is there for a state, the jumps excepted. */
  all(state: FirewallState, family: Family): RuleSet {
    const sets = [
      this.frame(family),
      ...state.bridges.map((bridge) => this.ofBridge(bridge, family)),
      ...state.forwardings.map((forwarding) => this.ofForwarding(forwarding, family)),
    ];
    return merge(sets);
  }

  ofBridge(bridge: FilteredBridge, family: Family): RuleSet {
    const subnet = bridge.subnets.find((one) => one.family === family);
    if (subnet === undefined) return merge([]);
    const comment = this.#comment(bridge.name);
    // The first that every frame meets name the bridge themselves.
    const write = (chain: string, condition: string, target: string): string =>
      target === "RETURN" || chain === this.#chains.known
        ? `${chain} ${condition} -j ${target}`
        : `${chain} ${condition} ${comment} -j ${target}`;
    return {
      raw: rawRules(bridge, subnet).map(([chain, condition, target]) =>
        write(this.#chains[chain], condition, target),
      ),
      nat: natRules(bridge, subnet).map(([chain, condition, target]) =>
        write(this.#chains[chain], condition, target),
      ),
      filter: filterRules(bridge, subnet).map(([chain, condition, target]) =>
        write(this.#chains[chain], condition, target),
      ),
    };
  }

  ofForwarding({ containerId, bridge, ports, passages }: Forwarding, family: Family): RuleSet {
    const comment = this.#comment(containerId.slice(0, 12));
    const { raw, dnat, direct } = this.#chains;
    const bits = family === 4 ? 32 : 128;
    const own = ports.filter((port) => port.family === family);
    const translated = own.filter(({ isTranslated }) => isTranslated);
    return {
      raw: translated
        .filter(isOnLoopback)
        .map(
          (port) =>
            `${raw} -d ${port.hostAddress}/32 ! -i lo ${match(port.protocol, port.hostPort)} ${comment} -j DROP`,
        ),
      nat: translated.map(
        (port) =>
          `${dnat} ${destination(port)}${match(port.protocol, port.hostPort)} ${comment} -j DNAT --to-destination ${target(port)}`,
      ),
      filter: unique([
        ...own
          .filter(({ isDirect }) => isDirect)
          .map(
            ({ address, protocol, containerPort }) =>
              `${direct} -d ${address}/${bits} ${match(protocol, containerPort)} ${comment} -j ACCEPT`,
          ),
        ...passages
          .filter((passage) => passage.family === family)
          .map(
            ({ from, to, protocol, port }) =>
              `${direct} -s ${from}/${bits} -d ${to}/${bits} -i ${bridge} -o ${bridge} ${match(protocol, port)} ${comment} -j ACCEPT`,
          ),
      ]),
    };
  }

  #comment(part = ""): string {
    return `-m comment --comment ${this.#mark}${part === "" ? "" : `:${part}`}`;
  }
}

function merge(sets: readonly RuleSet[]): RuleSet {
  return {
    raw: sets.flatMap(({ raw }) => raw),
    nat: sets.flatMap(({ nat }) => nat),
    filter: sets.flatMap(({ filter }) => filter),
  };
}

const unique = (rules: readonly string[]): string[] => [...new Set(rules)];

const match = (protocol: string, port: number): string => `-p ${protocol} -m ${protocol} --dport ${port}`;

const target = ({ family, address, containerPort }: ForwardedPort): string =>
  family === 4 ? `${address}:${containerPort}` : `[${address}]:${containerPort}`;

function destination({ family, hostAddress }: ForwardedPort): string {
  if (hostAddress === "0.0.0.0" || hostAddress === "::") return "";
  return `-d ${hostAddress}/${family === 4 ? 32 : 128} `;
}

/** Translation comes before routing, where the kernel would drop a loopback address from outside. */
export function isOnLoopback({ hostAddress }: Pick<ForwardedPort, "hostAddress">): boolean {
  const address = parseAddress(hostAddress);
  return address !== undefined && contains(LOOPBACK, address);
}

function rawRules(
  { name, trustedInterfaces }: FilteredBridge,
  { family, subnet, isMasqueraded, directReach }: BridgeSubnet,
): ["raw" | "guard", string, string][] {
  // route_localnet on the bridge lets replies to 127.0.0.1 in: nothing else with such an address may come.
  const martians: ["raw", string, string][] = [["raw", `-i ${name}`, "DROP"]];
  // A network without translation is meant to be routed to: what answers its containers bears their addresses.
  const isGuarded = isMasqueraded && directReach === "none";
  return [
    ...(family === 4 ? martians : []),
    // Between bridges the filter decides: answers to a translated call come this way too.
    ["guard", `-i ${name}`, "RETURN"],
    ...(isGuarded ? trustedInterfaces : []).map((link): ["guard", string, string] => [
      "guard",
      `-d ${subnet} -i ${link}`,
      "RETURN",
    ]),
    ...(isGuarded
      ? ([["guard", `-d ${subnet} ! -i ${name} -m addrtype ! --dst-type LOCAL`, "DROP"]] as const)
      : []),
  ].map(([chain, condition, verdict]) => [chain as "raw" | "guard", condition ?? "", verdict ?? ""]);
}

/** What goes to a bridge keeps its address, from another bridge too, unless no answer would find its way back. */
function natRules({ name }: FilteredBridge, subnet: BridgeSubnet): ["home" | "away", string, string][] {
  const outward = subnet.sourceAddress === "" ? "MASQUERADE" : `SNAT --to-source ${subnet.sourceAddress}`;
  const rules: (false | ["home" | "away", string, string])[] = [
    subnet.family === 4 && ["home", `-s 127.0.0.0/8 -o ${name}`, "MASQUERADE"],
    ["home", `-s ${subnet.subnet} -o ${name} -m conntrack --ctstate DNAT`, "MASQUERADE"],
    ["away", `-o ${name}`, "RETURN"],
    subnet.isMasqueraded && ["away", `-s ${subnet.subnet} ! -o ${name}`, outward],
  ];
  return rules.filter((rule) => rule !== false);
}

type FilterChain = "known" | "confine" | "inward" | "outward";

function filterRules(
  { name, isOpenInside, isInternal, trustedInterfaces }: FilteredBridge,
  { family, directReach }: BridgeSubnet,
): [FilterChain, string, string][] {
  const ping = family === 4 ? "-p icmp" : "-p ipv6-icmp";
  const crossings = isInternal ? [`-i ${name} ! -o ${name}`, `! -i ${name} -o ${name}`] : [];
  return [
    // A connection that is older than the network would be known, too.
    ...crossings.map((crossing) => ["known", crossing, "RETURN"] as const),
    ["known", `-o ${name}`, "ACCEPT"],
    ...(isInternal ? [] : ([["known", `-i ${name}`, "ACCEPT"]] as const)),
    ...crossings.map((crossing) => ["confine", crossing, "DROP"] as const),
    ["inward", `-o ${name} -m conntrack --ctstate DNAT`, "ACCEPT"],
    ["inward", `-i ${name} -o ${name}`, isOpenInside ? "ACCEPT" : "DROP"],
    ...trustedInterfaces.map((link) => ["inward", `-i ${link} -o ${name}`, "ACCEPT"] as const),
    ...(directReach === "published" ? ([["inward", `-o ${name} ${ping}`, "ACCEPT"]] as const) : []),
    ["inward", `-o ${name}`, directReach === "all" ? "ACCEPT" : "DROP"],
    ...(isInternal ? [] : ([["outward", `-i ${name}`, "ACCEPT"]] as const)),
  ].map(([chain, condition, verdict]) => [chain as FilterChain, condition ?? "", verdict ?? ""]);
}
