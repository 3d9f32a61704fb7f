import { connectNetwork, disconnectNetwork, type EndpointBody } from "#client";
import { Fault } from "#errors";
import { defineCli } from "../../command.ts";
import { checkIp, checkLink } from "../../create/checks.ts";
import { given } from "../../create/resources.ts";
import { csvFields } from "../../create/values.ts";
import type { Flags } from "../../flags.ts";

const FLAGS = {
  alias: { kind: "list", hint: "strings", about: "Add network-scoped alias for the container" },
  "driver-opt": { kind: "list", hint: "strings", about: "driver options for the network" },
  "gw-priority": {
    kind: "int",
    preset: "0",
    about: "Highest gw-priority provides the default gateway. Accepts positive and negative values",
  },
  ip: { kind: "text", hint: "ip", about: 'IPv4 address (e.g., "172.30.100.104")', check: checkIp },
  ip6: { kind: "text", hint: "ip", about: 'IPv6 address (e.g., "2001:db8::33")', check: checkIp },
  link: { kind: "list", about: "Add link to another container", check: checkLink },
  "link-local-ip": {
    kind: "list",
    hint: "ipSlice",
    about: "Add a link-local address for the container",
    check: (text: string) =>
      csvFields(text)
        .map((word) => checkIp(word.trim()))
        .find((problem) => problem !== undefined),
  },
} as const;

/** `bunker network connect`. */
export const networkConnect = defineCli({
  synopsis: "[OPTIONS] NETWORK CONTAINER",
  about: "Connect a container to a network",
  example: "bunker network connect --alias db front postgres",
  flags: FLAGS,
  words: { min: 2, max: 2 },
  async run({ flags, words: [network = "", container = ""], session }) {
    await connectNetwork(session.daemon, network, {
      Container: container,
      EndpointConfig: endpointOf(flags),
    });
    return 0;
  },
});

function endpointOf(flags: Flags<typeof FLAGS>): EndpointBody {
  const words = (name: "alias" | "driver-opt" | "link-local-ip") =>
    flags.has(name)
      ? flags.list(name).flatMap((text) => csvFields(text).map((word) => word.trim()))
      : undefined;
  const addresses = given<NonNullable<EndpointBody["IPAMConfig"]>>({
    IPv4Address: flags.optional("ip"),
    IPv6Address: flags.optional("ip6"),
    LinkLocalIPs: words("link-local-ip"),
  });
  return given<EndpointBody>({
    IPAMConfig: Object.keys(addresses).length > 0 ? addresses : undefined,
    Links: flags.has("link") ? [...flags.list("link")] : undefined,
    Aliases: words("alias"),
    DriverOpts: driverOptions(words("driver-opt")),
    GwPriority: flags.int("gw-priority"),
  });
}

function driverOptions(texts: readonly string[] | undefined): Record<string, string> | undefined {
  if (texts === undefined) return undefined;
  const pairs = texts.map((text) => {
    const equals = text.indexOf("=");
    const key = text.slice(0, Math.max(0, equals)).trim();
    if (key === "") throw new Fault("invalid", "invalid key/value pair format in driver options");
    return [key, text.slice(equals + 1).trim()] as const;
  });
  return Object.fromEntries(pairs);
}

/** `bunker network disconnect`. */
export const networkDisconnect = defineCli({
  synopsis: "[OPTIONS] NETWORK CONTAINER",
  about: "Disconnect a container from a network",
  example: "bunker network disconnect front postgres",
  flags: { force: { kind: "bool", short: "f", about: "Force the container to disconnect from a network" } },
  words: { min: 2, max: 2 },
  async run({ flags, words: [network = "", container = ""], session }) {
    await disconnectNetwork(session.daemon, network, { Container: container, Force: flags.bool("force") });
    return 0;
  },
});
