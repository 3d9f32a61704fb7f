import { Fault } from "#errors";
import type { GraphDB } from "#graphdb";
import { type Link, Links } from "./links.ts";
import { Locks } from "./locks.ts";
import { checkName, nameTaken, randomName } from "./names.ts";
import type { Container } from "./record.ts";

/** With these many taken names in a row something else is wrong. */
const NAME_TRIES = 20;
const ROOT = "/";

/** A container that one job has to itself. `container` is read anew each time: its process may end meanwhile. */
export interface Held extends AsyncDisposable {
  readonly id: string;
  readonly container: Container;
}

/** A name kept for a container that is being made. Disposing it frees the name unless the container was created. */
export interface ReservedName extends Disposable {
  readonly name: string;
}

export interface SaveOptions {
  /** False when the kernel would tell the same after a crash. */
  readonly durable?: boolean;
}

/**
 * The containers, in memory, and the only writer of the table `container` and of the edges `container-name`,
 * their durable copy.
 */
export class Containers {
  readonly #db: GraphDB;
  readonly #records = new Map<string, Container>();
  /** Name → id, of containers and of those that are being made. */
  readonly #names = new Map<string, string>();
  readonly #locks = new Locks();
  readonly #removals = new Set<string>();
  readonly links: Links;
  /** Rows that cannot be read: id → reason. They are left as they are. */
  readonly damaged = new Map<string, string>();

  constructor(db: GraphDB) {
    this.#db = db;
    this.links = new Links(db);
    const rows = db.sql.query("SELECT id, record FROM container ORDER BY created, id").all() as Row[];
    for (const row of rows) this.#load(row);
    for (const { name, child } of db.edges.all("container-name")) this.#names.set(name, child);
  }

