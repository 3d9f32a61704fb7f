import type { Log, Netlink } from "#host";
import type { Addressing } from "./addressing.ts";
import type { Definitions } from "./definitions.ts";
import type { BridgeSettings, EndpointRecord } from "./driver.ts";
import { type Asker, inOrderOfPriority } from "./endpoint.ts";
import type { FileFacts } from "./files.ts";
import type { Firewall } from "./firewall/index.ts";
import type { NameService } from "./name-service.ts";
import type { PortTable } from "./ports.ts";
import type { NetworkStore, SandboxRecord } from "./store.ts";

/** What the room is made of, for those who bring containers and networks together. */
export interface RoomParts {
  readonly store: NetworkStore;
  readonly definitions: Definitions;
  readonly addressing: Addressing;
  readonly ports: PortTable;
  readonly names: NameService;
  readonly netlink: Netlink;
  readonly firewall: Firewall;
  readonly settings: BridgeSettings;
  readonly log: Log;
}

export const askerOf = ({ containerId, containerName, hostname }: SandboxRecord): Asker => ({
  containerId,
  name: containerName,
  hostname,
});

/** Both families of an endpoint, those it has. */
export const addressesOf = ({ endpoint }: EndpointRecord): readonly string[] =>
  [endpoint.address, endpoint.ipv6Address].filter((address) => address !== "");

/** What a container's files say, from what it is on now. */
export function fileFacts(
  { settings, definitions, names, store }: RoomParts,
  containerId: string,
  namespace: SandboxRecord["namespace"],
): FileFacts {
  const records = inOrderOfPriority(store.ofContainer(containerId));
  const isHostMode = namespace === "host";
  const own = definitions.find("bridge")?.ipam.pools[0]?.gateway;
  const first = records.find(({ endpoint }) => endpoint.gateway !== "")?.endpoint.gateway;
  return {
    addresses: store.ofContainer(containerId).flatMap(addressesOf),
    hostGateway: settings.hostGatewayAddresses[0] ?? own ?? first ?? "",
    isHostMode,
    hasIpv6: isHostMode || records.some(({ endpoint }) => endpoint.ipv6Address !== ""),
    ...(names.isWanted(containerId) && { embedded: names.outlook(containerId).upstream }),
  };
}
