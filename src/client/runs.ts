import { RUN_FIELD, WARNINGS_FIELD } from "#api";
import { Fault, type FaultKind } from "#errors";
import type { CreateBody } from "./bodies.ts";
import { isShortBody } from "./together.ts";
import type { Transport, Upgraded } from "./transport.ts";
import type { Created } from "./types.ts";

/** The connection has gone, or somebody between gave up: whether anything has begun is not known. */
const LOST: readonly FaultKind[] = ["unavailable", "cancelled", "internal"];

/**
 * Creates a container without a terminal, attaches to it, starts it and waits for it in one call: its exit code, or why it
 * could not be started, comes with its output. Undefined, and no container is there, where that is not to be had: with another
 * engine's daemon, where somebody between watches over calls he knows, or where the container cannot be created; Docker's
 * calls will then say why.
 */
export async function runContainer(
  transport: Transport,
  body: CreateBody,
  query: { readonly name?: string; readonly platform?: string; readonly condition: "next-exit" | "removed" },
): Promise<{ readonly created: Created; readonly upgraded: Upgraded } | undefined> {
  if (body.Tty || !isShortBody(body)) return undefined;
  try {
    const upgraded = await transport.upgrade("/bunker/containers/run", { body, query });
    const id = upgraded.fields.get(RUN_FIELD.toLowerCase());
    if (id !== undefined) return { created: { Id: id, Warnings: warningsIn(upgraded) }, upgraded };
    // Somebody who answers everything alike.
    upgraded.wire.close();
    return undefined;
  } catch (thrown) {
    if (thrown instanceof Fault && !LOST.includes(thrown.kind)) return undefined;
    throw thrown;
  }
}

function warningsIn({ fields }: Upgraded): string[] {
  const told = fields.get(WARNINGS_FIELD.toLowerCase());
  try {
    return told === undefined ? [] : JSON.parse(decodeURIComponent(told));
  } catch {
    return []; // The container runs by now.
  }
}
