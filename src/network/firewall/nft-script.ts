import { type Family, isOnLoopback } from "./iptables-rules.ts";
import type {
  BridgeSubnet,
  FilteredBridge,
  FirewallState,
  ForwardedPort,
  Forwarding,
  Passage,
} from "./state.ts";

/** The daemon with this bridge has the plain name; any other puts its bridge's name behind. */
const PLAIN_BRIDGE = "bunker0";
/** Never emptied: rules of the user's, which come before ours. */
export const USER_CHAIN = "BUNKER-USER";

export const tableOf = (daemon: string, family: Family): string =>
  `${family === 4 ? "ip" : "ip6"} ${daemon === PLAIN_BRIDGE ? "bunker" : `bunker-${daemon}`}`;

/** One element: its set or map, its key, for a map its data, and what its comment says beside the daemon's mark. */
export interface Element {
  readonly set: string;
  readonly key: string;
  readonly data?: string;
  readonly part: string;
}

/** Name → declaration. `ADDRESS` stands for the family's type of address. */
const SETS: Readonly<Record<string, string>> = {
  /** Every bridge; those without any way out; those whose containers are kept apart, each with itself. */
  bridges: "type ifname;",
  internal: "type ifname;",
  same: "type ifname . ifname;",
  closed: "type ifname;",
  /** Subnet and its bridge; subnets that nobody may route to, and by which links one may nevertheless. */
  home: "type ADDRESS . ifname; flags interval;",
  guarded: "type ADDRESS; flags interval;",
  trusted: "type ADDRESS . ifname; flags interval;",
  trusting: "type ifname . ifname;",
  /** Bridges with containers that can be reached at every port, or at some and by echo requests. */
  open: "type ifname;",
  routed: "type ifname;",
  masqueraded: "type ADDRESS; flags interval;",
  /** Ports of containers that may be reached directly; of the host's loopback, which may not be from outside. */
  direct: "type ADDRESS . inet_proto . inet_service;",
  /** From whom, to whom: ports that a link leads to between containers which are kept apart. */
  linked: "type ADDRESS . ADDRESS . inet_proto . inet_service;",
  loopback: "type ADDRESS . inet_proto . inet_service;",
};

const MAPS: Readonly<Record<string, string>> = {
  sources: "type ADDRESS : ADDRESS; flags interval;",
  published: "type inet_proto . inet_service : ADDRESS . inet_service;",
  published_at: "type ADDRESS . inet_proto . inet_service : ADDRESS . inet_service;",
};

/** Chain → its hook, for those that the kernel calls. */
const HOOKS: Readonly<Record<string, string>> = {
  raw: "type filter hook prerouting priority -300; policy accept;",
  prerouting: "type nat hook prerouting priority -100; policy accept;",
  output: "type nat hook output priority -100; policy accept;",
  postrouting: "type nat hook postrouting priority 100; policy accept;",
  forward: "type filter hook forward priority 0; policy accept;",
  guard: "type filter hook forward priority 10; policy accept;",
};

/** Chain → rules. `IP` stands for the family's word. The words are in the order in which they are looked at. */
export function rulesOf(family: Family, isClosed: boolean): Readonly<Record<string, readonly string[]>> {
  const isV4 = family === 4;
  const only4 = (...rules: string[]): string[] => (isV4 ? rules : []);
  return {
    raw: [
      // Every frame comes this way: what few concern is asked for by address first.
      ...only4("ip daddr 127.0.0.0/8 jump loop", "ip saddr 127.0.0.0/8 jump loop"),
      // Between bridges the filter decides: answers to a translated call come this way too.
      "iifname @bridges return",
      "IP daddr . iifname @trusted return",
      "IP daddr @guarded fib daddr type != local drop",
    ],
    loop: only4(
      // route_localnet on the bridge lets replies to 127.0.0.1 in: nothing else with such an address may come.
      "iifname @bridges drop",
      'ip daddr . meta l4proto . th dport @loopback iifname != "lo" drop',
    ),
    prerouting: ["fib daddr type local jump ports"],
    output: ["fib daddr type local jump ports"],
    ports: [
      // These two cannot be translated: no answer would find its way back from a container. The relay has them.
      ...(isV4 ? [] : ["ip6 daddr ::1 return", "ip6 daddr fe80::/10 return"]),
      "dnat to IP daddr . meta l4proto . th dport map @published_at",
      "dnat to meta l4proto . th dport map @published",
    ],
    postrouting: [
      ...only4("oifname @bridges ip saddr 127.0.0.0/8 masquerade"),
      "IP saddr . oifname @home ct status dnat masquerade",
      // What goes to a bridge keeps its address, from another bridge too.
      "oifname @bridges return",
      "snat to IP saddr map @sources",
      "IP saddr @masqueraded masquerade",
    ],
    forward: [
      `jump ${USER_CHAIN}`,
      "iifname . oifname @same goto inside",
      "iifname @internal drop",
      "oifname @internal drop",
      "IP daddr . meta l4proto . th dport @direct accept",
      "oifname @bridges goto inward",
    ],
    inside: [
      "ct state established,related accept",
      "ct status dnat accept",
      "IP saddr . IP daddr . meta l4proto . th dport @linked accept",
      "iifname @closed drop",
      "accept",
    ],
    inward: [
      "ct state established,related accept",
      "ct status dnat accept",
      "iifname . oifname @trusting accept",
      "oifname @open accept",
      `oifname @routed meta l4proto ${isV4 ? "icmp" : "ipv6-icmp"} accept`,
      "drop",
    ],
    guard: isClosed ? ["iifname @bridges accept", "oifname @bridges accept", "drop"] : [],
  };
}

export const chainNames = (): string[] => Object.keys(rulesOf(4, false));
export const setNames = (): string[] => [...Object.keys(SETS), ...Object.keys(MAPS)];

