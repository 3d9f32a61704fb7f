import { segment } from "./filters.ts";
import type { Transport, Upgraded } from "./transport.ts";
import type { ExecBody } from "./types.ts";

/** The endpoints of exec: a further process in a running container. */
export function createExec(transport: Transport, ref: string, body: ExecBody): Promise<{ Id: string }> {
  return transport.json("POST", `/containers/${segment(ref)}/exec`, { body });
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
