import { createNetwork, type NetworkBody } from "#client";
import { Fault } from "#errors";
import { defineCli } from "../../command.ts";
import { checkLabel } from "../../create/checks.ts";
import { given } from "../../create/resources.ts";
import { checkGatewayWord, checkSubnetWord, ipamConfigs } from "../../create/subnets.ts";
import { csvFields, mapOf } from "../../create/values.ts";
import type { Flags } from "../../flags.ts";

const each = (check: (text: string) => string | undefined) => (text: string) =>
  csvFields(text)
    .map(check)
    .find((problem) => problem !== undefined);

const FLAGS = {
  attachable: { kind: "bool", about: "Enable manual container attachment" },
  "aux-address": {
    kind: "list",
    hint: "map",
    about: "Auxiliary IPv4 or IPv6 addresses used by Network driver",
  },
  "config-from": { kind: "text", hint: "string", about: "The network from which to copy the configuration" },
  "config-only": { kind: "bool", about: "Create a configuration only network" },
  driver: {
    kind: "text",
    hint: "string",
    short: "d",
    preset: "bridge",
    about: "Driver to manage the Network",
  },
  gateway: {
    kind: "list",
    hint: "ipSlice",
    about: "IPv4 or IPv6 Gateway for the master subnet",
    check: each(checkGatewayWord),
  },
  ingress: { kind: "bool", about: "Create swarm routing-mesh network" },
  internal: { kind: "bool", about: "Restrict external access to the network" },
  "ip-range": {
    kind: "list",
    hint: "ipNetSlice",
    about: "Allocate container ip from a sub-range",
    check: each(checkSubnetWord),
  },
  "ipam-driver": { kind: "text", hint: "string", preset: "default", about: "IP Address Management Driver" },
  "ipam-opt": { kind: "list", hint: "map", about: "Set IPAM driver specific options" },
  ipv4: { kind: "bool", preset: "true", about: "Enable or disable IPv4 address assignment" },
  ipv6: { kind: "bool", about: "Enable or disable IPv6 address assignment" },
  label: { kind: "list", about: "Set metadata on a network", check: checkLabel },
  opt: { kind: "list", hint: "map", short: "o", about: "Set driver specific options" },
  scope: { kind: "text", hint: "string", about: "Control the network's scope" },
  subnet: {
    kind: "list",
    hint: "strings",
    about: "Subnet in CIDR format that represents a network segment",
  },
} as const;

/** `bunker network create`. */
export const networkCreate = defineCli({
  synopsis: "[OPTIONS] NETWORK",
  about: "Create a network",
  example: "bunker network create --subnet 172.28.0.0/16 --ip-range 172.28.5.0/24 front",
  flags: FLAGS,
  words: { min: 1, max: 1 },
  async run({ flags, words: [name = ""], session }) {
    const { Id, Warning = "" } = await createNetwork(session.daemon, bodyOf(flags, name));
    if (Warning !== "") session.complain(`WARNING: ${Warning}`);
    session.say(Id);
    return 0;
  },
});

function bodyOf(flags: Flags<typeof FLAGS>, name: string): NetworkBody {
  const words = (flag: "gateway" | "ip-range" | "subnet") =>
    flags.list(flag).flatMap((text) => csvFields(text).map((word) => word.trim()));
  const truth = (flag: "ipv4" | "ipv6") => (flags.has(flag) ? flags.bool(flag) : undefined);
  return given<NetworkBody>({
    Name: name,
    Driver: flags.text("driver"),
    Scope: flags.optional("scope"),
    EnableIPv4: truth("ipv4"),
    EnableIPv6: truth("ipv6"),
    Internal: flags.bool("internal") || undefined,
    Attachable: flags.bool("attachable") || undefined,
    Ingress: flags.bool("ingress") || undefined,
    ConfigOnly: flags.bool("config-only") || undefined,
    ConfigFrom: flags.text("config-from") === "" ? undefined : { Network: flags.text("config-from") },
    IPAM: given({
      Driver: flags.has("ipam-driver") ? flags.text("ipam-driver") : undefined,
      Options: flags.has("ipam-opt") ? pairsOf(flags.list("ipam-opt")) : undefined,
      Config: ipamConfigs({
        subnets: words("subnet"),
        ranges: words("ip-range"),
        gateways: words("gateway"),
        auxiliary: pairsOf(flags.list("aux-address")),
      }),
    }),
    Options: flags.has("opt") ? mapOf(flags.list("opt")) : undefined,
    Labels: flags.has("label") ? mapOf(flags.list("label")) : undefined,
  });
}

/** A name given twice is an address lost. */
function pairsOf(texts: readonly string[]): Record<string, string> {
  const names = texts.map((text) => text.split("=", 1)[0] ?? "");
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw new Fault("invalid", `the option ${JSON.stringify(twice)} was given twice`);
  return mapOf(texts);
}
