import { posix } from "node:path";
import { decompress, type Entry, type EntrySink, expand, TarReader } from "#archive";
import { Fault } from "#errors";
import type { Spool, Spooled, SpoolFile } from "#graph";

/** An archive of a thousand images of a hundred layers, each with three files, has fewer. */
const MOST_ENTRIES = 500_000;
const LONGEST_NAME = 1024;
/** As many links after each other as Linux follows. */
const MOST_LINKS = 40;

type Kept =
  | { readonly kind: "file"; readonly file: Spooled }
  /** `target` is a name in the archive. */
  | { readonly kind: "link"; readonly target: string };

/** The files of an archive by their names. */
export class ArchiveFiles {
  readonly #entries = new Map<string, Kept>();

  add(name: string, kept: Kept): void {
    if (this.#entries.size >= MOST_ENTRIES)
      throw new Fault("invalid", `Cannot load the archive: it has more than ${MOST_ENTRIES} entries`);
    this.#entries.set(name, kept);
  }

  /** Follows links. A file of `blobs/` must be what its name says. Undefined when there is none. */
  find(name: string): Spooled | undefined {
    let at = cleanName(name);
    for (let links = 0; links < MOST_LINKS; links++) {
      const kept = at === undefined ? undefined : this.#entries.get(at);
      if (kept === undefined || at === undefined) return undefined;
      if (kept.kind === "file") return verified(at, kept.file);
      at = kept.target;
    }
    throw new Fault("invalid", `Cannot load the archive: ${name.slice(0, 200)} is a circle of links`);
  }

  /** Throws `invalid` when it is not there. */
  get(name: string): Spooled {
    const file = this.find(name);
    if (file !== undefined) return file;
    throw new Fault("invalid", `Cannot load the archive: it lacks ${name.slice(0, 200)}`);
  }
}

function verified(name: string, file: Spooled): Spooled {
  const [, hex] = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(name) ?? [];
  if (hex === undefined || file.digest === `sha256:${hex}`) return file;
  throw new Fault(
    "invalid",
    `Cannot accept sha256:${hex}: verification failed, the content's digest is ${file.digest}`,
  );
}

/** Relative to the archive's root; undefined for what is outside. */
function cleanName(name: string): string | undefined {
  const clean = posix.normalize(name).replace(/^\/+/, "");
  return clean === ".." || clean.startsWith("../") ? undefined : clean;
}

/** Reads an archive once, compressed or not, and keeps its files aside. `passed` is told of bytes as they come. */
export async function readArchive(
  input: AsyncIterable<Uint8Array>,
  spool: Spool,
  { signal, passed }: { readonly signal: AbortSignal; readonly passed: (bytes: number) => void },
): Promise<ArchiveFiles> {
  const files = new ArchiveFiles();
  const sink = new Steps();
  const reader = new TarReader(sink);
  const storing = new Storing(spool, files);
  await using _ = storing;
  for await (const piece of decompress(expand(counted(input, passed)))) {
    signal.throwIfAborted();
    reader.push(piece);
    for (const step of sink.take()) await storing.do(step);
  }
  reader.end();
  for (const step of sink.take()) await storing.do(step);
  return files;
}

async function* counted(
  input: AsyncIterable<Uint8Array>,
  passed: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const piece of input) {
    passed(piece.length);
    yield piece;
  }
}

type Step =
  | { readonly kind: "begin"; readonly entry: Entry }
  | { readonly kind: "data"; readonly bytes: Uint8Array }
  | { readonly kind: "finish" };

/** What one piece of the archive held: its bytes stay as they are until the next piece is read. */
class Steps implements EntrySink {
  #steps: Step[] = [];

  begin(entry: Entry): void {
    if (entry.segments !== undefined)
      throw new Fault("invalid", "Cannot load the archive: it has a sparse file, which no image archive has");
    this.#steps.push({ kind: "begin", entry });
  }

  data(bytes: Uint8Array): void {
    this.#steps.push({ kind: "data", bytes });
  }

  finish(): void {
    this.#steps.push({ kind: "finish" });
  }

  take(): readonly Step[] {
    const steps = this.#steps;
    this.#steps = [];
    return steps;
  }
}

class Storing implements AsyncDisposable {
  readonly #spool: Spool;
  readonly #files: ArchiveFiles;
  #current: { readonly name: string; readonly file: SpoolFile } | undefined;

  constructor(spool: Spool, files: ArchiveFiles) {
    this.#spool = spool;
    this.#files = files;
  }

  async do(step: Step): Promise<void> {
    if (step.kind === "begin") await this.#begin(step.entry);
    else if (step.kind === "data") await this.#current?.file.write(step.bytes);
    else await this.#finish();
  }

  async #begin({ type, path, target }: Entry): Promise<void> {
    if (path.length > LONGEST_NAME || target.length > LONGEST_NAME)
      throw new Fault("invalid", `Cannot load the archive: ${path.slice(0, 100)}… is too long a name`);
    const name = cleanName(path);
    if (name === undefined) return;
    if (type === "file") this.#current = { name, file: await this.#spool.create() };
    if (type !== "symlink" && type !== "hardlink") return;
    const to = cleanName(type === "symlink" ? posix.join(posix.dirname(name), target) : target);
    if (to !== undefined) this.#files.add(name, { kind: "link", target: to });
  }

  async #finish(): Promise<void> {
    if (this.#current === undefined) return;
    const { name, file } = this.#current;
    this.#current = undefined;
    this.#files.add(name, { kind: "file", file: await file.finish() });
  }

  /** A file that was not read to its end is none. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#current?.file.discard();
  }
}
