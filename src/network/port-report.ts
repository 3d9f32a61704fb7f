import type { BridgeSettings, EndpointRecord, PortReport, PublishedPort } from "./driver.ts";

/** Each published port, what carries it and who can reach it from where. */
export function reportPorts(
  records: readonly EndpointRecord[],
  settings: Pick<BridgeSettings, "iptables" | "ip6tables" | "publishMode">,
): readonly PortReport[] {
  return records.flatMap(({ containerId, containerName, endpoint, ports }) =>
    ports.map((port) => ({
      ...port,
      containerId,
      containerName: containerName.replace(/^\//, ""),
      networkName: endpoint.networkName,
      address: endpoint.address,
      carrier: carrierOf(port, settings, endpoint.ipv6Address !== ""),
      reach: reachOf(port, settings),
    })),
  );
}

function carrierOf(
  { hostAddress }: PublishedPort,
  { iptables, ip6tables }: Pick<BridgeSettings, "iptables" | "ip6tables">,
  hasIpv6: boolean,
): PortReport["carrier"] {
  const isTranslated = hostAddress.includes(":") ? ip6tables && hasIpv6 : iptables;
  return isTranslated ? "translation" : "relay";
}

function reachOf(
  { hostAddress }: PublishedPort,
  { publishMode }: Pick<BridgeSettings, "publishMode">,
): string {
  if (hostAddress.startsWith("127.") || hostAddress === "::1") return "this host only";
  const where = ["0.0.0.0", "::"].includes(hostAddress) ? "this one" : `${hostAddress} of this one`;
  const rules = publishMode === "input" ? ", as far as the host's INPUT rules allow" : "";
  return `every host that can reach ${where}${rules}`;
}
