import { Fault } from "#errors";
import type { Descriptor, Reference } from "#oci";
import type { Answer } from "./answer.ts";
import type { Clock } from "./clock.ts";
import type { Limits } from "./limits.ts";
import { backOff } from "./retry.ts";
import type { Transport } from "./transport.ts";

export interface BlobRequest {
  readonly reference: Reference;
  readonly descriptor: Descriptor;
  readonly offset: number;
  readonly signal: AbortSignal;
}

/**
 * The bytes of a blob from an offset on, exactly to its declared size. When the line breaks or falls silent
 * it goes on where it stopped, by Range; a server that knows no Range is read again and what is known is
 * left out. Throws `invalid` when there are more bytes than declared, `unavailable` when it cannot go on.
 */
export async function* streamBlob(
  transport: Transport,
  { reference, descriptor, offset, signal }: BlobRequest,
  { clock, limits }: { readonly clock: Clock; readonly limits: Limits },
): AsyncGenerator<Uint8Array> {
  const { digest, size } = descriptor;
  let position = offset;
  let breaks = 0;
  let safe = position;
  while (position < size) {
    using answer = await transport.ask({
      reference,
      subject: "blob",
      path: `blobs/${digest}`,
      signal,
      ...(position > 0 && { headers: { Range: `bytes=${position}-` } }),
    });
    try {
      for await (const chunk of fromPosition(answer, { position, descriptor })) {
        position += chunk.length;
        yield chunk;
      }
      if (position < size)
        throw new Fault(
          "unavailable",
          `Cannot get the blob ${digest}: ${answer.url.host} ended it after ${position} of ${size} bytes`,
        );
    } catch (thrown) {
      signal.throwIfAborted();
      if (position - safe >= limits.progress) breaks = 0;
      safe = position;
      breaks += 1;
      if (!(thrown instanceof Fault) || thrown.kind !== "unavailable" || breaks >= limits.breaks)
        throw thrown;
      await clock.sleep(backOff(breaks - 1, limits), signal);
    }
  }
}

async function* fromPosition(
  answer: Answer,
  { position, descriptor }: { readonly position: number; readonly descriptor: Descriptor },
): AsyncGenerator<Uint8Array> {
  const tooLong = new Fault(
    "invalid",
    `Cannot use the blob ${descriptor.digest} from ${answer.url.host}: it is longer than the declared ${descriptor.size} bytes`,
  );
  const start = startOf(answer, position);
  const length = Number(answer.headers.get("content-length") ?? 0);
  if (start + length > descriptor.size) throw tooLong;
  let at = start;
  for await (const chunk of answer.chunks()) {
    const known = Math.max(0, Math.min(position - at, chunk.length));
    at += chunk.length;
    if (at > descriptor.size) throw tooLong;
    if (known < chunk.length) yield known === 0 ? chunk : chunk.subarray(known);
  }
}

/** Where in the blob an answer begins: 206 says so, 200 is the whole. */
function startOf(answer: Answer, position: number): number {
  if (answer.status !== 206) return 0;
  const range = /^bytes ([0-9]+)-/.exec(answer.headers.get("content-range") ?? "");
  if (Number(range?.[1] ?? position) === position) return position;
  throw new Fault(
    "invalid",
    `Cannot resume a blob from ${answer.url.host}: it answers with another range than asked for`,
  );
}
