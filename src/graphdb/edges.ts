import type { Database, Statement } from "bun:sqlite";

/** The kinds are explained in schema.ts. */
export type EdgeKind = "container-name" | "container-link" | "image-tag" | "image-parent" | "network-name";

/** Names that lead nowhere are remembered too, and anybody may ask for any. */
const KNOWN_LIMIT = 4096;

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
  /** What names lead to: asked for by every look at a container, and this process alone writes. */
  readonly #known = new Map<string, string | undefined>();

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

  /** Of what was read in a transaction that is undone nothing is remembered. */
  forget(): void {
    this.#known.clear();
  }

  /** False when the name is taken. */
  link(kind: EdgeKind, edge: Edge): boolean {
    this.forget();
    return this.#insert.run(kind, edge.parent, edge.name, edge.child).changes > 0;
  }

  /** Points the name at the child, whatever it pointed at before. */
  move(kind: EdgeKind, edge: Edge): void {
    this.forget();
    this.#replace.run(kind, edge.parent, edge.name, edge.child);
  }

  unlink(kind: EdgeKind, parent: string, name: string): boolean {
    this.forget();
    return this.#delete.run(kind, parent, name).changes > 0;
  }

  unlinkChild(kind: EdgeKind, child: string): void {
    this.forget();
    this.#deleteChild.run(kind, child);
  }

  child(kind: EdgeKind, parent: string, name: string): string | undefined {
    const key = `${kind} ${parent}\0${name}`;
    const known = this.#known.get(key);
    if (known !== undefined || this.#known.has(key)) return known;
    if (this.#known.size >= KNOWN_LIMIT) this.forget();
    const child = this.#find.get(kind, parent, name)?.child;
    this.#known.set(key, child);
    return child;
  }

  /** The edges that lead to a node. */
  to(kind: EdgeKind, child: string): readonly Edge[] {
    return this.#names.all(kind, child);
  }

  all(kind: EdgeKind): readonly Edge[] {
    return this.#all.all(kind);
  }
}