/** Makes a table say exactly this, in one transaction; the user's chain is made when it is not there. */
export function replaceScript(daemon: string, family: Family, state: FirewallState): string[] {
  const table = tableOf(daemon, family);
  const word = family === 4 ? "ip" : "ip6";
  const address = (text: string): string =>
    text.replaceAll("ADDRESS", family === 4 ? "ipv4_addr" : "ipv6_addr");
  const rules = rulesOf(family, state.closedFamilies.includes(family));
  return [
    `add table ${table}`,
    ...Object.entries(SETS).map(([name, shape]) => `add set ${table} ${name} { ${address(shape)} }`),
    ...Object.entries(MAPS).map(([name, shape]) => `add map ${table} ${name} { ${address(shape)} }`),
    ...Object.keys(rules).map((chain) => `add chain ${table} ${chain} ${hookOf(chain)}`),
    `add chain ${table} ${USER_CHAIN}`,
    ...Object.keys(rules).map((chain) => `flush chain ${table} ${chain}`),
    ...Object.keys(SETS).map((name) => `flush set ${table} ${name}`),
    ...Object.keys(MAPS).map((name) => `flush map ${table} ${name}`),
    ...Object.entries(rules).flatMap(([chain, lines]) =>
      lines.map((rule) => `add rule ${table} ${chain} ${rule.replaceAll("IP ", `${word} `)}`),
    ),
    ...elementLines("add", { daemon, family, elements: elementsOf(state, family) }),
  ];
}

const hookOf = (chain: string): string => (HOOKS[chain] === undefined ? "" : `{ ${HOOKS[chain]} }`);

/** Elements of one set go in one line, which costs the kernel's parser less. */
export function elementLines(
  verb: "add" | "delete",
  { daemon, family, elements }: { daemon: string; family: Family; elements: readonly Element[] },
): string[] {
  const bySet = Map.groupBy(elements, ({ set }) => set);
  return [...bySet].map(([set, members]) => {
    const written = members.map(({ key, data, part }) => {
      if (verb === "delete") return key;
      return `${key} comment "bunker:${daemon}:${part}"${data === undefined ? "" : ` : ${data}`}`;
    });
    return `${verb} element ${tableOf(daemon, family)} ${set} { ${written.join(", ")} }`;
  });
}

export function elementsOf({ bridges, forwardings }: FirewallStateParts, family: Family): Element[] {
  return [
    ...bridges.flatMap((bridge) => bridgeElements(bridge, family)),
    ...forwardings.flatMap((forwarding) => forwardingElements(forwarding, family)),
  ];
}

type FirewallStateParts = Pick<FirewallState, "bridges" | "forwardings">;

function bridgeElements(bridge: FilteredBridge, family: Family): Element[] {
  const subnet = bridge.subnets.find((one) => one.family === family);
  if (subnet === undefined) return [];
  const link = `"${bridge.name}"`;
  const isGuarded = subnet.isMasqueraded && subnet.directReach === "none";
  const trusted = bridge.trustedInterfaces;
  const rows: (false | [set: string, key: string, data?: string])[] = [
    ["bridges", link],
    ["same", `${link} . ${link}`],
    ["home", `${subnet.subnet} . ${link}`],
    bridge.isInternal && ["internal", link],
    !bridge.isOpenInside && ["closed", link],
    isGuarded && ["guarded", subnet.subnet],
    ...trusted.map((other): [string, string] => ["trusted", `${subnet.subnet} . "${other}"`]),
    ...trusted.map((other): [string, string] => ["trusting", `"${other}" . ${link}`]),
    subnet.directReach === "all" && ["open", link],
    subnet.directReach === "published" && ["routed", link],
    outwardRow(subnet),
  ];
  return rows
    .filter((row) => row !== false)
    .map(([set, key, data]) => ({ set, key, part: bridge.name, ...(data !== undefined && { data }) }));
}

function outwardRow({
  isMasqueraded,
  sourceAddress,
  subnet,
}: BridgeSubnet): false | [string, string, string?] {
  if (!isMasqueraded) return false;
  return sourceAddress === "" ? ["masqueraded", subnet] : ["sources", subnet, sourceAddress];
}

function forwardingElements({ containerId, ports, passages }: Forwarding, family: Family): Element[] {
  const part = containerId.slice(0, 12);
  const own = ports.filter((port) => port.family === family);
  const elements = [
    ...own.flatMap((port) => [...translation(port), ...directness(port)]),
    ...passages.filter((passage) => passage.family === family).map(passageElement),
  ];
  const distinct = new Map(
    elements.map((element) => [`${element.set} ${element.key}`, { ...element, part }]),
  );
  return [...distinct.values()];
}

function translation(port: ForwardedPort): Omit<Element, "part">[] {
  if (!port.isTranslated) return [];
  const { protocol, hostAddress, hostPort, address, containerPort } = port;
  const data = `${address} . ${containerPort}`;
  if (hostAddress === "0.0.0.0" || hostAddress === "::")
    return [{ set: "published", key: `${protocol} . ${hostPort}`, data }];
  const key = `${hostAddress} . ${protocol} . ${hostPort}`;
  return [{ set: "published_at", key, data }, ...(isOnLoopback(port) ? [{ set: "loopback", key }] : [])];
}

const passageElement = ({ from, to, protocol, port }: Passage): Omit<Element, "part"> => ({
  set: "linked",
  key: `${from} . ${to} . ${protocol} . ${port}`,
});

function directness({ isDirect, address, protocol, containerPort }: ForwardedPort): Omit<Element, "part">[] {
  return isDirect ? [{ set: "direct", key: `${address} . ${protocol} . ${containerPort}` }] : [];
}
