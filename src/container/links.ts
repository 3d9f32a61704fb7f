import { Fault } from "#errors";
import type { GraphDB } from "#graphdb";

/** Legacy links of the default bridge: `parent` knows `child` by `alias`. Ids of containers. */
export interface Link {
  readonly parent: string;
  readonly alias: string;
  readonly child: string;
}

/** The only writer of the edges `container-link`, and their copy in memory. */
export class Links {
  readonly #db: GraphDB;
  #all: readonly Link[];

  constructor(db: GraphDB) {
    this.#db = db;
    this.#all = db.edges.all("container-link").map(({ parent, name, child }) => ({
      parent,
      alias: name,
      child,
    }));
  }

  /** What a container knows others by, in the order of the aliases. */
  from(parent: string): readonly Link[] {
    if (this.#all.length === 0) return this.#all;
    return this.#all
      .filter((link) => link.parent === parent)
      .toSorted((one, other) => (one.alias < other.alias ? -1 : 1));
  }

  /** Who knows a container, and by what alias. */
  to(child: string): readonly Link[] {
    return this.#all.filter((link) => link.child === child);
  }

  /** Within the caller's transaction; `keep` once that is through. Throws `conflict` for an alias that is taken. */
  write(links: readonly Link[]): void {
    for (const { parent, alias, child } of links)
      if (!this.#db.edges.link("container-link", { parent, name: alias, child }))
        throw new Fault("conflict", `Cannot link to /${alias}: the alias is used twice; give another`);
  }

  keep(links: readonly Link[]): void {
    if (links.length > 0) this.#all = [...this.#all, ...links];
  }

  /** False when there is no such link. */
  remove(parent: string, alias: string): boolean {
    const isThere = this.#db.transaction(() => this.#db.edges.unlink("container-link", parent, alias));
    this.#all = this.#all.filter((link) => link.parent !== parent || link.alias !== alias);
    return isThere;
  }

  /** Within the caller's transaction: a container goes, with all its links in both directions. */
  erase(id: string): void {
    for (const { alias } of this.from(id)) this.#db.edges.unlink("container-link", id, alias);
    if (this.to(id).length > 0) this.#db.edges.unlinkChild("container-link", id);
  }

  forget(id: string): void {
    if (this.#all.some(({ parent, child }) => parent === id || child === id))
      this.#all = this.#all.filter(({ parent, child }) => parent !== id && child !== id);
  }
}
