import { EXEC_FIELD } from "#api";
import { Fault, type FaultKind } from "#errors";
import { segment } from "./filters.ts";
import { isShortBody } from "./together.ts";
import type { Transport, Upgraded } from "./transport.ts";
import type { ExecBody } from "./types.ts";

/** The endpoints of exec: a further process in a running container. */
export function createExec(transport: Transport, ref: string, body: ExecBody): Promise<{ Id: string }> {
  return transport.json("POST", `/containers/${segment(ref)}/exec`, { body });
}

/** What Docker's calls would say as well. Whatever else is said may come from somebody who does not know this call. */
const MEANT: readonly FaultKind[] = ["conflict", "unauthorized", "unavailable", "cancelled", "internal"];

/**
 * Creates, starts and attaches a command without a terminal in one call; its exit code comes with its output. Undefined
 * where that is not to be had: with another engine's daemon, or where somebody between watches over calls he knows.
 */
export async function runExec(
  transport: Transport,
  ref: string,
  body: ExecBody,
): Promise<{ readonly id: string; readonly upgraded: Upgraded } | undefined> {
  if (body.Tty || !isShortBody(body)) return undefined;
  try {
    const upgraded = await transport.upgrade(`/bunker/containers/${segment(ref)}/exec`, { body });
    const id = upgraded.fields.get(EXEC_FIELD.toLowerCase());
    if (id !== undefined) return { id, upgraded };
    // Somebody who answers everything alike.
    upgraded.wire.close();
    return undefined;
  } catch (thrown) {
    // A container that is not there looks the same: Docker's calls will say so.
    if (thrown instanceof Fault && !MEANT.includes(thrown.kind)) return undefined;
    throw thrown;
  }
}

export async function startExecDetached(transport: Transport, id: string): Promise<void> {
  await transport.send("POST", `/exec/${segment(id)}/start`, { body: { Detach: true, Tty: false } });
}

export function startExecAttached(
  transport: Transport,
  id: string,
  { isTerminal, size }: { isTerminal: boolean; size?: [number, number] },
): Promise<Upgraded> {
  const body = { Detach: false, Tty: isTerminal, ...(size === undefined ? {} : { ConsoleSize: size }) };
  return transport.upgrade(`/exec/${segment(id)}/start`, { body });
}

export async function resizeExec(
  transport: Transport,
  id: string,
  { rows, columns }: { rows: number; columns: number },
): Promise<void> {
  await transport.send("POST", `/exec/${segment(id)}/resize`, { query: { h: rows, w: columns } });
}

export function inspectExec(
  transport: Transport,
  id: string,
): Promise<{ ID: string; Running: boolean; ExitCode: number | null }> {
  return transport.json("GET", `/exec/${segment(id)}/json`);
}
