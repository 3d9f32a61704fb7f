import { z } from "zod";
import { EndpointBody } from "./container-request.ts";
import { dictionary, Flag, list, Text } from "./lenient.ts";
import { QueryFlag, QueryText } from "./query.ts";

const Truth = z.boolean().nullish();

/** One block of addresses. Only the subnet or nothing at all is the usual case. */
export const IpamConfigBody = z.object({
  Subnet: Text,
  IPRange: Text,
  Gateway: Text,
  AuxiliaryAddresses: dictionary(Text),
});

/** Body of POST /networks/create. Source: Docker Engine API 1.56. */
export const NetworkCreateBody = z.object({
  Name: Text,
  /** Below API 1.44; since then a name is always checked. */
  CheckDuplicate: Flag,
  Driver: Text,
  Scope: Text,
  Internal: Flag,
  Attachable: Flag,
  Ingress: Flag,
  ConfigOnly: Flag,
  ConfigFrom: z.object({ Network: Text }).nullish(),
  IPAM: z.object({ Driver: Text, Config: list(IpamConfigBody), Options: dictionary(Text) }).nullish(),
  /** Since API 1.48. Absent is not the same as false: an option of the driver may say it. */
  EnableIPv4: Truth,
  EnableIPv6: Truth,
  Options: dictionary(Text),
  Labels: dictionary(Text),
});
export type NetworkCreateBody = z.infer<typeof NetworkCreateBody>;

/** Body of POST /networks/{id}/connect. */
export const NetworkConnectBody = z.object({ Container: Text, EndpointConfig: EndpointBody.nullish() });

/** Body of POST /networks/{id}/disconnect. */
export const NetworkDisconnectBody = z.object({ Container: Text, Force: Flag });

/** `verbose` adds what swarm knows of a network, which is nothing; what is no truth value is refused as Docker does. */
/** Beside Docker's: by force also the network of a plugin that is gone. */
export const NetworkRemoveQuery = z.object({ force: QueryFlag });

export const NetworkInspectQuery = z.object({
  verbose: QueryText.refine(
    (text) =>
      text === undefined || text === "" || /^(1|t|T|TRUE|true|True|0|f|F|FALSE|false|False)$/.test(text),
    "expected true or false",
  ),
  scope: QueryText,
});
