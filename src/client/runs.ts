import { RUN_FIELD } from "#api";
import { Fault, type FaultKind } from "#errors";
import type { AttachQuery } from "./containers.ts";
import { segment } from "./filters.ts";
import type { Transport, Upgraded } from "./transport.ts";

/** The connection has gone: whether anything has begun is not known. */
const LOST: readonly FaultKind[] = ["unavailable", "cancelled"];

/**
 * Attaches to a container without a terminal, starts it and waits for it in one call: its exit code, or why it could not be
 * started, comes with its output. Undefined, and nothing has begun, where that is not to be had: with another engine's
 * daemon, or where somebody between watches over calls he knows.
 */
export async function runContainer(
  transport: Transport,
  id: string,
  { condition, ...streams }: AttachQuery & { readonly condition: "next-exit" | "removed" },
): Promise<Upgraded | undefined> {
  const { stdin, stdout, stderr } = streams;
  const query = {
    condition,
    stdin: stdin ? 1 : undefined,
    stdout: stdout ? 1 : undefined,
    stderr: stderr ? 1 : undefined,
  };
  try {
    const upgraded = await transport.upgrade(`/bunker/containers/${segment(id)}/run`, { query });
    if (upgraded.fields.has(RUN_FIELD.toLowerCase())) return upgraded;
    // Somebody who answers everything alike.
    upgraded.wire.close();
    return undefined;
  } catch (thrown) {
    if (thrown instanceof Fault && !LOST.includes(thrown.kind)) return undefined;
    throw thrown;
  }
}
