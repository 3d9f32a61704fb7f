/** Where a supervisor puts what its program says: at most two of these at a time, at most one of them a socket. */
export type LogSink = LogFile | LogSocket;

/** Docker's json-file or `local` format, rotated once it has `maxBytes`. */
export interface LogFile {
  readonly kind: "json-file" | "local";
  readonly path: string;
  /** Absent: without limit. */
  readonly maxBytes?: number;
  readonly maxFiles: number;
  /** Rotated files are packed by gzip. */
  readonly compress?: boolean;
  /** Part of each entry: a JSON object, or the encoded fields of `local`. */
  readonly attributes?: Uint8Array;
}

/**
 * Messages to journald or a syslog server. Each is the head of its stream, the time in the form of `stamp` and the
 * tail (syslog), the text. Of the journal, the head is fields as of its native protocol, each with its newline.
 */
export interface LogSocket {
  readonly kind: "journal" | "syslog";
  readonly type: "stream" | "datagram";
  /** struct sockaddr as connect(2) takes it. */
  readonly address: Uint8Array;
  /** What may wait while nobody takes it. */
  readonly bufferBytes: number;
  /** Whether a log that is full holds the container, for some seconds, before messages are lost. */
  readonly isBlocking: boolean;
  readonly heads: { readonly stdout: Uint8Array; readonly stderr: Uint8Array };
  readonly stamp: "short" | "seconds" | "microseconds";
  readonly tail: string;
}

const NOTHING = new Uint8Array();
/** Source: socket.h of Linux. */
const SOCKET_TYPES = { stream: 1, datagram: 2 } as const;
const FILE_FORMATS = { "json-file": 1, local: 2 } as const;
const MESSAGE_FORMATS = { journal: 1, syslog: 2 } as const;
const STAMPS = { short: 1, seconds: 2, microseconds: 3 } as const;

export type SinkOp = "log-file" | "log-socket";

/** A sink as a step of the plan: its name and its arguments, which log-file.c and log-socket.c read. */
export function sinkStep(sink: LogSink): {
  readonly op: SinkOp;
  readonly values: readonly (string | number | boolean | Uint8Array)[];
} {
  if ("path" in sink) {
    const { kind, path, maxBytes = 0, maxFiles, compress = false, attributes = NOTHING } = sink;
    return { op: "log-file", values: [FILE_FORMATS[kind], path, maxBytes, maxFiles, compress, attributes] };
  }
  const { kind, type, address, bufferBytes, isBlocking, heads, stamp, tail } = sink;
  const how = [MESSAGE_FORMATS[kind], SOCKET_TYPES[type], address, bufferBytes, isBlocking] as const;
  return {
    op: "log-socket",
    values: [...how, heads.stdout, heads.stderr, STAMPS[stamp], Buffer.from(tail)],
  };
}
