import { parseResolvConf } from "../resolv-conf.ts";
import type { SandboxRequest } from "../types.ts";
import { describeUpstream, EMBEDDED_SERVER, type Upstream } from "./upstream.ts";

/**
 * For a container on user-defined networks: our server alone, search list and options as asked or as the host's. A
 * name with no dot is a container's, so it is asked for as it is first. In comments, who is asked for other names.
 */
export function renderEmbeddedResolvConf(
  request: Pick<SandboxRequest, "dnsSearch" | "dnsOptions">,
  upstream: readonly Upstream[],
  hostFile: string,
): string {
  const host = parseResolvConf(hostFile);
  const search = request.dnsSearch.length > 0 ? request.dnsSearch : host.search;
  const asked = request.dnsOptions.length > 0 ? request.dnsOptions : host.options;
  const hasDots = asked.some((option) => option.startsWith("ndots:"));
  const options = hasDots ? asked : [...asked, "ndots:0"];
  const lines = [
    "# Made by bunker at each start of the container, until somebody changes it.",
    `nameserver ${EMBEDDED_SERVER}`,
    // A lone dot is how a user asks for no search list at all.
    ...(search.length > 0 && search.join() !== "." ? [`search ${search.join(" ")}`] : []),
    `options ${options.join(" ")}`,
    "# Names of containers are answered here, others are asked of:",
    `# ExtServers: [${upstream.map(describeUpstream).join(" ")}]`,
  ];
  return `${lines.join("\n")}\n`;
}
