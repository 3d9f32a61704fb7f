import { ERROR_STREAM, EXIT_STREAM } from "#api";

const STREAM_NUMBER = { stdout: 1, stderr: 2, error: ERROR_STREAM, exit: EXIT_STREAM } as const;

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

/** The last frame of what has ended. */
export function exitFrame(code: number): Uint8Array {
  return frame("exit", new TextEncoder().encode(String(code)));
}

/** Nanoseconds since the epoch, always with nine decimals, so that lines align. */
export function rfc3339Nano(nanoseconds: bigint): string {
  const milliseconds = Number(nanoseconds / 1_000_000n);
  const fraction = String(nanoseconds % 1_000_000_000n).padStart(9, "0");
  return `${new Date(milliseconds).toISOString().slice(0, 19)}.${fraction}Z`;
}
