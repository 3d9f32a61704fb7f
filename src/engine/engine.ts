import { Fault, sentenceOf } from "#errors";
import type { AnyJob, Job, JobContext, JobStreams, Progress } from "./job.ts";

/** How many ended jobs are remembered for `bunker jobs`. */
const REMEMBERED = 256;

/** name → what goes in and what comes out */
export type JobTable = Record<string, { readonly input: unknown; readonly output: unknown }>;

export interface RunOptions {
  readonly signal?: AbortSignal;
  readonly environment?: Readonly<Record<string, string>>;
  readonly streams?: JobStreams;
  readonly onProgress?: (progress: Progress) => void;
}

/** One run of a job, as `bunker jobs` shows it. Times are milliseconds since the epoch. */
export interface JobRecord {
  readonly id: string;
  readonly name: string;
  /** The arguments worth showing a person: strings, numbers and booleans of the first level, nothing secret. */
  readonly arguments: Readonly<Record<string, string>>;
  readonly phase: string;
  readonly startedAt: number;
  readonly endedAt?: number;
  readonly status: "running" | "done" | "failed" | "cancelled";
  readonly error?: string;
}

/** A job under way. Most jobs end before anybody looks at their signal: it is made for the first who does. */
class Running {
  record: JobRecord;
  #controller?: AbortController;

  constructor(record: JobRecord) {
    this.record = record;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  /** Undefined while nobody has asked it to end. */
  get aborted(): AbortSignal | undefined {
    return this.#controller?.signal.aborted ? this.#controller.signal : undefined;
  }

  abort(reason: Fault): void {
    this.#controller ??= new AbortController();
    this.#controller.abort(reason);
  }
}

/** Runs jobs by name. Every run is listed, timed and cancellable, whoever asked for it. */
export class Engine<Table extends JobTable = JobTable> {
  readonly #jobs = new Map<string, Job>();
  readonly #running = new Map<string, Running>();
  readonly #ended: JobRecord[] = [];
  readonly #observers: ((record: JobRecord) => void)[] = [];
  #count = 0;

  /** Told of every job that has ended. */
  observe(observer: (record: JobRecord) => void): void {
    this.#observers.push(observer);
  }

  register(jobs: readonly AnyJob[]): void {
    for (const job of jobs) {
      if (this.#jobs.has(job.name)) throw new Fault("internal", `Cannot register ${job.name} twice`);
      this.#jobs.set(job.name, job as unknown as Job);
    }
  }

  get names(): readonly string[] {
    return [...this.#jobs.keys()];
  }

  /** Running jobs first, then the ended ones, newest first. */
  list(): readonly JobRecord[] {
    return [
      ...[...this.#running.values()].map(({ record }) => record).reverse(),
      ...this.#ended.toReversed(),
    ];
  }

  /** Asks a running job to stop; it ends once it has undone what it did. */
  cancel(id: string): void {
    const running = this.#running.get(id);
    if (running === undefined) throw new Fault("not_found", `No such running job: ${id}`);
    running.abort(new Fault("cancelled", `Job ${id} (${running.record.name}) was cancelled`));
  }

  /**
   * Runs one job to its end. A job whose output is an async iterable stays listed as running until
   * the iterable ends or is given up. Throws what the job throws; `cancelled` when the signal ended it.
   */
  async run<Name extends keyof Table & string>(
    name: Name,
    input: Table[Name]["input"],
    options: RunOptions = {},
  ): Promise<Table[Name]["output"]> {
    const job = this.#jobs.get(name);
    if (job === undefined) throw new Fault("unsupported", `The job ${name} is not supported by this engine`);
    const parsed = job.input.safeParse(input);
    if (!parsed.success) throw new Fault("invalid", `Cannot run ${name}: ${issueOf(parsed.error)}`);

    const running = this.#begin(name, parsed.data);
    const giveUp = () => running.abort(new Fault("cancelled", `${name} was cancelled by its client`));
    if (options.signal?.aborted) giveUp();
    options.signal?.addEventListener("abort", giveUp, { once: true });
    const context: JobContext = {
      id: running.record.id,
      get signal() {
        return running.signal;
      },
      environment: options.environment ?? {},
      streams: options.streams ?? {},
      report: (progress) => options.onProgress?.(progress),
      phase: (phase) => {
        running.record = { ...running.record, phase };
      },
    };
    // The caller's signal stays connected: what a job hands out (a log that is followed) may outlive the job.
    const end = (thrown?: unknown) => this.#end(running, thrown);
    try {
      running.aborted?.throwIfAborted();
      const output = await job.run(parsed.data, context);
      if (isAsyncIterable(output)) return whole(output, end) as Table[Name]["output"];
      end();
      return output as Table[Name]["output"];
    } catch (thrown) {
      const cause = running.aborted !== undefined && isAbort(thrown) ? running.aborted.reason : thrown;
      end(cause);
      throw cause;
    }
  }

  #begin(name: string, input: unknown): Running {
    this.#count += 1;
    const id = this.#count.toString(16).padStart(8, "0");
    const running = new Running({
      id,
      name,
      arguments: shown(input),
      phase: "started",
      startedAt: Date.now(),
      status: "running",
    });
    this.#running.set(id, running);
    return running;
  }

  #end(running: Running, thrown?: unknown): void {
    if (!this.#running.delete(running.record.id)) return;
    const isCancelled = thrown instanceof Fault && thrown.kind === "cancelled";
    const outcome =
      thrown === undefined
        ? ({ status: "done" } as const)
        : ({ status: isCancelled ? "cancelled" : "failed", error: sentenceOf(thrown) } as const);
    const record = { ...running.record, endedAt: Date.now(), ...outcome };
    for (const observe of this.#observers) observe(record);
    this.#ended.push(record);
    if (this.#ended.length > REMEMBERED) this.#ended.shift();
  }
}

function isAbort(thrown: unknown): boolean {
  return (
    thrown instanceof Error &&
    (thrown.name === "AbortError" || (thrown instanceof Fault && thrown.kind === "cancelled"))
  );
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return (
    typeof value === "object" &&
    value !== null &&
    Symbol.asyncIterator in value &&
    !(value instanceof ReadableStream)
  );
}

async function* whole(
  items: AsyncIterable<unknown>,
  end: (thrown?: unknown) => void,
): AsyncGenerator<unknown> {
  try {
    yield* items;
    end();
  } catch (thrown) {
    end(thrown);
    throw thrown;
  } finally {
    end();
  }
}

function issueOf(error: { issues: readonly { path: PropertyKey[]; message: string }[] }): string {
  const [issue] = error.issues;
  return issue === undefined
    ? "its input is malformed"
    : `${issue.path.join(".") || "input"}: ${issue.message}`;
}

function shown(input: unknown): Record<string, string> {
  const words: Record<string, string> = {};
  if (typeof input !== "object" || input === null) return words;
  // A loop over the keys: every job comes past here.
  for (const key of Object.keys(input)) {
    const value: unknown = (input as Readonly<Record<string, unknown>>)[key];
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean")
      words[key] = String(value).slice(0, 200);
  }
  return words;
}
