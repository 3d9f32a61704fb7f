import { z } from "zod";
import { Fault } from "#errors";
import { selfCommand } from "#host";
import type { Digest } from "#oci";
import { failureOf, killedBy, QUICK_START } from "./child.ts";
import { lines, type Order, WHOLE } from "./input.ts";
import type { UnpackStyle } from "./unpack.ts";
import { UnpackAnswer, type Unpacked } from "./unpacked.ts";

/** How long a process that has nothing to do waits for the next archive, in milliseconds. */
const IDLE_MILLISECONDS = 2000;

export interface FileUnpackRequest {
  readonly directory: string;
  readonly whiteouts: UnpackStyle;
  readonly file: GrowingFile;
  readonly signal?: AbortSignal;
  /** Compressed bytes consumed so far. */
  readonly report?: (consumed: number) => void;
}

/** An open file that may still grow: the iterable tells how many bytes are there, and ends when it is whole. */
export interface GrowingFile {
  readonly descriptor: number;
  readonly growth: AsyncIterable<number>;
  /** What its writer has come to when it is whole; the file is then not compressed, and not hashed once more. */
  readonly digest?: () => Digest;
}

const Message = z.union([z.object({ consumed: z.number() }), UnpackAnswer]);

/**
 * Unpacks files in processes that stay for the next one: starting one, and the first steps of its code, cost as much as
 * a layer of fifty megabytes. Each is used by one archive at a time.
 */
export class Unpackers implements AsyncDisposable {
  readonly #idle = new Map<Worker, Timer>();

  /**
   * Applies an archive, compressed or not, to a directory, in a process that has it as its root. Throws `invalid` for
   * archives that are damaged or reach out; the directory then holds whatever was there by then.
   */
  async unpack(request: FileUnpackRequest): Promise<Unpacked> {
    request.signal?.throwIfAborted();
    await using undo = new AsyncDisposableStack();
    const worker = undo.use(this.#take());
    const unpacked = await worker.run(request);
    undo.move();
    this.#keep(worker);
    return unpacked;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const workers = [...this.#idle.keys()];
    for (const timer of this.#idle.values()) clearTimeout(timer);
    this.#idle.clear();
    await Promise.all(workers.map((worker) => worker[Symbol.asyncDispose]()));
  }

  #take(): Worker {
    for (const [worker, timer] of this.#idle) {
      clearTimeout(timer);
      this.#idle.delete(worker);
      if (worker.isAlive) return worker;
    }
    return new Worker();
  }

  #keep(worker: Worker): void {
    const timer = setTimeout(() => {
      this.#idle.delete(worker);
      void worker[Symbol.asyncDispose]();
    }, IDLE_MILLISECONDS);
    this.#idle.set(worker, timer);
  }
}

/** A process that ends when its input does. */
class Worker implements AsyncDisposable {
  readonly #child = Bun.spawn(selfCommand(["internal:archive", "unpack-files"]), {
    stdio: ["pipe", "pipe", "pipe"],
    env: QUICK_START,
  });
  readonly #answers = lines(this.#child.stdout);
  readonly #complaint = this.#child.stderr.text();

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** After a failure it is of no more use. */
  async run(request: FileUnpackRequest): Promise<Unpacked> {
    const { signal, report } = request;
    using _stopped = killedBy(signal, this.#child);
    let failure: { readonly thrown: unknown } | undefined;
    const sent = this.#send(request).catch((thrown) => {
      failure = { thrown };
      this.#child.kill("SIGKILL");
    });
    const answer = await this.#listen(report);
    signal?.throwIfAborted();
    if (answer === undefined) {
      const [complaint, code] = await Promise.all([this.#complaint, this.#child.exited]);
      throw code !== 1 && failure !== undefined ? failure.thrown : failureOf(this.#child, complaint);
    }
    await sent;
    const diffId = answer.diffId ?? request.file.digest?.();
    if (diffId === undefined)
      throw new Fault("internal", "Cannot unpack the archive: nobody has told its digest");
    return { ...answer, diffId };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }

  async #send({ directory, whiteouts, file }: FileUnpackRequest): Promise<void> {
    // Whatever becomes of its name meanwhile, it is the file that is open here.
    const path = `/proc/${process.pid}/fd/${file.descriptor}`;
    const isHashed = file.digest === undefined;
    await this.#say(JSON.stringify({ directory, style: whiteouts, path, isHashed } satisfies Order));
    for await (const available of file.growth) await this.#say(String(available));
    await this.#say(WHOLE);
  }

  async #say(line: string): Promise<void> {
    if (!this.isAlive) return;
    this.#child.stdin.write(`${line}\n`);
    await this.#child.stdin.flush();
  }

  /** Undefined when it ended before it was done. */
  async #listen(report: FileUnpackRequest["report"]): Promise<UnpackAnswer | undefined> {
    for (;;) {
      const { value, done } = await this.#answers.next();
      if (done === true) return undefined;
      const message = Message.parse(JSON.parse(value));
      if (!("consumed" in message)) return message;
      report?.(message.consumed);
    }
  }
}
