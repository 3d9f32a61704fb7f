import { Fault } from "#errors";
import type { Descriptor, Digest, Reference } from "#oci";
import type { PushedBlob } from "../types.ts";
import type { Answer } from "./answer.ts";
import type { Clock } from "./clock.ts";
import type { Limits } from "./limits.ts";
import { backOff } from "./retry.ts";
import type { Transport } from "./transport.ts";

const CHUNK_BYTES = 1024 * 1024;

export interface BlobPush {
  readonly reference: Reference;
  readonly descriptor: Descriptor;
  readonly source: Blob;
  /** Other repositories of the registry that may have it. */
  readonly from: readonly string[];
  readonly signal: AbortSignal;
  report(sentBytes: number): void;
}

interface Waiting {
  readonly clock: Clock;
  readonly limits: Limits;
}

/**
 * Sees to it that the registry has the blob: it has it already, or another of its repositories does, or it is sent.
 * A line that breaks is taken up where the registry says it broke. Source: OCI distribution specification 1.1, "Push".
 */
export async function pushBlob(transport: Transport, push: BlobPush, waiting: Waiting): Promise<PushedBlob> {
  if (await hasBlob(transport, push)) return { how: "exists" };
  for (const from of push.from) {
    using answer = await begin(
      transport,
      push,
      `?mount=${push.descriptor.digest}&from=${encodeURIComponent(from)}`,
    );
    if (answer.status === 201) return { how: "mounted", from };
    await send(transport, push, { waiting, location: locationOf(answer) });
    return { how: "pushed" };
  }
  using answer = await begin(transport, push, "");
  await send(transport, push, { waiting, location: locationOf(answer) });
  return { how: "pushed" };
}

async function hasBlob(transport: Transport, { reference, descriptor, signal }: BlobPush): Promise<boolean> {
  try {
    using answer = await transport.ask({
      ...pushing(reference),
      method: "HEAD",
      path: `blobs/${descriptor.digest}`,
      signal,
    });
    return answer.status === 200;
  } catch (thrown) {
    if (thrown instanceof Fault && thrown.kind === "not_found") return false;
    throw thrown;
  }
}

function begin(transport: Transport, { reference, signal }: BlobPush, query: string): Promise<Answer> {
  return transport.ask({ ...pushing(reference), method: "POST", path: `blobs/uploads/${query}`, signal });
}

/** One upload, until the registry has taken the whole of it. */
async function send(
  transport: Transport,
  push: BlobPush,
  { waiting, location }: { readonly waiting: Waiting; readonly location: string },
): Promise<void> {
  const { clock, limits } = waiting;
  const { signal, descriptor } = push;
  let place = { location, offset: 0 };
  for (let breaks = 0; ; ) {
    const before = place.offset;
    try {
      if (place.offset < descriptor.size) place = await append(transport, push, place);
      await finish(transport, push, place.location);
      return;
    } catch (thrown) {
      signal.throwIfAborted();
      if (!(thrown instanceof Fault) || thrown.kind !== "unavailable") throw thrown;
      place = await resume(transport, push, place.location).catch(() => ({ ...place, offset: before }));
      breaks = place.offset - before >= limits.progress ? 0 : breaks + 1;
      if (breaks >= limits.breaks) throw thrown;
      await clock.sleep(backOff(breaks, limits), signal);
    }
  }
}

interface Place {
  readonly location: string;
  readonly offset: number;
}

async function append(
  transport: Transport,
  { reference, descriptor, source, signal, report }: BlobPush,
  { location, offset }: Place,
): Promise<Place> {
  using answer = await transport.ask({
    ...pushing(reference),
    method: "PATCH",
    path: location,
    headers: {
      "Content-Type": "application/octet-stream",
      ...(offset > 0 && { "Content-Range": `${offset}-${descriptor.size - 1}` }),
    },
    body: () => partFrom(source.slice(offset), offset, report),
    signal,
  });
  return { location: locationOf(answer), offset: descriptor.size };
}

async function* partFrom(
  source: Blob,
  offset: number,
  report: (sentBytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let sent = offset;
  for await (const part of source.stream()) {
    for (let at = 0; at < part.length; at += CHUNK_BYTES) {
      const chunk = part.subarray(at, at + CHUNK_BYTES);
      sent += chunk.length;
      yield chunk;
      report(sent);
    }
  }
}

async function finish(
  transport: Transport,
  { reference, descriptor, signal }: BlobPush,
  location: string,
): Promise<void> {
  const query = `${location.includes("?") ? "&" : "?"}digest=${encodeURIComponent(descriptor.digest)}`;
  using answer = await transport.ask({
    ...pushing(reference),
    method: "PUT",
    path: location + query,
    headers: { "Content-Type": "application/octet-stream" },
    body: () => new Uint8Array(),
    signal,
  });
  void answer;
}

/** How far the registry has come. One that has forgotten the upload is asked for another. */
async function resume(transport: Transport, push: BlobPush, location: string): Promise<Place> {
  try {
    using answer = await transport.ask({ ...pushing(push.reference), path: location, signal: push.signal });
    const [, last] = /^(?:bytes=)?0-(\d+)$/.exec(answer.headers.get("range") ?? "") ?? [];
    // One byte looks like none; a line that broke just there is left to the digest to find.
    const offset = last === undefined || last === "0" ? 0 : Number(last) + 1;
    return { location: locationOf(answer, location), offset };
  } catch (thrown) {
    if (!(thrown instanceof Fault) || thrown.kind !== "not_found") throw thrown;
    using answer = await begin(transport, push, "");
    return { location: locationOf(answer), offset: 0 };
  }
}

function locationOf(answer: Answer, preset?: string): string {
  const location = answer.headers.get("location") ?? preset;
  const url = location === undefined ? null : URL.parse(location, answer.url.href);
  if (url !== null && /^https?:$/.test(url.protocol) && url.username === "") return url.href;
  throw new Fault("unavailable", `Cannot push to ${answer.url.host}: it does not say where`);
}

/** Returns the digest under which the registry has it. */
export async function pushManifest(
  transport: Transport,
  {
    reference,
    bytes,
    mediaType,
    signal,
  }: {
    readonly reference: Reference;
    readonly bytes: Uint8Array;
    readonly mediaType: string;
    readonly signal: AbortSignal;
  },
): Promise<Digest | undefined> {
  using answer = await transport.ask({
    ...pushing(reference),
    method: "PUT",
    path: `manifests/${reference.digest ?? reference.tag}`,
    headers: { "Content-Type": mediaType },
    body: () => bytes,
    signal,
  });
  return (answer.headers.get("docker-content-digest") as Digest | null) ?? undefined;
}

const pushing = (reference: Reference) => ({ reference, subject: "push", actions: "pull,push" }) as const;
