import type { ProgressLine } from "#api";
import type { Progress } from "#engine";
import { toJson } from "./json.ts";
import { streamResponse } from "./stream.ts";
import { toProgressError, toProgressLine } from "./translate/progress.ts";

/** How many lines may wait for a slow client; beyond it a bar only remembers where it stands now. */
const BACKLOG = 512;

/**
 * Runs something that reports progress, and replies with its lines. What fails before the first line is
 * thrown, and gets a status; what fails later is the last line of the stream.
 */
export async function progressResponse(
  run: (report: (progress: Progress) => void) => Promise<unknown>,
): Promise<Response> {
  const queue = new ProgressQueue();
  const first = Promise.withResolvers<void>();
  const over = run((progress) => {
    queue.add(progress);
    first.resolve();
  }).then(
    () => queue.close(),
    (thrown: unknown) => {
      queue.close(toProgressError(thrown));
      throw thrown;
    },
  );
  over.catch(() => undefined);
  await Promise.race([first.promise, over]);
  return streamResponse(lines(queue), "application/json");
}

async function* lines(queue: ProgressQueue): AsyncGenerator<string> {
  for await (const line of queue) yield `${toJson(line)}\r\n`;
}

/** Lines in the order they came, for one reader. */
export class ProgressQueue implements AsyncIterable<ProgressLine> {
  readonly #lines: ProgressLine[] = [];
  #wake: (() => void) | undefined;
  #isClosed = false;

  get length(): number {
    return this.#lines.length;
  }

  add(progress: Progress): void {
    const line = toProgressLine(progress);
    const isBar = line.progressDetail?.current !== undefined;
    const at = isBar && this.#lines.length >= BACKLOG ? this.#lines.findLastIndex(sameBar(line)) : -1;
    if (at >= 0) this.#lines[at] = line;
    else this.#lines.push(line);
    this.#wake?.();
  }

  close(last?: ProgressLine): void {
    if (last !== undefined) this.#lines.push(last);
    this.#isClosed = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ProgressLine> {
    for (;;) {
      for (let line = this.#lines.shift(); line !== undefined; line = this.#lines.shift()) yield line;
      if (this.#isClosed) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

function sameBar(line: ProgressLine): (other: ProgressLine) => boolean {
  return ({ id, status, progressDetail }) =>
    id === line.id && status === line.status && progressDetail?.current !== undefined;
}
