import type { EndpointBody } from "#client";
import { Fault } from "#errors";
import type { Flags } from "../flags.ts";
import type { CreateFlags } from "./flags.ts";
import { csvFields } from "./values.ts";

interface Attachment {
  readonly name: string;
  readonly endpoint: EndpointBody;
}

type Problem = { readonly problem: string };

export function checkNetwork(text: string): string | undefined {
  const attachment = attachmentOf(text);
  return "problem" in attachment ? attachment.problem : undefined;
}

/** Reads `--network`: a name alone, or `name=front,alias=web,ip=172.20.0.9,driver-opt=k=v`. */
function attachmentOf(text: string): Attachment | Problem {
  if (!text.includes("=")) return { name: text, endpoint: {} };
  let name = "";
  const endpoint: EndpointBody = {};
  for (const field of csvFields(text)) {
    const [, key = "", value = ""] = /^([^=]*)=(.*)$/.exec(field.trim()) ?? [];
    if (key === "") return { problem: `invalid field ${field}` };
    if (key.toLowerCase() === "name") name = value;
    else if (!setEndpoint(endpoint, key.toLowerCase(), value)) return { problem: `invalid field key ${key}` };
  }
  return name === "" ? { problem: "network name/id is not specified" } : { name, endpoint };
}

function setEndpoint(endpoint: EndpointBody, key: string, value: string): boolean {
  if (key === "alias") endpoint.Aliases = [...(endpoint.Aliases ?? []), value];
  else if (key === "ip") endpoint.IPAMConfig = { ...endpoint.IPAMConfig, IPv4Address: value };
  else if (key === "ip6") endpoint.IPAMConfig = { ...endpoint.IPAMConfig, IPv6Address: value };
  else if (key === "mac-address") endpoint.MacAddress = value;
  else if (key === "link-local-ip") {
    const addresses = [...(endpoint.IPAMConfig?.LinkLocalIPs ?? []), value];
    endpoint.IPAMConfig = { ...endpoint.IPAMConfig, LinkLocalIPs: addresses };
  } else if (key === "gw-priority") endpoint.GwPriority = Number(value);
  else if (key === "driver-opt") {
    const equals = value.indexOf("=");
    if (equals < 1) return false;
    endpoint.DriverOpts = { ...endpoint.DriverOpts, [value.slice(0, equals)]: value.slice(equals + 1) };
  } else return false;
  return true;
}

const isUserDefined = (name: string) =>
  !["", "default", "bridge", "host", "none", "nat"].includes(name) && !name.startsWith("container:");

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
  if (attachments.length > 1 && attachments.some(({ name }) => !isUserDefined(name)))
    throw new Fault(
      "conflict",
      "conflicting options: cannot attach both user-defined and non-user-defined network-modes",
    );
  const [first = { name: "default", endpoint: {} }, ...others] = attachments;
  const links = [...flags.list("link")];
  if (flags.has("network-alias") && !isUserDefined(first.name))
    throw new Fault("invalid", "network-scoped aliases are only supported for user-defined networks");
  const own = ownSettings(flags, links);
  const all = [{ ...first, endpoint: merged(first.endpoint, own) }, ...others];
  // With several networks every one must be named; a single one without settings is told by its mode alone.
  const told = all.filter(({ endpoint }) => Object.keys(endpoint).length > 0 || others.length > 0);
  return {
    mode: first.name,
    links,
    endpoints: Object.fromEntries(told.map(({ name, endpoint }) => [name, endpoint])),
  };
}

function ownSettings(flags: Flags<CreateFlags>, links: string[]): EndpointBody {
  const mode = flags.list("network")[0] ?? "default";
  const addresses = {
    ...(flags.has("ip") ? { IPv4Address: flags.text("ip") } : {}),
    ...(flags.has("ip6") ? { IPv6Address: flags.text("ip6") } : {}),
    ...(flags.has("link-local-ip") ? { LinkLocalIPs: [...flags.list("link-local-ip")] } : {}),
  };
  return {
    ...(Object.keys(addresses).length > 0 ? { IPAMConfig: addresses } : {}),
    ...(flags.has("network-alias") ? { Aliases: [...flags.list("network-alias")] } : {}),
    ...(links.length > 0 && isUserDefined(mode.replace(/^.*\bname=([^,]*).*$/, "$1"))
      ? { Links: links }
      : {}),
    ...(flags.has("mac-address") ? { MacAddress: hardwareAddress(flags.text("mac-address")) } : {}),
  };
}

function merged(endpoint: EndpointBody, own: EndpointBody): EndpointBody {
  const twice = (["Aliases", "MacAddress"] as const).find(
    (key) => endpoint[key] !== undefined && own[key] !== undefined,
  );
  if (twice !== undefined)
    throw new Fault(
      "conflict",
      `conflicting options: cannot specify both --${twice === "Aliases" ? "network-alias and per-network alias" : "mac-address and per-network MAC address"}`,
    );
  const IPAMConfig = { ...endpoint.IPAMConfig, ...own.IPAMConfig };
  return { ...endpoint, ...own, ...(Object.keys(IPAMConfig).length > 0 ? { IPAMConfig } : {}) };
}

function hardwareAddress(text: string): string {
  if (/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(text.trim())) return text.trim();
  throw new Fault("invalid", `${text.trim()} is not a valid mac address`);
}
