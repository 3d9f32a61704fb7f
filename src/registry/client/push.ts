import { open } from "node:fs/promises";
import { Fault, type FaultKind } from "#errors";
import type { Descriptor, Digest, Reference } from "#oci";
import type { PushedBlob } from "../types.ts";
import type { Answer } from "./answer.ts";
import type { Clock } from "./clock.ts";
import type { Limits } from "./limits.ts";
import { backOff, isLastWord } from "./retry.ts";
import type { Transport } from "./transport.ts";

const CHUNK_BYTES = 1024 * 1024;

export interface BlobPush {
  readonly reference: Reference;
  readonly descriptor: Descriptor;
  /** Its bytes, or the path of the file that holds them. */
  readonly source: Blob | string;
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
  const [from] = push.from;
  const begun = from === undefined ? undefined : await mount(transport, push, from);
  if (from !== undefined && begun === "mounted") return { how: "mounted", from };
  const location = begun === undefined || begun === "mounted" ? await begin(transport, push) : begun.location;
  await send(transport, push, { waiting, location });
  return { how: "pushed" };
}

/** What a blob is asked after by: where it shall be, and what it is. */
type Target = Pick<BlobPush, "reference" | "descriptor" | "signal">;

/** Whether the registry has the blob in the repository, or has mounted it there from another one. */
export async function mountBlob(transport: Transport, target: Target, from: string): Promise<boolean> {
  return (await hasBlob(transport, target)) || (await mount(transport, target, from)) === "mounted";
}

/** A registry that will not, or may not look there, gets the blob itself. */
const UNMOUNTABLE: readonly FaultKind[] = ["denied", "unauthorized", "not_found", "invalid", "unsupported"];

/** `undefined` where the registry will not hear of it; else it is mounted, or has begun an upload. */
async function mount(
  transport: Transport,
  push: Target,
  from: string,
): Promise<"mounted" | { readonly location: string } | undefined> {
  try {
    const query = `?mount=${push.descriptor.digest}&from=${encodeURIComponent(from)}`;
    using answer = await post(transport, push, { query, alsoPulls: from });
    return answer.status === 201 ? "mounted" : { location: locationOf(answer) };
  } catch (thrown) {
    if (thrown instanceof Fault && UNMOUNTABLE.includes(thrown.kind)) return undefined;
    throw thrown;
  }
}

async function hasBlob(transport: Transport, { reference, descriptor, signal }: Target): Promise<boolean> {
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

function post(
  transport: Transport,
  { reference, signal }: Target,
  { query, alsoPulls }: { readonly query: string; readonly alsoPulls?: string },
): Promise<Answer> {
  return transport.ask({
    ...pushing(reference),
    method: "POST",
    path: `blobs/uploads/${query}`,
    signal,
    ...(alsoPulls !== undefined && { alsoPulls }),
  });
}

/** Where an upload goes that the registry is ready for. */
async function begin(transport: Transport, push: BlobPush): Promise<string> {
  using answer = await post(transport, push, { query: "" });
  return locationOf(answer);
}

/** What may be otherwise in a moment; what is not found may be an upload that is over, or forgotten. */
const PASSING: readonly FaultKind[] = ["unavailable", "not_found"];

/** One upload, until the registry has taken the whole of it. After a break the registry says where it stands. */
async function send(
  transport: Transport,
  push: BlobPush,
  { waiting, location }: { readonly waiting: Waiting; readonly location: string },
): Promise<void> {
  const { clock, limits } = waiting;
  const { signal, descriptor } = push;
  let place: Place = { location, offset: 0 };
  let isSure = true;
  let reached = 0;
  for (let breaks = 0; ; ) {
    try {
      if (!isSure) {
        const found = await resume(transport, push, place.location);
        if (found === undefined) return;
        place = found;
        if (place.offset - reached >= limits.progress) breaks = 0;
        reached = place.offset;
        isSure = true;
      }
      if (place.offset < descriptor.size) place = await append(transport, push, place);
      await finish(transport, push, place.location);
      return;
    } catch (thrown) {
      signal.throwIfAborted();
      if (!(thrown instanceof Fault) || !PASSING.includes(thrown.kind) || isLastWord(thrown)) throw thrown;
      isSure = false;
      breaks += 1;
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
    body: () => told(pieces(source, offset), offset, report),
    signal,
  });
  return { location: locationOf(answer), offset: descriptor.size };
}

async function* told(
  pieces: AsyncIterable<Uint8Array>,
  offset: number,
  report: (sentBytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let sent = offset;
  for await (const piece of pieces) {
    sent += piece.length;
    yield piece;
    report(sent);
  }
}

/** A piece of a file holds until the next one is asked for: whoever sends it has taken a copy by then. */
async function* pieces(source: Blob | string, offset: number): AsyncGenerator<Uint8Array> {
  if (typeof source !== "string") return yield* source.slice(offset).stream();
  await using file = await open(source, "r");
  const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  for (let at = offset; ; ) {
    const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
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

/**
 * How far the registry has come. One that knows nothing of the upload has taken it to its end without being able to
 * say so, which is undefined, or has forgotten it and is asked for another.
 */
async function resume(transport: Transport, push: BlobPush, location: string): Promise<Place | undefined> {
  try {
    using answer = await transport.ask({ ...pushing(push.reference), path: location, signal: push.signal });
    const [, last] = /^(?:bytes=)?0-(\d+)$/.exec(answer.headers.get("range") ?? "") ?? [];
    // One byte looks like none; a line that broke just there is left to the digest to find.
    const offset = last === undefined || last === "0" ? 0 : Number(last) + 1;
    return { location: locationOf(answer, location), offset };
  } catch (thrown) {
    if (!(thrown instanceof Fault) || thrown.kind !== "not_found") throw thrown;
    if (await hasBlob(transport, push)) return undefined;
    return { location: await begin(transport, push), offset: 0 };
  }
}

function locationOf(answer: Answer, preset?: string): string {
  const location = answer.headers.get("location") ?? preset;
  const url = location === undefined ? null : URL.parse(location, answer.url.href);
  if (url?.protocol === "http:" && answer.url.protocol === "https:")
    throw new Fault("denied", `Cannot push to ${answer.url.host}: it sends the content on without TLS`);
  if (url !== null && /^https?:$/.test(url.protocol) && url.username === "") {
    url.hash = "";
    return url.href;
  }
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
