import type { Jobs } from "#jobs";

export type LogLine =
  Jobs["container.logs"]["output"]["lines"] extends AsyncIterable<infer Line> ? Line : never;

const STREAM_NUMBER = { stdout: 1, stderr: 2 } as const;

/**
 * Docker's frame: stream number, three zeros, big-endian length, bytes.
 * Source: Docker Engine API, ContainerAttach, "Stream format".
 */
export function frame(stream: keyof typeof STREAM_NUMBER, bytes: Uint8Array): Uint8Array {
  const framed = new Uint8Array(8 + bytes.length);
  framed[0] = STREAM_NUMBER[stream];
  new DataView(framed.buffer).setUint32(4, bytes.length);
  framed.set(bytes, 8);
  return framed;
}

export interface LogFormat {
  readonly tty: boolean;
  readonly timestamps: boolean;
  readonly details: boolean;
}

/** A line as the client gets it: prefixed as asked, framed unless the container has a terminal. */
export function toWireLine(line: LogLine, { tty, timestamps, details }: LogFormat): Uint8Array {
  const prefix = `${timestamps ? `${rfc3339Nano(line.time)} ` : ""}${details ? `${detailsOf(line)} ` : ""}`;
  const bytes = prefix === "" ? line.bytes : Buffer.concat([Buffer.from(prefix), line.bytes]);
  return tty ? bytes : frame(line.stream, bytes);
}

/** Nanoseconds since the epoch, always with nine decimals, so that lines align. */
export function rfc3339Nano(nanoseconds: bigint): string {
  const milliseconds = Number(nanoseconds / 1_000_000n);
  const fraction = String(nanoseconds % 1_000_000_000n).padStart(9, "0");
  return `${new Date(milliseconds).toISOString().slice(0, 19)}.${fraction}Z`;
}

function detailsOf({ attributes }: LogLine): string {
  const pairs = Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  return pairs.map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`).join(",");
}
