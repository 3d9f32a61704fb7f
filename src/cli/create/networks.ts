import type { EndpointBody } from "#client";
import { didYouMean, Fault } from "#errors";
import type { Flags } from "../flags.ts";
import type { CreateFlags } from "./flags.ts";
import { csvFields, isAddress } from "./values.ts";

interface Attachment {
  readonly name: string;
  readonly endpoint: EndpointBody;
}

type Problem = { readonly problem: string };

/** With an equals sign between two words it is a list of settings, else a name. */
const LONG_FORM = /\w+=\w+/;

export function checkNetwork(text: string): string | undefined {
  const attachment = attachmentOf(text);
  return "problem" in attachment ? attachment.problem : undefined;
}

/** Reads `--network`: a name alone, or `name=front,alias=web,ip=172.20.0.9,driver-opt=k=v`. */
function attachmentOf(text: string): Attachment | Problem {
  if (!LONG_FORM.test(text)) return { name: text, endpoint: {} };
  let name = "";
  const endpoint: EndpointBody = {};
  for (const field of csvFields(text)) {
    const [, key = "", value = ""] = /^([^=]*)=(.*)$/.exec(field.trim()) ?? [];
    if (key.trim() === "") return { problem: `invalid field ${field}` };
    if (key.trim().toLowerCase() === "name") {
      name = value.trim();
      continue;
    }
    const problem = setEndpoint(endpoint, key.trim().toLowerCase(), value.trim());
    if (problem !== undefined) return { problem };
  }
  return name === "" ? { problem: "network name/id is not specified" } : { name, endpoint };
}

const KEYS = ["name", "alias", "ip", "ip6", "mac-address", "link-local-ip", "gw-priority", "driver-opt"];

/** Returns what is wrong with the value. */
function setEndpoint(endpoint: EndpointBody, key: string, value: string): string | undefined {
  const isIp = ["ip", "ip6", "link-local-ip"].includes(key);
  if (isIp && !isAddress(value)) return `ParseAddr(${JSON.stringify(value)}): unable to parse IP`;
  if (key === "alias") endpoint.Aliases = [...(endpoint.Aliases ?? []), value];
  else if (key === "ip") endpoint.IPAMConfig = { ...endpoint.IPAMConfig, IPv4Address: value };
  else if (key === "ip6") endpoint.IPAMConfig = { ...endpoint.IPAMConfig, IPv6Address: value };
  else if (key === "mac-address") endpoint.MacAddress = value;
  else if (key === "link-local-ip") {
    const addresses = [...(endpoint.IPAMConfig?.LinkLocalIPs ?? []), value];
    endpoint.IPAMConfig = { ...endpoint.IPAMConfig, LinkLocalIPs: addresses };
  } else if (key === "gw-priority") {
    if (!/^[+-]?\d+$/.test(value)) return `invalid gw-priority (${value}): invalid syntax`;
    endpoint.GwPriority = Number(value);
  } else if (key === "driver-opt") {
    const equals = value.indexOf("=");
    if (equals < 1) return "invalid key value pair format in driver options";
    const [name, setting] = [value.slice(0, equals).trim(), value.slice(equals + 1).trim()];
    endpoint.DriverOpts = { ...endpoint.DriverOpts, [name]: setting };
  } else return `invalid field key ${key}${didYouMean(key, KEYS)}`;
  return undefined;
}

const isUserDefined = (name: string) =>
  !["", "default", "bridge", "host", "none"].includes(name) && !name.startsWith("container:");

/** The network mode and the endpoints that have settings, from all the flags that speak of networks. */
export function networking(flags: Flags<CreateFlags>): {
  mode: string;
  links: string[];
  endpoints: Record<string, EndpointBody>;
} {
  const attachments = flags.list("network").map((text) => {
    const attachment = attachmentOf(text);
    if ("problem" in attachment) throw new Fault("invalid", attachment.problem);
    return attachment;
  });
  const [first = { name: "default", endpoint: {} }, ...others] = attachments;
  const all = [{ ...first, endpoint: withFlags(first, flags) }, ...others].map(checked);
  const kinds = new Set(all.map(({ name }) => isUserDefined(name)));
  if (kinds.size > 1)
    throw new Fault(
      "conflict",
      "conflicting options: cannot attach both user-defined and non-user-defined network-modes",
    );
  // With several networks every one must be named; a single one without settings is told by its mode alone.
  const told = all.filter(({ endpoint }) => Object.keys(endpoint).length > 0 || others.length > 0);
  return {
    mode: first.name,
    links: [...flags.list("link")],
    endpoints: Object.fromEntries(told.map(({ name, endpoint }) => [name, endpoint])),
  };
}

function checked({ name, endpoint }: Attachment, at: number, all: readonly Attachment[]): Attachment {
  if (name.trim() === "") throw new Fault("invalid", "no name set for network");
  if (!isUserDefined(name) && endpoint.Aliases !== undefined)
    throw new Fault("invalid", "network-scoped aliases are only supported for user-defined networks");
  if (all.findIndex((other) => other.name === name) !== at)
    throw new Fault("conflict", `network ${JSON.stringify(name)} is specified multiple times`);
  const { MacAddress } = endpoint;
  return MacAddress === undefined
    ? { name, endpoint }
    : { name, endpoint: { ...endpoint, MacAddress: hardwareAddress(MacAddress) } };
}

/** The older flags speak of the first network. Throws `conflict` where both forms say the same thing. */
function withFlags({ name, endpoint }: Attachment, flags: Flags<CreateFlags>): EndpointBody {
  const own = endpoint.IPAMConfig ?? {};
  const both = (flag: keyof CreateFlags, known: unknown, words: string) => {
    if (flags.has(flag) && known !== undefined)
      throw new Fault(
        "conflict",
        `conflicting options: cannot specify both --${flag} and per-network ${words}`,
      );
    return flags.has(flag);
  };
  const addresses = {
    ...own,
    ...(both("ip", own.IPv4Address, "IPv4 address") && { IPv4Address: flags.text("ip").trim() }),
    ...(both("ip6", own.IPv6Address, "IPv6 address") && { IPv6Address: flags.text("ip6").trim() }),
    ...(both("link-local-ip", own.LinkLocalIPs, "link-local IP addresses") && {
      LinkLocalIPs: [...flags.list("link-local-ip")],
    }),
  };
  return {
    ...endpoint,
    ...(both("network-alias", endpoint.Aliases, "alias") && { Aliases: [...flags.list("network-alias")] }),
    // On the default bridge a link is more than a name: there it belongs to the container.
    ...(flags.has("link") && isUserDefined(name) && { Links: [...flags.list("link")] }),
    ...(both("mac-address", endpoint.MacAddress, "MAC address") && {
      MacAddress: flags.text("mac-address"),
    }),
    ...(Object.keys(addresses).length > 0 && { IPAMConfig: addresses }),
  };
}

function hardwareAddress(text: string): string {
  const written = text.trim();
  if (/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(written)) return written;
  if (/^[0-9a-f]{4}(\.[0-9a-f]{4}){2}$/i.test(written)) return written;
  throw new Fault("invalid", `${text} is not a valid mac address`);
}
