import type { Database } from "bun:sqlite";
import type { Edge, EdgeKind } from "./edges.ts";

/** Something in the file that cannot be right. */
export type RecordProblem =
  | { readonly kind: "file"; readonly sentence: string }
  /** A row whose `record` is no JSON. */
  | { readonly kind: "record"; readonly table: RecordTable; readonly id: string }
  /** A row that speaks of one that is not there. */
  | { readonly kind: "reference"; readonly table: string; readonly sentence: string }
  /** An edge that leads to nothing, or comes from nothing. */
  | { readonly kind: "edge"; readonly edgeKind: EdgeKind; readonly edge: Edge; readonly lacks: string };

export type RecordTable = "container" | "image" | "network" | "volume" | "endpoint" | "sandbox";

/** Tables with records, and the column that names the row. */
const RECORDS: Readonly<Record<RecordTable, string>> = {
  container: "id",
  image: "id",
  network: "id",
  volume: "name",
  endpoint: "container",
  sandbox: "container",
};

/** Which ends of an edge are rows, and of which table; the other ends are names. */
const ENDS: Readonly<Record<EdgeKind, { readonly parent?: RecordTable; readonly child: RecordTable }>> = {
  "container-name": { child: "container" },
  "container-link": { parent: "container", child: "container" },
  "image-tag": { child: "image" },
  "image-parent": { parent: "image", child: "image" },
  "network-name": { child: "network" },
};

/** Rows told of at most: of a file that is damaged all through, the first are enough. */
const MOST_SENTENCES = 20;

/** What the file itself shows: pages, references between rows, records, and the ends of edges. */
export function examineRecords(sql: Database): readonly RecordProblem[] {
  return [...pages(sql), ...references(sql), ...records(sql), ...edges(sql)];
}

function pages(sql: Database): readonly RecordProblem[] {
  const rows = sql
    .query<{ integrity_check: string }, []>(`PRAGMA integrity_check(${MOST_SENTENCES})`)
    .all()
    .map(({ integrity_check: sentence }) => sentence);
  return rows.filter((sentence) => sentence !== "ok").map((sentence) => ({ kind: "file", sentence }));
}

function references(sql: Database): readonly RecordProblem[] {
  const rows = sql.query<{ table: string; parent: string }, []>("PRAGMA foreign_key_check").all();
  return rows.slice(0, MOST_SENTENCES).map(({ table, parent }) => ({
    kind: "reference",
    table,
    sentence: `a row of "${table}" speaks of a row of "${parent}" that is not there`,
  }));
}

function records(sql: Database): readonly RecordProblem[] {
  return Object.entries(RECORDS).flatMap(([table, column]) =>
    sql
      .query<{ id: string }, []>(`SELECT ${column} AS id FROM ${table} WHERE NOT json_valid(record)`)
      .all()
      .map(({ id }) => ({ kind: "record" as const, table: table as RecordTable, id })),
  );
}

function edges(sql: Database): readonly RecordProblem[] {
  const all = sql.query<Edge & { kind: EdgeKind }, []>("SELECT kind, parent, name, child FROM edge").all();
  const ids = new Map(
    (["container", "image", "network"] as const).map((table) => [
      table as RecordTable,
      new Set(
        sql
          .query<{ id: string }, []>(`SELECT id FROM ${table}`)
          .all()
          .map(({ id }) => id),
      ),
    ]),
  );
  return all.flatMap(({ kind, ...edge }) => {
    const ends = ENDS[kind];
    const isThere = (table: RecordTable | undefined, id: string) =>
      table === undefined || ids.get(table)?.has(id) === true;
    const lacks = !isThere(ends.child, edge.child)
      ? edge.child
      : isThere(ends.parent, edge.parent)
        ? undefined
        : edge.parent;
    return lacks === undefined ? [] : [{ kind: "edge" as const, edgeKind: kind, edge, lacks }];
  });
}

/** What else speaks of a row and goes with it, as far as keys demand it. */
const DEPENDENTS: Partial<Record<RecordTable, readonly string[]>> = {
  network: [
    "DELETE FROM endpoint WHERE network = ?",
    "DELETE FROM edge WHERE kind = 'network-name' AND child = ?",
  ],
  volume: ["DELETE FROM volume_mount WHERE volume = ?", "DELETE FROM volume_use WHERE volume = ?"],
};

/** Takes out a row whose own writer cannot read it. Returns its text; empty when there is no such row. */
export function takeOut(sql: Database, table: RecordTable, id: string): string {
  const column = RECORDS[table];
  const rows = sql
    .query<{ record: string }, [string]>(
      `SELECT record FROM ${table} WHERE ${column} = ? AND NOT json_valid(record)`,
    )
    .all(id);
  sql
    .transaction(() => {
      for (const statement of rows.length > 0 ? (DEPENDENTS[table] ?? []) : []) sql.query(statement).run(id);
      sql.query(`DELETE FROM ${table} WHERE ${column} = ? AND NOT json_valid(record)`).run(id);
    })
    .immediate();
  return rows.map(({ record }) => record).join("\n");
}
