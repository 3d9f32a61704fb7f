import { z } from "zod";

/** Source of all: libnetwork, "Remote drivers". Sent in what it calls them; what is answered is not trusted. */
const MAX_ROUTES = 1000;
const Text = z
  .string()
  .max(1024)
  .nullish()
  .transform((text) => text ?? "");

export const Nothing = z.object({});

export const CapabilitiesReply = z.object({ Scope: z.enum(["local", "global"]) });

/** What the driver chose because nobody else had. */
export const CreateEndpointReply = z.object({
  Interface: z.object({ Address: Text, AddressIPv6: Text, MacAddress: Text }).nullish(),
});

/** `RouteType` 0 goes by the next hop, 1 is connected. */
export const JoinReply = z.object({
  InterfaceName: z.object({ SrcName: Text, DstPrefix: Text, DstName: Text }).nullish(),
  Gateway: Text,
  GatewayIPv6: Text,
  StaticRoutes: z
    .array(
      z.object({
        Destination: z.string().max(100),
        RouteType: z.union([z.literal(0), z.literal(1)]).default(0),
        NextHop: Text,
      }),
    )
    .max(MAX_ROUTES)
    .nullish(),
});
export type JoinReply = z.infer<typeof JoinReply>;

/** Keys of options. Source: libnetwork, netlabel. */
export const GENERIC = "com.docker.network.generic";
export const ENABLE_IPV4 = "com.docker.network.enable_ipv4";
export const ENABLE_IPV6 = "com.docker.network.enable_ipv6";
export const INTERNAL = "com.docker.network.internal";
export const PORT_MAP = "com.docker.network.portmap";
export const EXPOSED_PORTS = "com.docker.network.endpoint.exposedports";

/** Source: IANA, protocol numbers. */
export const PROTOCOL_NUMBERS = { tcp: 6, udp: 17, sctp: 132 } as const;
