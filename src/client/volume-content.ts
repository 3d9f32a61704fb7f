import { segment } from "./filters.ts";
import type { Reply, Transport } from "./transport.ts";
import type { VolumeDetails, VolumeSnapshot } from "./types.ts";

const at = (name: string, verb: string) => `/bunker/volumes/${segment(name)}/${verb}`;
const reading = (isLive: boolean) => ({ live: isLive ? 1 : undefined });

/** A volume's content as a tar archive. */
export async function exportVolume(
  transport: Transport,
  name: string,
  { isLive }: { readonly isLive: boolean },
): Promise<Reply["body"]> {
  return (await transport.call("GET", at(name, "export"), { query: reading(isLive) })).body;
}

export async function importVolume(
  transport: Transport,
  name: string,
  stream: AsyncIterable<Uint8Array>,
): Promise<void> {
  const fields = { "Content-Type": "application/x-tar" };
  const reply = await transport.upload("POST", at(name, "import"), { fields, stream });
  for await (const _ of reply.body);
}

export function cloneVolume(
  transport: Transport,
  name: string,
  { target, isLive }: { readonly target: string; readonly isLive: boolean },
): Promise<VolumeDetails> {
  return transport.json("POST", at(name, "clone"), { query: reading(isLive), body: { Name: target } });
}

export function listSnapshots(transport: Transport, name: string): Promise<readonly VolumeSnapshot[]> {
  return transport.json("GET", at(name, "snapshots"));
}

export function createSnapshot(
  transport: Transport,
  name: string,
  { snapshot, isLive }: { readonly snapshot: string; readonly isLive: boolean },
): Promise<VolumeSnapshot> {
  return transport.json("POST", at(name, "snapshots"), { query: reading(isLive), body: { Name: snapshot } });
}

export async function removeSnapshot(transport: Transport, name: string, snapshot: string): Promise<void> {
  await transport.send("DELETE", `${at(name, "snapshots")}/${segment(snapshot)}`);
}

export async function restoreVolume(transport: Transport, name: string, snapshot: string): Promise<void> {
  await transport.send("POST", at(name, "restore"), { body: { Name: snapshot } });
}
