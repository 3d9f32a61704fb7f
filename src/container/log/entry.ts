import { parseTimestamp } from "../time.ts";

/** One entry of a log file. `time` in nanoseconds since the epoch; `text` with its newline, if it had one. */
export interface LogEntry {
  readonly stream: "stdout" | "stderr";
  readonly time: bigint;
  readonly bytes: Uint8Array;
  readonly attributes: Readonly<Record<string, string>>;
}

/**
 * One line of a json-file log: `{"log":"…\n","stream":"stdout","time":"…"}`. Undefined for a line that is none:
 * a crash of the host may leave half a line, and the rest of the log is worth reading.
 */
export function parseEntry(line: Uint8Array): LogEntry | undefined {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString("utf8"));
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { log = "", stream, time, attrs } = value as Record<string, unknown>;
  const stamp = typeof time === "string" ? parseTimestamp(time) : undefined;
  if (typeof log !== "string" || stamp === undefined) return undefined;
  return {
    stream: stream === "stderr" ? "stderr" : "stdout",
    time: stamp,
    bytes: Buffer.from(log, "utf8"),
    attributes: attributesOf(attrs),
  };
}

function attributesOf(value: unknown): Record<string, string> {
  if (typeof value !== "object" || value === null) return {};
  return Object.fromEntries(Object.entries(value).map(([key, text]) => [key, String(text)]));
}
