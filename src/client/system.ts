import { filtersQuery, segment } from "./filters.ts";
import { valuesOf } from "./lines.ts";
import type { Transport } from "./transport.ts";
import type { EventMessage, Filters, JobSummary, VersionReply } from "./types.ts";

/** The endpoints of the daemon itself: version, info, events, and its jobs. */
export function daemonVersion(transport: Transport): Promise<VersionReply> {
  return transport.json("GET", "/version");
}

export function daemonInfo(transport: Transport): Promise<Readonly<Record<string, unknown>>> {
  return transport.json("GET", "/info");
}

/** Events as they come; with `until` the stream has an end. */
export async function* daemonEvents(
  transport: Transport,
  {
    since,
    until,
    filters,
    signal,
  }: { since?: string; until?: string; filters?: Filters; signal?: AbortSignal },
): AsyncGenerator<EventMessage> {
  const query = { since, until, filters: filtersQuery(filters) };
  const reply = await transport.call("GET", "/events", { query, ...(signal ? { signal } : {}) });
  yield* valuesOf<EventMessage>(reply.body);
}

export function listJobs(transport: Transport): Promise<JobSummary[]> {
  return transport.json("GET", "/bunker/jobs");
}

export async function cancelJob(transport: Transport, id: string): Promise<void> {
  await transport.send("POST", `/bunker/jobs/${segment(id)}/cancel`);
}
