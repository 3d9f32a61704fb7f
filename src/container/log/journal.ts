import { Fault } from "#errors";
import { stream } from "#host";
import type { LogQuery } from "./reader.ts";
import { type Attributes, LogWriter, momentOf, STDERR, STDOUT } from "./writer.ts";

const NEWLINE = 0x0a;
const EQUALS = 0x3d;
/** Of syslog(3): what a container writes to its standard error. */
const ERROR_PRIORITY = "3";
const MOST_BYTES = 64 * 1024 * 1024;
/** Fields that are the driver's own and no attributes. */
const OWN_FIELDS = /^(?:_|CONTAINER_|SYSLOG_|IMAGE_NAME$|MESSAGE|PRIORITY$)/;

type Fields = Map<string, Buffer>;

/**
 * What a container has said to journald, as `readLog` gives it. The journal is read by the host's own journalctl,
 * which knows every format of its files. Throws `unsupported` where there is none.
 */
export async function* readJournal(id: string, query: LogQuery): AsyncGenerator<Uint8Array> {
  const writer = new LogWriter(query);
  // Messages may be on their way still; a journal that is too old for this is read as it is.
  await Array.fromAsync(stream(["journalctl", "--sync"])).catch(() => undefined);
  let cursor: string | undefined;
  const read = async function* (follow: boolean, signal: AbortSignal | undefined) {
    const words = journalWords(id, { query, follow, cursor });
    for await (const fields of entriesOf(stream(words, signal === undefined ? {} : { signal }))) {
      cursor = fields.get("__CURSOR")?.toString() ?? cursor;
      tell(fields, writer);
      const piece = writer.take();
      if (piece !== undefined) yield piece;
      if (writer.isOver) return;
    }
  };
  if (query.follow !== undefined) {
    yield* read(true, endOf(query));
    await Array.fromAsync(stream(["journalctl", "--sync"])).catch(() => undefined);
  }
  if (!query.signal?.aborted && !writer.isOver) yield* read(false, query.signal);
}

/** Aborts when the container has ended, or nobody reads any more. */
function endOf({ follow, signal }: LogQuery): AbortSignal {
  const controller = new AbortController();
  void follow?.ended.then(() => controller.abort());
  return signal === undefined ? controller.signal : AbortSignal.any([controller.signal, signal]);
}

function journalWords(
  id: string,
  { query, follow, cursor }: { query: LogQuery; follow: boolean; cursor: string | undefined },
): readonly string[] {
  const { tail, since } = query;
  const seconds = since === undefined ? [] : [`--since=@${since / 1_000_000_000n}`];
  // After the cursor everything counts; the first reading begins where the query does.
  const range =
    cursor === undefined ? [`--lines=${tail ?? "all"}`, ...seconds] : [`--after-cursor=${cursor}`];
  const all = follow && cursor === undefined && tail === undefined ? ["--no-tail"] : [];
  return [
    ...["journalctl", "--output=export", "--quiet", "--no-pager", "--all", ...range, ...all],
    ...(follow ? ["--follow"] : []),
    `CONTAINER_ID_FULL=${id}`,
  ];
}

/** Source: systemd, JOURNAL_EXPORT_FORMATS: fields, and an empty line behind each entry. */
async function* entriesOf(blocks: AsyncIterable<Uint8Array>): AsyncGenerator<Fields> {
  let held = Buffer.alloc(0);
  for await (const block of blocks) {
    held = held.length === 0 ? Buffer.from(block) : Buffer.concat([held, block]);
    if (held.length > MOST_BYTES)
      throw new Fault("internal", "Cannot read the journal: an entry of it is too large");
    let at = 0;
    for (let entry = parseJournalEntry(held, at); entry !== undefined; entry = parseJournalEntry(held, at)) {
      at = entry.end;
      if (entry.fields.size > 0) yield entry.fields;
    }
    // A copy: whoever follows must not hold on to the whole block.
    held = Buffer.from(held.subarray(at));
  }
}

/** Undefined as long as the entry is not whole. */
export function parseJournalEntry(
  bytes: Buffer,
  from: number,
): { readonly fields: Fields; readonly end: number } | undefined {
  const fields: Fields = new Map();
  for (let at = from; ; ) {
    const newline = bytes.indexOf(NEWLINE, at);
    if (newline < 0) return undefined;
    if (newline === at) return { fields, end: at + 1 };
    const equals = bytes.indexOf(EQUALS, at);
    if (equals >= 0 && equals < newline) {
      fields.set(bytes.toString("latin1", at, equals), bytes.subarray(equals + 1, newline));
      at = newline + 1;
      continue;
    }
    // A binary field: its name, its length as a u64, its bytes.
    if (bytes.length < newline + 9) return undefined;
    const end = newline + 9 + Number(bytes.readBigUInt64LE(newline + 1));
    if (bytes.length <= end) return undefined;
    fields.set(bytes.toString("latin1", at, newline), bytes.subarray(newline + 9, end));
    at = end + 1;
  }
}

function tell(fields: Fields, writer: LogWriter): void {
  const message = fields.get("MESSAGE") ?? Buffer.alloc(0);
  const isPart = fields.get("CONTAINER_PARTIAL_MESSAGE")?.toString() === "true";
  const microseconds = Number(
    (fields.get("_SOURCE_REALTIME_TIMESTAMP") ?? fields.get("__REALTIME_TIMESTAMP"))?.toString(),
  );
  const stream = fields.get("PRIORITY")?.toString() === ERROR_PRIORITY ? STDERR : STDOUT;
  writer.add(stream, isPart ? message : Buffer.concat([message, Buffer.from("\n")]), {
    time: momentOf(BigInt(Number.isSafeInteger(microseconds) ? microseconds : 0) * 1000n),
    attributes: writer.needsAttributes ? attributesOf(fields) : {},
  });
}

function attributesOf(fields: Fields): Attributes {
  const chosen = [...fields].filter(([name]) => !OWN_FIELDS.test(name));
  return Object.fromEntries(chosen.map(([name, value]) => [name, value.toString()]));
}
