import { filtersQuery, segment } from "./filters.ts";
import type { Transport } from "./transport.ts";
import type { Filters, VolumeDetails } from "./types.ts";

/** The endpoints of volumes. */
export function listVolumes(
  transport: Transport,
  filters?: Filters,
): Promise<{ Volumes?: VolumeDetails[] | null; Warnings?: readonly string[] | null }> {
  return transport.json("GET", "/volumes", { query: { filters: filtersQuery(filters) } });
}

export function createVolume(
  transport: Transport,
  body: {
    Name?: string;
    Driver?: string;
    DriverOpts?: Record<string, string>;
    Labels?: Record<string, string>;
  },
): Promise<VolumeDetails> {
  return transport.json("POST", "/volumes/create", { body });
}

export function inspectVolume(transport: Transport, name: string): Promise<unknown> {
  return transport.json("GET", `/volumes/${segment(name)}`);
}

export async function removeVolume(transport: Transport, name: string, isForced = false): Promise<void> {
  await transport.send("DELETE", `/volumes/${segment(name)}`, { query: { force: isForced ? 1 : undefined } });
}

export function pruneVolumes(
  transport: Transport,
  filters: Filters,
): Promise<{ VolumesDeleted?: readonly string[] | null; SpaceReclaimed: number }> {
  return transport.json("POST", "/volumes/prune", { query: { filters: filtersQuery(filters) } });
}

/** Of cluster volumes only, which need a swarm. */
export async function updateVolume(transport: Transport, name: string, availability: string): Promise<void> {
  const body = { Spec: { Availability: availability } };
  await transport.send("PUT", `/volumes/${segment(name)}`, { query: { version: 0 }, body });
}
