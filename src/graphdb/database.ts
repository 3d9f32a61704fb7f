import { Database } from "bun:sqlite";
import { Fault } from "#errors";
import { Edges } from "./edges.ts";
import { MIGRATIONS } from "./schema.ts";

/** The daemon's one file of records. */
export class GraphDB implements Disposable {
  readonly sql: Database;
  readonly edges: Edges;

  constructor(path: string) {
    this.sql = new Database(path, { create: true, strict: true });
    this.sql.run("PRAGMA journal_mode = WAL");
    this.sql.run("PRAGMA synchronous = FULL");
    this.sql.run("PRAGMA foreign_keys = ON");
    this.sql.run("PRAGMA busy_timeout = 2000");
    migrate(this.sql, path);
    this.edges = new Edges(this.sql);
  }

  /**
   * All of the work's writes, or none. Once it returns they outlive a power cut, unless the caller says
   * `durable: false` because the kernel would tell the same after a crash.
   */
  transaction<T>(work: () => T, { durable = true }: { readonly durable?: boolean } = {}): T {
    if (durable || this.sql.inTransaction) return this.sql.transaction(work).immediate();
    this.sql.run("PRAGMA synchronous = NORMAL");
    try {
      return this.sql.transaction(work).immediate();
    } finally {
      this.sql.run("PRAGMA synchronous = FULL");
    }
  }

  [Symbol.dispose](): void {
    this.sql.close();
  }
}

function migrate(sql: Database, path: string): void {
  const { user_version: applied } = sql.query("PRAGMA user_version").get() as { user_version: number };
  if (applied > MIGRATIONS.length)
    throw new Fault(
      "conflict",
      `Cannot open ${path}: a newer bunker wrote it; use that one or another --data-root`,
    );
  const check = sql.query("PRAGMA quick_check").get() as { quick_check: string };
  if (check.quick_check !== "ok")
    throw new Fault(
      "internal",
      `Cannot open ${path}: it is damaged (${check.quick_check}); restore it or use another --data-root`,
    );
  sql
    .transaction(() => {
      for (const migration of MIGRATIONS.slice(applied)) sql.run(migration);
      sql.run(`PRAGMA user_version = ${MIGRATIONS.length}`);
    })
    .immediate();
}
