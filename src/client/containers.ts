import type { CreateBody, Resources } from "./bodies.ts";
import { filtersQuery, segment } from "./filters.ts";
import { valuesOf } from "./lines.ts";
import type { Reply, Transport, Upgraded } from "./transport.ts";
import type {
  Change,
  ContainerDetails,
  ContainerSummary,
  Created,
  Filters,
  StatsSample,
  TopReply,
  WaitReply,
} from "./types.ts";

const at = (ref: string, verb: string) => `/containers/${segment(ref)}/${verb}`;

export interface AttachQuery {
  readonly stdin?: boolean;
  readonly stdout?: boolean;
  readonly stderr?: boolean;
  readonly logs?: boolean;
  readonly detachKeys?: string;
}

export interface LogsQuery {
  readonly follow?: boolean;
  readonly since?: string;
  readonly until?: string;
  readonly timestamps?: boolean;
  readonly details?: boolean;
  readonly tail?: string;
}

/** The endpoints of containers, one function each. Each throws the daemon's Fault. */
export function createContainer(
  transport: Transport,
  body: CreateBody,
  { name, platform }: { name?: string; platform?: string } = {},
): Promise<Created> {
  return transport.json("POST", "/containers/create", { body, query: { name, platform } });
}

export function listContainers(
  transport: Transport,
  query: { all?: boolean; limit?: number; size?: boolean; filters?: Filters },
): Promise<ContainerSummary[]> {
  const { filters, all, size, limit } = query;
  return transport.json("GET", "/containers/json", {
    query: {
      all: all === true ? 1 : undefined,
      limit: limit !== undefined && limit > 0 ? limit : undefined,
      size: size === true ? 1 : undefined,
      filters: filtersQuery(filters),
    },
  });
}

export function inspectContainer(transport: Transport, ref: string, size = false): Promise<ContainerDetails> {
  return transport.json("GET", at(ref, "json"), { query: { size: size ? 1 : undefined } });
}

export async function startContainer(
  transport: Transport,
  ref: string,
  {
    detachKeys,
    checkpoint,
    folder,
  }: { detachKeys?: string; checkpoint?: string /** Of the checkpoint. */; folder?: string } = {},
): Promise<void> {
  const query = { detachKeys, checkpoint, "checkpoint-dir": folder };
  await transport.send("POST", at(ref, "start"), { query });
}

export async function stopContainer(
  transport: Transport,
  ref: string,
  { timeoutSeconds, signal }: { timeoutSeconds?: number; signal?: string } = {},
): Promise<void> {
  await transport.send("POST", at(ref, "stop"), { query: { t: timeoutSeconds, signal } });
}

export async function restartContainer(
  transport: Transport,
  ref: string,
  { timeoutSeconds, signal }: { timeoutSeconds?: number; signal?: string } = {},
): Promise<void> {
  await transport.send("POST", at(ref, "restart"), { query: { t: timeoutSeconds, signal } });
}

export async function killContainer(transport: Transport, ref: string, signal?: string): Promise<void> {
  await transport.send("POST", at(ref, "kill"), { query: { signal } });
}

export async function removeContainer(
  transport: Transport,
  ref: string,
  { isForced, volumes, link }: { isForced?: boolean; volumes?: boolean; link?: boolean } = {},
): Promise<void> {
  const query = { force: isForced || undefined, v: volumes || undefined, link: link || undefined };
  await transport.send("DELETE", `/containers/${segment(ref)}`, { query });
}

/** Resolves once the daemon is waiting; `exit` resolves when the container has reached the condition. */
export async function armWait(
  transport: Transport,
  ref: string,
  condition: "not-running" | "next-exit" | "removed",
): Promise<{ exit: Promise<WaitReply> }> {
  const reply = await transport.call("POST", at(ref, "wait"), { query: { condition } });
  return { exit: waitReply(reply) };
}

async function waitReply(reply: Reply): Promise<WaitReply> {
  for await (const value of valuesOf<WaitReply>(reply.body)) return value;
  return { StatusCode: 125, Error: { Message: "the daemon ended the wait without an answer" } };
}

export function containerLogs(
  transport: Transport,
  ref: string,
  { follow, timestamps, details, ...rest }: LogsQuery,
): Promise<Reply> {
  return transport.call("GET", at(ref, "logs"), {
    query: {
      stdout: 1,
      stderr: 1,
      follow: follow === true ? 1 : undefined,
      timestamps: timestamps === true ? 1 : undefined,
      details: details === true ? 1 : undefined,
      ...rest,
    },
  });
}

export function attachContainer(transport: Transport, ref: string, query: AttachQuery): Promise<Upgraded> {
  const flag = (value: boolean | undefined) => (value === true ? 1 : undefined);
  const { stdin, stdout, stderr, logs, detachKeys } = query;
  return transport.upgrade(at(ref, "attach"), {
    query: {
      stream: 1,
      stdin: flag(stdin),
      stdout: flag(stdout),
      stderr: flag(stderr),
      logs: flag(logs),
      detachKeys,
    },
  });
}

export async function resizeContainer(
  transport: Transport,
  ref: string,
  { rows, columns }: { rows: number; columns: number },
): Promise<void> {
  await transport.send("POST", at(ref, "resize"), { query: { h: rows, w: columns } });
}

export function topContainer(
  transport: Transport,
  ref: string,
  psArguments: readonly string[],
): Promise<TopReply> {
  const ps_args = psArguments.length > 0 ? psArguments.join(" ") : undefined;
  return transport.json("GET", at(ref, "top"), { query: { ps_args } });
}

/** Samples, one a second; without `isStreaming` a single one. */
export async function* containerStats(
  transport: Transport,
  ref: string,
  { isStreaming, signal }: { isStreaming: boolean; signal?: AbortSignal },
): AsyncGenerator<StatsSample> {
  const query = isStreaming ? { stream: 1 } : { stream: 0 };
  const reply = await transport.call("GET", at(ref, "stats"), { query, ...(signal ? { signal } : {}) });
  yield* valuesOf<StatsSample>(reply.body);
}

export async function pauseContainer(transport: Transport, ref: string): Promise<void> {
  await transport.send("POST", at(ref, "pause"));
}

export async function unpauseContainer(transport: Transport, ref: string): Promise<void> {
  await transport.send("POST", at(ref, "unpause"));
}

export async function renameContainer(transport: Transport, ref: string, name: string): Promise<void> {
  await transport.send("POST", at(ref, "rename"), { query: { name } });
}

export function updateContainer(
  transport: Transport,
  ref: string,
  body: Resources,
): Promise<{ Warnings?: readonly string[] | null } | undefined> {
  return transport.json("POST", at(ref, "update"), { body });
}

export function containerChanges(transport: Transport, ref: string): Promise<Change[] | null> {
  return transport.json("GET", at(ref, "changes"));
}
