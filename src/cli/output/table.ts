export interface Layout {
  /** Columns are at least so wide, padding included. */
  readonly minWidth: number;
  readonly padding: number;
}

/** The layout of docker's lists. */
const LIST: Layout = { minWidth: 10, padding: 3 };

/**
 * Aligns cells that are ended by tabs: a column is as wide as its widest cell in consecutive lines that have it. The last
 * cell of a line is not padded. Source: elastic tab stops, as Go's tabwriter lays docker's lists out.
 */
export function alignTabs(text: string, layout: Layout = LIST): string {
  const lines = text.split("\n").map((line) => line.split("\t"));
  const widths = lines.map((): number[] => []);
  settleColumn({ lines, widths, layout }, { from: 0, to: lines.length, column: 0 });
  return lines
    .map((cells, at) => cells.map((cell, column) => padded(cell, widths[at]?.[column])).join(""))
    .join("\n");
}

interface Grid {
  readonly lines: readonly (readonly string[])[];
  readonly widths: number[][];
  readonly layout: Layout;
}

/** Gives every run of lines that have this column its width, then goes on to the next column within the run. */
function settleColumn(grid: Grid, { from, to, column }: { from: number; to: number; column: number }): void {
  const has = (at: number) => (grid.lines[at]?.length ?? 0) - 1 > column;
  for (let start = from; start < to; start++) {
    if (!has(start)) continue;
    let end = start;
    let width = 0;
    while (end < to && has(end)) width = Math.max(width, widthOf(grid.lines[end++]?.[column] ?? ""));
    const full = Math.max(grid.layout.minWidth, width + grid.layout.padding);
    for (let at = start; at < end; at++) grid.widths[at]?.push(full);
    settleColumn(grid, { from: start, to: end, column: column + 1 });
    start = end - 1;
  }
}

const widthOf = (text: string) => [...text].length;

function padded(cell: string, width: number | undefined): string {
  return width === undefined ? cell : cell + " ".repeat(Math.max(0, width - widthOf(cell)));
}

/** Rows of cells as aligned lines, each ended. */
export function table(rows: readonly (readonly string[])[], layout: Layout = LIST): string {
  return `${alignTabs(rows.map((cells) => cells.join("\t")).join("\n"), layout)}\n`;
}
