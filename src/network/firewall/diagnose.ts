import { readFileSync } from "node:fs";
import { findProgram, readSysctl, tryRun } from "#host";
import type { BridgeSettings, Finding } from "../driver.ts";
import type { Firewall } from "./firewall.ts";
import { chainOf, parseRules, targetOf } from "./iptables-save.ts";
import { nftTables } from "./kernel-rules.ts";

/** What was read of this host. */
export interface FirewallFacts {
  readonly settings: Pick<
    BridgeSettings,
    "iptables" | "ip6tables" | "publishMode" | "userlandProxy" | "ipForward"
  >;
  readonly backend: string;
  /** What the back-end lacks; undefined when it works. */
  readonly missing: string | undefined;
  /** Whether all rules are there; undefined where there are none to be. */
  readonly isIntact: boolean | undefined;
  /** net.ipv4.ip_forward, net.ipv6.conf.all.forwarding; undefined where the kernel has none. */
  readonly forwarding: Readonly<Record<4 | 6, string | undefined>>;
  readonly hasIpv6Networks: boolean;
  /** What iptables-save says; empty without iptables. */
  readonly saved: string;
  /** The chain that our jump in FORWARD leads to begins so. */
  readonly forwardChain: string;
  /** net.bridge.bridge-nf-call-iptables; undefined when br_netfilter is not loaded. */
  readonly bridgeFilter: string | undefined;
  /** net.ipv4.conf.all.rp_filter. */
  readonly reversePath: string | undefined;
  readonly defaultRoutes: number;
  readonly hasFirewalld: boolean;
}

const good = (subject: string, sentence: string): Finding => ({
  subject,
  verdict: "good",
  sentence,
  remedy: "",
});
const warning = (subject: string, sentence: string, remedy: string): Finding => ({
  subject,
  verdict: "warning",
  sentence,
  remedy,
});
const broken = (subject: string, sentence: string, remedy: string): Finding => ({
  subject,
  verdict: "broken",
  sentence,
  remedy,
});

/** Chains by which other programs are known. */
const OTHERS: readonly { readonly pattern: RegExp; readonly name: string }[] = [
  { pattern: /^DOCKER/, name: "Docker" },
  { pattern: /^(CNI|NETAVARK)-/, name: "Podman or CNI" },
  { pattern: /^KUBE-/, name: "Kubernetes" },
  { pattern: /^LIBVIRT_/, name: "libvirt" },
];

/** What stands between containers and the world, the worst first. */
export function judge(facts: FirewallFacts): readonly Finding[] {
  const order = ["broken", "warning", "good"];
  return [
    backendFinding(facts),
    forwardingFinding(facts, 4),
    ...(facts.hasIpv6Networks ? [forwardingFinding(facts, 6)] : []),
    ...intactFindings(facts),
    ...chainFindings(facts),
    bridgeFilterFinding(facts),
    reversePathFinding(facts),
    ...otherFindings(facts),
  ].sort((one, other) => order.indexOf(one.verdict) - order.indexOf(other.verdict));
}

function backendFinding({ settings, backend, missing }: FirewallFacts): Finding {
  const subject = "firewall back-end";
  if (!settings.iptables)
    return warning(
      subject,
      "The daemon leaves the firewall alone (--iptables=false): containers are not translated outward, networks are not kept apart, and relays carry published ports, which hides who calls",
      "Start the daemon without --iptables=false, unless other rules do all that",
    );
  if (missing !== undefined)
    return broken(
      subject,
      `${missing}: containers reach no other host, and no port can be published`,
      backend === "nftables"
        ? "Install nftables"
        : "Install iptables, or start the daemon with --firewall-backend nftables",
    );
  return good(subject, `Rules are made with ${backend}`);
}

function forwardingFinding({ forwarding, settings }: FirewallFacts, family: 4 | 6): Finding {
  const key = family === 4 ? "net.ipv4.ip_forward" : "net.ipv6.conf.all.forwarding";
  const subject = family === 4 ? "ip_forward" : "IPv6 forwarding";
  if (forwarding[family] === "1") return good(subject, `The kernel forwards IPv${family} packets`);
  const remedy = settings.ipForward
    ? `sysctl -w ${key}=1, and look for what turns it off (a file in /etc/sysctl.d)`
    : `sysctl -w ${key}=1, or start the daemon without --ip-forward=false`;
  return broken(
    subject,
    `${key} is off: containers reach no other host by IPv${family}, and none reaches them`,
    remedy,
  );
}

function intactFindings({ isIntact, backend }: FirewallFacts): Finding[] {
  if (isIntact === undefined) return [];
  if (isIntact) return [good("rules", "Every rule of bunker's is there")];
  return [
    broken(
      "rules",
      `Rules of bunker's are missing in ${backend}: another program removed them a moment ago, or keeps removing them`,
      "They are made again within two seconds; when this stays, the daemon's log names the program",
    ),
  ];
}

