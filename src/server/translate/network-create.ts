import type { z } from "zod";
import { type IpamConfigBody, isAtLeast, type NetworkCreateBody } from "#api";
import { didYouMean, Fault } from "#errors";
import type { Jobs } from "#jobs";
import { NO_SWARM } from "../swarm.ts";

type NetworkRequest = Jobs["network.create"]["input"];
type Pool = NetworkRequest["ipam"]["pools"][number];

const SCOPES = ["", "local", "global"];

/**
 * Body of POST /networks/create in the engine's words. Throws `invalid`, and `unavailable` for what belongs to a
 * swarm. Addresses are checked where they are given out.
 */
export function toNetworkRequest(body: NetworkCreateBody, version: string): NetworkRequest {
  refuseAbsent(body);
  const configFrom = body.ConfigFrom?.Network ?? "";
  const isIpv4 = isAtLeast(version, "1.48") ? body.EnableIPv4 : undefined;
  return {
    name: body.Name,
    driver: body.Driver,
    options: body.Options,
    labels: body.Labels,
    isInternal: body.Internal,
    isAttachable: body.Attachable,
    ...(body.ConfigOnly && { isConfigOnly: true }),
    ...(configFrom !== "" && { configFrom }),
    ...(isIpv4 != null && { isIpv4 }),
    ...(body.EnableIPv6 != null && { isIpv6: body.EnableIPv6 }),
    ipam: {
      driver: body.IPAM?.Driver ?? "",
      options: body.IPAM?.Options ?? {},
      pools: (body.IPAM?.Config ?? []).filter(saysSomething).map(toPool),
    },
  };
}

function refuseAbsent({ Name, Scope, Ingress }: NetworkCreateBody): void {
  const cannot = `Cannot create the network ${Name.slice(0, 256)}`;
  if (Ingress || Scope === "swarm") throw new Fault("unavailable", NO_SWARM);
  if (!SCOPES.includes(Scope))
    throw new Fault(
      "invalid",
      `${cannot}: the scope "${Scope.slice(0, 100)}" is not local or global${didYouMean(Scope, SCOPES)}`,
    );
}

type IpamConfig = z.infer<typeof IpamConfigBody>;

/** Some clients send one empty block for "any". */
function saysSomething({ Subnet, IPRange, Gateway, AuxiliaryAddresses }: IpamConfig): boolean {
  return `${Subnet}${IPRange}${Gateway}` !== "" || Object.keys(AuxiliaryAddresses).length > 0;
}

function toPool({ Subnet, IPRange, Gateway, AuxiliaryAddresses }: IpamConfig): Pool {
  const sample = Subnet || IPRange || Gateway || Object.values(AuxiliaryAddresses)[0] || "";
  return {
    family: sample.includes(":") ? 6 : 4,
    subnet: Subnet,
    range: IPRange,
    gateway: Gateway,
    auxiliary: AuxiliaryAddresses,
  };
}
