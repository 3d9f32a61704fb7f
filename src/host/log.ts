export type LogLevel = "debug" | "info" | "warn" | "error" | "fatal";

/** What the daemon says of itself. Never a secret, never what a container prints. */
export type Log = (level: LogLevel, message: string) => void;

/** A log that may become louder or quieter. */
export interface AdjustableLog {
  (level: LogLevel, message: string): void;
  setThreshold(level: LogLevel): void;
}

const ORDER: readonly LogLevel[] = ["debug", "info", "warn", "error", "fatal"];

export interface LogOptions {
  /** `text` is lines `time level message` with control characters made visible, `json` an object a line. */
  readonly format?: "text" | "json";
  readonly write?: (line: string) => void;
}

/** Writes lines of at least that level. */
export function createLog(
  threshold: LogLevel,
  { format = "text", write = (line) => void process.stderr.write(line) }: LogOptions = {},
): AdjustableLog {
  let least = threshold;
  const log = (level: LogLevel, message: string) => {
    if (ORDER.indexOf(level) < ORDER.indexOf(least)) return;
    const time = new Date().toISOString();
    if (format === "json") return write(`${JSON.stringify({ level, msg: message, time })}\n`);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach a terminal
    const visible = message.replace(/[\u0000-\u001f\u007f]/g, (c) => (c === "\n" ? " / " : "?"));
    write(`${time} ${level} ${visible}\n`);
  };
  const setThreshold = (level: LogLevel) => {
    least = level;
  };
  return Object.assign(log, { setThreshold });
}