/** Of FORWARD: its policy, and what comes before our jump. */
function chainFindings({ saved, backend, forwardChain }: FirewallFacts): Finding[] {
  const { chains, rules } = parseRules(saved);
  const isDrop = chains.filter.get("FORWARD") === "DROP";
  if (backend === "nftables")
    return isDrop
      ? [
          broken(
            "FORWARD policy",
            "iptables' FORWARD chain drops what none of its rules accepts, and rules of nftables cannot accept it there: containers reach no other host",
            "Start the daemon with --firewall-backend iptables, or accept the bridges' packets in that chain",
          ),
        ]
      : [];
  const forward = rules.filter.filter((rule) => chainOf(rule) === "FORWARD");
  const ours = forward.findIndex((rule) => targetOf(rule) === forwardChain);
  const shadows =
    ours < 0 ? [] : forward.slice(0, ours).filter((rule) => ["DROP", "REJECT"].includes(targetOf(rule)));
  return [
    ...shadows.map((rule) =>
      warning(
        `chain ${forwardChain}`,
        `This rule comes before bunker's and drops what it matches, containers' packets too: -A ${rule}`,
        `Remove it (iptables -D ${rule}) or put it behind; for rules of your own there is ${forwardChain.replace("FWD", "USER")}`,
      ),
    ),
    good(
      "FORWARD policy",
      isDrop ? "DROP: only what a rule accepts is forwarded" : "ACCEPT: what no rule drops is forwarded",
    ),
  ];
}

function bridgeFilterFinding({ bridgeFilter }: FirewallFacts): Finding {
  const subject = "br_netfilter";
  if (bridgeFilter === "1")
    return good(
      subject,
      "Frames between containers of one bridge pass the firewall, which costs some throughput",
    );
  return good(
    subject,
    "Frames between containers of one bridge do not pass the firewall; where they shall not speak to one another the bridge's ports are isolated",
  );
}

function reversePathFinding({ reversePath, defaultRoutes }: FirewallFacts): Finding {
  const subject = "rp_filter";
  if (reversePath !== "1" || defaultRoutes < 2)
    return good(subject, `net.ipv4.conf.all.rp_filter is ${reversePath ?? "not there"}`);
  return warning(
    subject,
    "net.ipv4.conf.all.rp_filter is 1 and there is more than one default route: callers whose answers would leave by another link than they came by cannot reach published ports",
    "sysctl -w net.ipv4.conf.all.rp_filter=2",
  );
}

function otherFindings({ saved, settings, hasFirewalld }: FirewallFacts): Finding[] {
  const names = [...Object.values(parseRules(saved).chains)].flatMap((chains) => [...chains.keys()]);
  const engines = OTHERS.filter(({ pattern }) => names.some((name) => pattern.test(name)));
  const found = engines.map(({ name }) =>
    good("other engines", `${name} has rules of its own on this host; neither touches the other's`),
  );
  if (names.some((name) => name.startsWith("ufw-")) && settings.publishMode !== "input")
    found.push(
      warning(
        "ufw",
        "ufw's rules say what reaches this host itself: published ports are translated before them and can be reached all the same",
        "Start the daemon with --publish-mode input, or put rules into BUNKER-USER, or publish on 127.0.0.1",
      ),
    );
  if (hasFirewalld)
    found.push(
      warning(
        "firewalld",
        "firewalld is at work: it rejects what containers send to other hosts unless their bridge is in a zone that forwards",
        "firewall-cmd --permanent --zone=trusted --add-interface=BRIDGE && firewall-cmd --reload, for each bridge",
      ),
    );
  return found;
}

/** Reads the host, and judges. */
export async function diagnoseFirewall({
  settings,
  firewall,
}: {
  readonly settings: BridgeSettings;
  readonly firewall: Firewall;
}): Promise<readonly Finding[]> {
  const missing = firewall.missing();
  return judge({
    settings,
    backend: firewall.backend.name,
    missing,
    isIntact: await firewall.isIntact(),
    forwarding: { 4: readSysctl("net/ipv4/ip_forward"), 6: readSysctl("net/ipv6/conf/all/forwarding") },
    hasIpv6Networks: firewall.state.bridges.some(({ subnets }) => subnets.some(({ family }) => family === 6)),
    saved: await savedRules(),
    forwardChain: settings.name === "bunker0" ? "BUNKER-FWD" : `BUNKER-FWD-${settings.name}`,
    bridgeFilter: readSysctl("net/bridge/bridge-nf-call-iptables"),
    reversePath: readSysctl("net/ipv4/conf/all/rp_filter"),
    defaultRoutes: countDefaultRoutes(),
    hasFirewalld: inetTables().includes("firewalld"),
  });
}

const inetTables = (): readonly string[] => nftTables("inet");

async function savedRules(): Promise<string> {
  if (findProgram("iptables-save") === undefined) return "";
  return (await tryRun(["iptables-save"])).stdout;
}

/** Format: proc(5), /proc/net/route: destination and mask are the second and eighth word. */
function countDefaultRoutes(): number {
  try {
    const rows = readFileSync("/proc/net/route", "utf8").split("\n").slice(1);
    return rows.filter((row) => {
      const words = row.split("\t");
      return words[1] === "00000000" && words[7] === "00000000";
    }).length;
  } catch {
    return 0;
  }
}
