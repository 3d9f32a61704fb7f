import { z } from "zod";
import type { Network } from "../types.ts";

const Texts = z.record(z.string(), z.string());
const MAC = z.string().regex(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);

/** A network as it stands in the store. */
const SharedNetwork = z.object({
  id: z.string().regex(/^[0-9a-f]{64}$/),
  name: z.string().min(1),
  driver: z.literal("overlay"),
  created: z.number(),
  scope: z.literal("global"),
  ipam: z.object({
    driver: z.string(),
    options: Texts,
    pools: z.array(
      z.object({
        family: z.union([z.literal(4), z.literal(6)]),
        subnet: z.string(),
        gateway: z.string(),
        range: z.string(),
        auxiliary: Texts,
        isAsked: z.boolean().optional(),
        poolId: z.string().optional(),
      }),
    ),
  }),
  options: Texts,
  labels: Texts,
  isInternal: z.boolean(),
  isAttachable: z.boolean(),
  isIpv4: z.boolean(),
  isIpv6: z.boolean(),
});

/** A container of some host on a shared network. */
const SharedEndpoint = z.object({
  hostId: z.string(),
  /** Where its host takes frames. */
  hostAddress: z.string(),
  containerName: z.string(),
  names: z.array(z.string()),
  macAddress: MAC,
  addresses: z.array(z.string()),
});
export type SharedEndpoint = z.infer<typeof SharedEndpoint>;

const SharedHost = z.object({ address: z.string(), nonce: z.string() });
export type SharedHost = z.infer<typeof SharedHost>;

/** Hexadecimal; the one in the middle of three is used, one is still and one already understood. */
const Secrets = z.object({
  rotatedAt: z.number(),
  secrets: z
    .array(z.string().regex(/^[0-9a-f]{64}$/))
    .min(1)
    .max(3),
});
export type Secrets = z.infer<typeof Secrets>;

/** Undefined for what another version wrote, or nobody of us. */
function read<T>(schema: z.ZodType<T>, text: string): T | undefined {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

export function readNetwork(text: string): Network | undefined {
  const found = read(SharedNetwork, text);
  if (found === undefined) return undefined;
  const pools = found.ipam.pools.map(({ poolId, isAsked, ...pool }) => ({
    ...pool,
    ...(isAsked !== undefined && { isAsked }),
    ...(poolId !== undefined && { poolId }),
  }));
  return { ...found, ipam: { ...found.ipam, pools } };
}
export const readEndpoint = (text: string): SharedEndpoint | undefined => read(SharedEndpoint, text);
export const readHost = (text: string): SharedHost | undefined => read(SharedHost, text);
export const readSecrets = (text: string): Secrets | undefined => read(Secrets, text);
