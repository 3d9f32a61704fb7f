import { HEADER_FUNCTIONS, type Method, type Template } from "#template";
import { cleanCell } from "./clean.ts";
import { withTemplate } from "./one.ts";
import { alignTabs } from "./table.ts";

const JSON_ROW = "{{json .}}";
/** How docker words a wrong template of a list. */
const LIST_WORDS = { parse: "failed to parse template", execute: "failed to execute template" };

/** One column: its heading, and its text (or a method, such as `.Label "key"`) for a row. */
export interface Column<Row> {
  readonly heading: string;
  readonly value: (row: Row) => string | boolean | Method;
}

export type Columns<Row> = Readonly<Record<string, Column<Row>>>;

export interface ListOptions<Row> {
  readonly columns: Columns<Row>;
  /** The columns of the plain table, as a template without `table`. */
  readonly standard: string;
  /** `--format`: empty or `table`, `table TEMPLATE`, `json`, `TEMPLATE`. */
  readonly format: string;
}

/**
 * Rows as text by docker's rules for `--format`; every line is ended. Rows hold their columns as computed fields, so that
 * a column which nobody asks for costs nothing.
 * @throws Fault `invalid` for a wrong template
 */
export function renderList<Row>(
  rows: readonly Row[],
  { columns, standard, format }: ListOptions<Row>,
): string {
  const source = unescaped(format);
  if (source === "" || source === "table") return renderTable(rows, columns, standard);
  if (source.startsWith("table ")) return renderTable(rows, columns, source.slice("table ".length));
  const template = source === "json" ? JSON_ROW : source;
  if (template === JSON_ROW) return rows.map((row) => `${rowJson(row, columns)}\n`).join("");
  return withTemplate(
    template,
    (compiled) => {
      const used = usedColumns(columns, template);
      return rows.map((row) => `${compiled.render(fieldsOf(row, used))}\n`).join("");
    },
    LIST_WORDS,
  );
}

function renderTable<Row>(rows: readonly Row[], columns: Columns<Row>, source: string): string {
  const plain = plainTable(rows, columns, source);
  if (plain !== undefined) return `${alignTabs(plain.join("\n"))}\n`;
  return withTemplate(
    source,
    (template) => {
      const heading = headingOf(template, columns);
      const used = usedColumns(columns, source);
      const lines = rows.map((row) => template.render(fieldsOf(row, used)));
      return `${alignTabs([heading, ...lines].join("\n"))}\n`;
    },
    LIST_WORDS,
  );
}

/** Columns and tabs, as in every table that nobody has formatted. */
const PLAIN = /^\{\{\.\w+\}\}(?:\t\{\{\.\w+\}\})*$/;

/** What the template would make of such a table, without it; undefined where only the template knows. */
function plainTable<Row>(
  rows: readonly Row[],
  columns: Columns<Row>,
  source: string,
): readonly string[] | undefined {
  if (!PLAIN.test(source)) return undefined;
  const chosen: Column<Row>[] = [];
  for (const [, name = ""] of source.matchAll(/\.(\w+)/g)) {
    const column = Object.hasOwn(columns, name) ? columns[name] : undefined;
    if (column === undefined) return undefined;
    chosen.push(column);
  }
  const lines = [chosen.map(({ heading }) => heading).join("\t")];
  for (const row of rows) {
    const cells: string[] = [];
    for (const column of chosen) {
      const value = column.value(row);
      if (typeof value !== "string") return undefined;
      cells.push(cleanCell(value));
    }
    lines.push(cells.join("\t"));
  }
  return lines;
}

function headingOf<Row>(template: Template, columns: Columns<Row>): string {
  const headings = Object.entries(columns).map(([name, { heading }]) => [name, heading] as const);
  const fields = { ...Object.fromEntries(headings), Label: labelHeading };
  return template.render(fields, { functions: HEADER_FUNCTIONS, missing: "novalue" });
}

/** The heading of `{{.Label "com.example.build-date"}}` is `build date`. */
const labelHeading = (key: unknown) => (String(key).split(".").at(-1) ?? "").replace(/[-_]/g, " ");

/** A dot or a dollar that no name follows stands for the whole row. */
const WHOLE_ROW = /(^|[^\w)$.])\.(?![\w.])|\$(?![\w.])/;

/** The columns, by name, that a template can ask for: all where it names the row itself. */
function usedColumns<Row>(columns: Columns<Row>, source: string): Columns<Row> {
  const isWhole = WHOLE_ROW.test(source);
  const names = Object.keys(columns).filter((name) => isWhole || source.includes(name));
  const entries = names.sort().flatMap((name) => {
    const column = columns[name];
    return column === undefined ? [] : [[name, column] as const];
  });
  return Object.fromEntries(entries);
}

/** Whether a template asks for the column, by its name or with the whole row: some cost the daemon work. */
export function asksFor(format: string, column: string): boolean {
  const source = format.replace(/^table\b/, "");
  return source === "json" || WHOLE_ROW.test(source) || new RegExp(`\\.${column}\\b`).test(source);
}

/** Columns that are values, by name; `<`, `>` and `&` are escaped, as Go does it for rows, and what could drive a terminal. */
function rowJson<Row>(row: Row, columns: Columns<Row>): string {
  const fields = Object.keys(columns)
    .sort()
    .flatMap((name) => {
      const value = columns[name]?.value(row);
      return typeof value === "function" ? [] : [[name, value] as const];
    });
  return JSON.stringify(Object.fromEntries(fields)).replace(
    /[<>&\u007f-\u009f\u2028\u2029]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** The fields of a row. What came from an image must not drive the terminal. */
function fieldsOf<Row>(row: Row, columns: Columns<Row>): object {
  const fields = {};
  const clean = (value: unknown) => (typeof value === "string" ? cleanCell(value) : value);
  for (const name of Object.keys(columns)) {
    const get = () => {
      const value = columns[name]?.value(row);
      return typeof value === "function" ? (...keys: unknown[]) => clean(value(...keys)) : clean(value);
    };
    Object.defineProperty(fields, name, { enumerable: true, get });
  }
  return fields;
}

/** People write `\t` and `\n` in a shell's single quotes. */
const unescaped = (format: string) => format.replaceAll("\\t", "\t").replaceAll("\\n", "\n");
