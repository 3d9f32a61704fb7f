export type LogLevel = "debug" | "info" | "warn" | "error" | "fatal";

/** What the daemon says of itself. Never a secret, never what a container prints. */
export type Log = (level: LogLevel, message: string) => void;

/** A log that may become louder or quieter. */
export interface AdjustableLog {
  (level: LogLevel, message: string): void;
  setThreshold(level: LogLevel): void;
}

const ORDER: readonly LogLevel[] = ["debug", "info", "warn", "error", "fatal"];

/** Writes lines `time level message` of at least that level; control characters are made visible. */
export function createLog(
  threshold: LogLevel,
  write = (line: string) => void process.stderr.write(line),
): AdjustableLog {
  let least = threshold;
  const log = (level: LogLevel, message: string) => {
    if (ORDER.indexOf(level) < ORDER.indexOf(least)) return;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach a terminal
    const visible = message.replace(/[\u0000-\u001f\u007f]/g, (c) => (c === "\n" ? " / " : "?"));
    write(`${new Date().toISOString()} ${level} ${visible}\n`);
  };
  const setThreshold = (level: LogLevel) => {
    least = level;
  };
  return Object.assign(log, { setThreshold });
}
