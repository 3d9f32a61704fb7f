import { segment } from "./filters.ts";
import type { Transport } from "./transport.ts";

/** The endpoints of checkpoints. An empty folder means the daemon's own. */
const at = (container: string) => `/containers/${segment(container)}/checkpoints`;

export interface CheckpointBody {
  readonly CheckpointID: string;
  readonly CheckpointDir: string;
  /** Whether the container ends with it. */
  readonly Exit: boolean;
}

export async function createCheckpoint(
  transport: Transport,
  container: string,
  body: CheckpointBody,
): Promise<void> {
  await transport.send("POST", at(container), { body });
}

export function listCheckpoints(
  transport: Transport,
  container: string,
  folder: string,
): Promise<readonly { readonly Name: string }[] | null> {
  return transport.json("GET", at(container), { query: { dir: folder || undefined } });
}

export async function removeCheckpoint(
  transport: Transport,
  container: string,
  { name, folder }: { name: string; folder: string },
): Promise<void> {
  await transport.send("DELETE", `${at(container)}/${segment(name)}`, {
    query: { dir: folder || undefined },
  });
}