  #load({ id, record }: Row): void {
    const container = parseRecord(record);
    if (container?.id === id) this.#records.set(id, container);
    else this.damaged.set(id, `The record of container ${id} cannot be read`);
  }

  /** Oldest first. */
  list(): readonly Container[] {
    return [...this.#records.values()];
  }

  get(id: string): Container | undefined {
    return this.#records.get(id);
  }

  /**
   * By full id, then by name with or without its slash, then by unique prefix of an id.
   * Throws `not_found`, and `invalid` for a prefix that several share.
   */
  find(ref: string): Container {
    const byName = this.#names.get(ref.startsWith("/") ? ref.slice(1) : ref);
    const found = this.#records.get(ref) ?? (byName === undefined ? undefined : this.#records.get(byName));
    if (found !== undefined) return found;
    const matches = ref === "" ? [] : [...this.#records.keys()].filter((id) => id.startsWith(ref));
    if (matches.length > 1)
      throw new Fault("invalid", `multiple IDs found with provided prefix: ${ref.slice(0, 64)}`);
    const [only] = matches;
    const container = only === undefined ? undefined : this.#records.get(only);
    if (container === undefined) throw new Fault("not_found", `No such container: ${ref.slice(0, 256)}`);
    return container;
  }

  /** Keeps a name, the given one or a random one. Throws `conflict` with the owner's id. */
  reserve(id: string, wanted?: string): ReservedName {
    const name = wanted === undefined || wanted === "" ? this.#freeName() : checkName(wanted);
    const owner = this.#names.get(name);
    if (owner !== undefined) throw nameTaken(name, owner);
    this.#names.set(name, id);
    return {
      name,
      [Symbol.dispose]: () => {
        if (this.#records.get(id)?.name !== name && this.#names.get(name) === id) this.#names.delete(name);
      },
    };
  }

  #freeName(): string {
    for (let attempt = 0; attempt < NAME_TRIES; attempt++) {
      const name = randomName(attempt);
      if (!this.#names.has(name)) return name;
    }
    throw new Fault("conflict", "Cannot find a free random name; give the container a name");
  }

  /** Record, name and links in one transaction. The name must have been reserved for this id. */
  create(container: Container, links: readonly Link[] = []): void {
    const { id, name } = container;
    this.#db.transaction(() => {
      if (!this.#db.edges.link("container-name", { parent: ROOT, name, child: id }))
        throw nameTaken(name, this.#db.edges.child("container-name", ROOT, name) ?? "");
      this.#db.sql
        .query("INSERT INTO container (id, created, record) VALUES (?, ?, ?)")
        .run(id, Date.parse(container.created), JSON.stringify(container));
      this.links.write(links);
    }, outlasting(container));
    this.links.keep(links);
    this.#records.set(id, container);
    this.#names.set(name, id);
  }

  /** Applies a change to the record as it is now. Throws `not_found` when it has gone. */
  change(id: string, next: (container: Container) => Container, options: SaveOptions = {}): Container {
    const current = this.#records.get(id);
    if (current === undefined) throw new Fault("not_found", `No such container: ${id}`);
    const changed = next(current);
    this.#db.transaction(
      () =>
        this.#db.sql.query("UPDATE container SET record = ? WHERE id = ?").run(JSON.stringify(changed), id),
      options,
    );
    this.#records.set(id, changed);
    return changed;
  }

  /** In memory alone: for what has happened whether or not it can be written down. */
  believe(id: string, next: (container: Container) => Container): Container | undefined {
    const current = this.#records.get(id);
    if (current === undefined) return undefined;
    const changed = next(current);
    this.#records.set(id, changed);
    return changed;
  }

  /** Throws `conflict` when the name is another's, `invalid` when it is none. */
  rename(id: string, wanted: string): Container {
    using reserved = this.reserve(id, checkName(wanted));
    const { name } = reserved;
    const before = this.find(id).name;
    const changed = this.#db.transaction(() => {
      this.#db.edges.unlink("container-name", ROOT, before);
      if (!this.#db.edges.link("container-name", { parent: ROOT, name, child: id }))
        throw nameTaken(name, this.#db.edges.child("container-name", ROOT, name) ?? "");
      return this.change(id, (container) => ({ ...container, name }));
    });
    this.#names.delete(before);
    return changed;
  }

  remove(id: string): void {
    const container = this.#records.get(id);
    if (container === undefined) return;
    this.#db.transaction(() => {
      this.#db.edges.unlinkChild("container-name", id);
      this.links.erase(id);
      this.#db.sql.query("DELETE FROM container WHERE id = ?").run(id);
    }, outlasting(container));
    this.links.forget(id);
    this.#records.delete(id);
    this.#names.delete(container.name);
  }

  /** One job at a time per container. Hold it for a short while only: stop and kill queue here too. */
  async hold(ref: string, signal?: AbortSignal): Promise<Held> {
    const { id } = this.find(ref);
    const lock = await this.#locks.acquire(id, signal);
    const find = () => {
      const container = this.#records.get(id);
      if (container === undefined) throw new Fault("not_found", `No such container: ${ref}`);
      return container;
    };
    const release = async () => lock[Symbol.dispose]();
    try {
      find();
    } catch (thrown) {
      await release();
      throw thrown;
    }
    return {
      id,
      get container() {
        return find();
      },
      [Symbol.asyncDispose]: release,
    };
  }

  /** Makes the caller the only one to remove it. Throws `conflict` in Docker's words when another already is. */
  claimRemoval(ref: string): Disposable & { readonly id: string } {
    const { id } = this.find(ref);
    if (this.#removals.has(id))
      throw new Fault("conflict", `removal of container ${ref} is already in progress`);
    this.#removals.add(id);
    return { id, [Symbol.dispose]: () => this.#removals.delete(id) };
  }
}

/** What goes when it ends (`--rm`) ends with a power cut: its row need not outlive one, and if it does it is cleared away. */
function outlasting({ spec }: Container): SaveOptions {
  return { durable: !spec.host.autoRemove };
}

interface Row {
  readonly id: string;
  readonly record: string;
}

/** The one place where a row is believed to be a record: only this class writes rows. */
function parseRecord(text: string): Container | undefined {
  try {
    const value = JSON.parse(text) as Container | null;
    const isWhole =
      typeof value?.id === "string" &&
      typeof value.name === "string" &&
      typeof value.state?.status === "string" &&
      typeof value.spec?.host === "object" &&
      Array.isArray(value.mounts);
    return isWhole ? value : undefined;
  } catch {
    return undefined;
  }
}
