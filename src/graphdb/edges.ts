import type { Database, Statement } from "bun:sqlite";

/** The kinds are explained in schema.ts. */
export type EdgeKind = "container-name" | "container-link" | "image-tag" | "image-parent" | "network-name";

export interface Edge {
  readonly parent: string;
  readonly name: string;
  readonly child: string;
}

/** Named edges between nodes. Under one parent and kind a name is taken once: `link` says whether it could be had. */
export class Edges {
  readonly #insert: Statement;
  readonly #replace: Statement;
  readonly #delete: Statement;
  readonly #deleteChild: Statement;
  readonly #find: Statement<{ child: string }, [string, string, string]>;
  readonly #names: Statement<Edge, [string, string]>;
  readonly #all: Statement<Edge, [string]>;

  constructor(sql: Database) {
    this.#insert = sql.query("INSERT OR IGNORE INTO edge (kind, parent, name, child) VALUES (?, ?, ?, ?)");
    this.#replace = sql.query("INSERT OR REPLACE INTO edge (kind, parent, name, child) VALUES (?, ?, ?, ?)");
    this.#delete = sql.query("DELETE FROM edge WHERE kind = ? AND parent = ? AND name = ?");
    this.#deleteChild = sql.query("DELETE FROM edge WHERE kind = ? AND child = ?");
    this.#find = sql.query("SELECT child FROM edge WHERE kind = ? AND parent = ? AND name = ?");
    this.#names = sql.query(
      "SELECT parent, name, child FROM edge WHERE kind = ? AND child = ? ORDER BY parent, name",
    );
    this.#all = sql.query("SELECT parent, name, child FROM edge WHERE kind = ? ORDER BY parent, name");
  }

  /** False when the name is taken. */
  link(kind: EdgeKind, edge: Edge): boolean {
    return this.#insert.run(kind, edge.parent, edge.name, edge.child).changes > 0;
  }

  /** Points the name at the child, whatever it pointed at before. */
  move(kind: EdgeKind, edge: Edge): void {
    this.#replace.run(kind, edge.parent, edge.name, edge.child);
  }

  unlink(kind: EdgeKind, parent: string, name: string): boolean {
    return this.#delete.run(kind, parent, name).changes > 0;
  }

  unlinkChild(kind: EdgeKind, child: string): void {
    this.#deleteChild.run(kind, child);
  }

  child(kind: EdgeKind, parent: string, name: string): string | undefined {
    return this.#find.get(kind, parent, name)?.child;
  }

  /** The edges that lead to a node. */
  to(kind: EdgeKind, child: string): readonly Edge[] {
    return this.#names.all(kind, child);
  }

  all(kind: EdgeKind): readonly Edge[] {
    return this.#all.all(kind);
  }
}
