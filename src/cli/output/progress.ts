import type { PullProgress } from "#client";
import { cleanCell } from "./clean.ts";
import { ellipsis, humanSize } from "./units.ts";

/** More layers than fit on a screen are not redrawn but told once. */
const ROWS = 200;
const BAR_WIDTH = 50;
const NARROW = 110;

interface Options {
  readonly sink: (text: string) => void;
  readonly isTerminal: boolean;
  /** Columns of the terminal. */
  readonly width: number;
}

/** Shows a pull: one line a layer, redrawn in place on a terminal; elsewhere one line for each step of a layer, without bars. */
export class Progress {
  readonly #options: Options;
  /** Row of each layer, counted from the first. */
  readonly #rows = new Map<string, number>();
  readonly #told = new Map<string, string>();

  constructor(options: Options) {
    this.#options = options;
  }

  show(line: PullProgress): void {
    const { isTerminal, sink } = this.#options;
    const id = cleanCell(line.id ?? "");
    const status = cleanCell(line.status ?? "");
    if (status === "") return;
    if (id === "" || !isTerminal) this.#tell(id, status, isMoving(line));
    else sink(this.#redrawn(id, this.#text(id, status, line)));
  }

  #tell(id: string, status: string, isMoving: boolean): void {
    if (id === "") this.#rows.clear(); // What follows a plain line starts below it.
    if (isMoving || (id !== "" && this.#told.get(id) === status)) return;
    this.#told.set(id, status);
    this.#options.sink(`${id === "" ? "" : `${id}: `}${status}\n`);
  }

  #text(id: string, status: string, { progressDetail }: PullProgress): string {
    const text = `${id}: ${status} ${barOf(progressDetail ?? {}, this.#options.width)}`.trimEnd();
    return ellipsis(text, this.#options.width - 1);
  }

  /** Moves up to the layer's row, replaces it, and comes back; a new layer gets the next row. */
  #redrawn(id: string, text: string): string {
    const known = this.#rows.get(id);
    if (known === undefined || this.#rows.size > ROWS) {
      this.#rows.set(id, this.#rows.size);
      return `${text}\n`;
    }
    const up = this.#rows.size - known;
    return `\x1b[${up}A\r\x1b[2K${text}\x1b[${up}B\r`;
  }
}

const isMoving = ({ progressDetail }: PullProgress) =>
  progressDetail?.current !== undefined && progressDetail.current > 0;

/** `[=====>      ]  12.3MB/45MB`; only the figures where there is little room. */
function barOf({ current = 0, total = 0 }: { current?: number; total?: number }, width: number): string {
  if (current <= 0) return "";
  if (total <= 0 || current > total) return humanSize(current, 4);
  const figures = `${humanSize(current, 4)}/${humanSize(total, 4)}`;
  if (width < NARROW) return figures;
  const filled = Math.min(BAR_WIDTH, Math.floor((current / total) * BAR_WIDTH));
  const bar = filled >= BAR_WIDTH ? "=".repeat(BAR_WIDTH) : `${"=".repeat(filled)}>`.padEnd(BAR_WIDTH);
  return `[${bar}] ${figures.padStart(figures.length + 1)}`;
}
