import { z } from "zod";

const Strings = z.array(z.string()).readonly();
const StringMap = z.record(z.string(), z.string()).readonly();

export const IpamConfig = z.object({
  Subnet: z.string(),
  IPRange: z.string().optional(),
  Gateway: z.string().optional(),
  AuxiliaryAddresses: StringMap.optional(),
});

export const NetworkEndpoint = z.object({
  Name: z.string(),
  EndpointID: z.string(),
  MacAddress: z.string(),
  /** With prefix length; empty where there is none. */
  IPv4Address: z.string(),
  IPv6Address: z.string(),
});

export const NetworkSummary = z.object({
  Name: z.string(),
  Id: z.string(),
  Created: z.string(),
  Scope: z.string(),
  Driver: z.string(),
  /** Since API 1.48. */
  EnableIPv4: z.boolean().optional(),
  EnableIPv6: z.boolean(),
  IPAM: z.object({ Driver: z.string(), Options: StringMap.nullable(), Config: z.array(IpamConfig) }),
  Internal: z.boolean(),
  Attachable: z.boolean(),
  Ingress: z.boolean(),
  ConfigFrom: z.object({ Network: z.string() }),
  ConfigOnly: z.boolean(),
  Options: StringMap,
  Labels: StringMap,
  /** In a list below API 1.52; filled below 1.28 only. */
  Containers: z.record(z.string(), NetworkEndpoint).optional(),
});
export type NetworkSummary = z.infer<typeof NetworkSummary>;

/** Counts end at 2^64-1, so they may be bigints. */
const Count = z.union([z.number(), z.bigint()]);

export const NetworkInspect = NetworkSummary.extend({
  Containers: z.record(z.string(), NetworkEndpoint),
  /** Since API 1.52. */
  Status: z
    .object({
      IPAM: z.object({
        Subnets: z.record(z.string(), z.object({ IPsInUse: Count, DynamicIPsAvailable: Count })),
      }),
    })
    .optional(),
});
export type NetworkInspect = z.infer<typeof NetworkInspect>;

export const NetworkCreated = z.object({ Id: z.string(), Warning: z.string() });
export type NetworkCreated = z.infer<typeof NetworkCreated>;

export const NetworksPruned = z.object({ NetworksDeleted: Strings.nullable() });
export type NetworksPruned = z.infer<typeof NetworksPruned>;

/** Reply of GET /bunker/network/doctor. */
export const NetworkFinding = z.object({
  subject: z.string(),
  verdict: z.enum(["good", "warning", "broken"]),
  sentence: z.string(),
  remedy: z.string(),
});
export type NetworkFinding = z.infer<typeof NetworkFinding>;

/** Reply of GET /bunker/ports. An empty `hostAddress` stands for all of both families. */
export const PublishedPortReport = z.object({
  containerPort: z.number(),
  protocol: z.enum(["tcp", "udp", "sctp"]),
  hostAddress: z.string(),
  hostPort: z.number(),
  containerId: z.string(),
  containerName: z.string(),
  networkName: z.string(),
  /** Where it leads; empty for a port of a container without an address. */
  address: z.string(),
  carrier: z.enum(["translation", "relay"]),
  reach: z.string(),
});
export type PublishedPortReport = z.infer<typeof PublishedPortReport>;
