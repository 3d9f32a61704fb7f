import { Database, SQLiteError } from "bun:sqlite";
import { Fault } from "#errors";
import { Edges } from "./edges.ts";
import { examineRecords, type RecordProblem, type RecordTable, takeOut } from "./examine.ts";
import { MIGRATIONS } from "./schema.ts";

/** What SQLite says of a file that is none, or whose pages make no sense. Source: sqlite.org, "Result and Error Codes". */
const DAMAGED: ReadonlySet<string> = new Set(["SQLITE_NOTADB", "SQLITE_CORRUPT", "SQLITE_CORRUPT_INDEX"]);

/** The daemon's one file of records. */
export class GraphDB implements Disposable {
  readonly sql: Database;
  readonly edges: Edges;

  /** Throws `internal` for a file that is damaged, and `conflict` for one of a newer bunker. */
  constructor(path: string) {
    this.sql = opened(path);
    this.edges = new Edges(this.sql);
  }

  /**
   * All of the work's writes, or none. Once it returns they outlive a power cut, unless the caller says
   * `durable: false` because the kernel would tell the same after a crash.
   */
  transaction<T>(work: () => T, options: { readonly durable?: boolean } = {}): T {
    try {
      return this.#transaction(work, options);
    } catch (thrown) {
      this.edges.forget();
      throw thrown;
    }
  }

  #transaction<T>(work: () => T, { durable = true }: { readonly durable?: boolean }): T {
    if (durable || this.sql.inTransaction) return this.sql.transaction(work).immediate();
    this.sql.run("PRAGMA synchronous = NORMAL");
    try {
      return this.sql.transaction(work).immediate();
    } finally {
      this.sql.run("PRAGMA synchronous = FULL");
    }
  }

  examine(): readonly RecordProblem[] {
    return examineRecords(this.sql);
  }

  /** Takes out a row whose own writer cannot read it. Returns its text; empty when there is no such row. */
  takeOut(table: RecordTable, id: string): string {
    this.edges.forget();
    return takeOut(this.sql, table, id);
  }

  [Symbol.dispose](): void {
    this.sql.close();
  }
}

function opened(path: string): Database {
  const sql = new Database(path, { create: true, strict: true });
  try {
    sql.run("PRAGMA journal_mode = WAL");
    sql.run("PRAGMA synchronous = FULL");
    sql.run("PRAGMA foreign_keys = ON");
    sql.run("PRAGMA busy_timeout = 2000");
    migrate(sql, path);
    return sql;
  } catch (thrown) {
    sql.close();
    if (!(thrown instanceof SQLiteError) || !DAMAGED.has(thrown.code ?? "")) throw thrown;
    throw damaged(path, thrown.message);
  }
}

function damaged(path: string, reason: string): Fault {
  return new Fault(
    "internal",
    `Cannot open ${path}: it is damaged (${reason}); put back a copy of it, or move it away and start anew: containers, networks and names are then unknown, volumes and images have to be made or pulled again`,
  );
}

function migrate(sql: Database, path: string): void {
  const { user_version: applied } = sql.query("PRAGMA user_version").get() as { user_version: number };
  if (applied > MIGRATIONS.length)
    throw new Fault(
      "conflict",
      `Cannot open ${path}: a newer bunker wrote it; use that one or another --data-root`,
    );
  const check = sql.query("PRAGMA quick_check").get() as { quick_check: string };
  if (check.quick_check !== "ok") throw damaged(path, check.quick_check.split("\n", 1)[0] ?? "");
  sql
    .transaction(() => {
      for (const migration of MIGRATIONS.slice(applied)) sql.run(migration);
      sql.run(`PRAGMA user_version = ${MIGRATIONS.length}`);
    })
    .immediate();
}
