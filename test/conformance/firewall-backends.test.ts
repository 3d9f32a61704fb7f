import { IptablesBackend, NftBackend } from "../../src/network/firewall/backends.ts";
import { describeInOwnNetwork } from "../fixtures/describe-in-own-network.ts";
import { command } from "../fixtures/own-network.ts";
import { firewallBackendConformance } from "./firewall-backend.ts";

const families = [4, 6] as const;
const lacks = (...programs: string[]): { reason?: string } => {
  const absent = programs.find((name) => Bun.which(name) === null);
  return absent === undefined ? {} : { reason: `${absent} is not installed` };
};

async function saved(...programs: string[]): Promise<string> {
  const texts = await Promise.all(programs.map((name) => command(name)));
  return texts
    .flatMap((text, index) =>
      text
        .split("\n")
        .filter((line) => /^-A|^:(BUNKER|FORWARD DROP)/.test(line))
        .map((line) => `${programs[index]} ${line.replace(/ \[.*/, "")}`),
    )
    .join("\n");
}

describeInOwnNetwork(import.meta.path, () => {
  firewallBackendConformance({
    title: "nftables",
    ...lacks("nft"),
    make: () => new NftBackend({ daemon: "bunker0", families }),
    flushes: [
      ["nft", "flush", "ruleset"],
      ["nft", "flush", "chain", "ip", "bunker", "ports"],
      ["nft", "flush", "map", "ip6", "bunker", "published"],
      ["nft", "delete", "table", "ip6", "bunker"],
    ],
    userRule: {
      add: ["nft", "add", "rule", "ip", "bunker", "BUNKER-USER", "ip", "saddr", "10.9.0.2", "drop"],
      remove: [["nft", "flush", "chain", "ip", "bunker", "BUNKER-USER"]],
    },
    list: () => command("nft", "--stateless", "list", "ruleset"),
  });

  for (const kind of ["nft", "legacy"] as const) {
    const [v4, v6] = [`iptables-${kind}`, `ip6tables-${kind}`];
    firewallBackendConformance({
      title: v4,
      ...lacks(`${v4}-restore`, `${v6}-restore`),
      make: () =>
        new IptablesBackend({
          daemon: "bunker0",
          families,
          kind: v4 as "iptables-nft",
          isNft: kind === "nft",
        }),
      flushes: [
        [v4, "-F"],
        [v4, "-t", "nat", "-F"],
        [v4, "-t", "raw", "-F", "BUNKER-RAW"],
        [v6, "-t", "nat", "-F", "BUNKER-POST"],
        ...(kind === "nft" ? [["nft", "flush", "ruleset"]] : [[v4, "-D", "FORWARD", "1"]]),
      ],
      userRule: {
        add: [v4, "-A", "BUNKER-USER", "-s", "10.9.0.2", "-j", "DROP"],
        remove: [[v4, "-F", "BUNKER-USER"]],
      },
      list: () => saved(`${v4}-save`, `${v6}-save`),
    });
  }
});
