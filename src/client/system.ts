import type { JobSummary } from "#api";
import { filtersQuery, segment } from "./filters.ts";
import { linesOf } from "./lines.ts";
import type { Transport } from "./transport.ts";
import type { EventMessage, Filters, VersionReply } from "./types.ts";

/** The endpoints of the daemon itself: version, info, events, and its jobs. */
export function daemonVersion(transport: Transport): Promise<VersionReply> {
  return transport.json("GET", "/version");
}

export function daemonInfo(transport: Transport): Promise<Readonly<Record<string, unknown>>> {
  return transport.json("GET", "/info");
}

/** An event, and what a number of JavaScript cannot hold: its nanoseconds since 1970 in all their digits. */
export interface TimedEvent {
  readonly event: EventMessage;
  readonly nanoseconds: string;
  /** The event as it came, in JSON. */
  readonly line: string;
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
): AsyncGenerator<TimedEvent> {
  const query = { since, until, filters: filtersQuery(filters) };
  const reply = await transport.call("GET", "/events", { query, ...(signal ? { signal } : {}) });
  for await (const line of linesOf(reply.body)) {
    const [, nanoseconds = "0"] = /"timeNano":(\d+)/.exec(line) ?? [];
    yield { event: JSON.parse(line) as EventMessage, nanoseconds, line };
  }
}

export function listJobs(transport: Transport): Promise<JobSummary[]> {
  return transport.json("GET", "/bunker/jobs");
}

export async function cancelJob(transport: Transport, id: string): Promise<void> {
  await transport.send("POST", `/bunker/jobs/${segment(id)}/cancel`);
}

/** Whether a registry takes these credentials; and the token to be kept in the password's place, or nothing. */
export function checkAuth(
  transport: Transport,
  auth: {
    readonly username: string;
    readonly password: string;
    readonly serveraddress: string;
    readonly identitytoken?: string;
  },
): Promise<{ readonly Status: string; readonly IdentityToken?: string }> {
  return transport.json("POST", "/auth", { body: auth });
}
