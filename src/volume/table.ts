import type { GraphDB } from "#graphdb";
import type { Volume } from "./driver.ts";

interface Row extends Volume {
  readonly isRemoving?: boolean;
}

/** The rows of volumes, of who refers to them, and of who has them mounted. The only writer of these tables. */
export class VolumeTable {
  readonly #db: GraphDB;

  constructor(db: GraphDB) {
    this.#db = db;
  }

  volumes(): readonly { readonly volume: Volume; readonly isRemoving: boolean }[] {
    const rows = this.#db.sql.query("SELECT record FROM volume ORDER BY name").all() as { record: string }[];
    return rows.flatMap(({ record }) => {
      const row = readable(record);
      if (row === undefined) return [];
      // Of volumes that were made when there was one driver only.
      const { isRemoving = false, scope = "local", ...rest } = row;
      return { volume: { ...rest, scope }, isRemoving };
    });
  }

  uses(): readonly { readonly volume: string; readonly container: string }[] {
    return this.#db.sql.query("SELECT volume, container FROM volume_use").all() as {
      volume: string;
      container: string;
    }[];
  }

  mounts(): readonly { readonly volume: string; readonly holder: string }[] {
    return this.#db.sql.query("SELECT volume, holder FROM volume_mount").all() as {
      volume: string;
      holder: string;
    }[];
  }

  add(volume: Volume, user?: string): void {
    this.#db.transaction(() => {
      this.#db.sql
        .query("INSERT INTO volume (name, record) VALUES (?, ?)")
        .run(volume.name, JSON.stringify(volume));
      if (user !== undefined) this.use(volume.name, user);
    });
  }

  /** From here on it is on its way, whatever happens. */
  beginRemoval(volume: Volume): void {
    const row: Row = { ...volume, isRemoving: true };
    this.#db.transaction(() =>
      this.#db.sql.query("UPDATE volume SET record = ? WHERE name = ?").run(JSON.stringify(row), volume.name),
    );
  }

  /** It stays what it was. */
  abandonRemoval(volume: Volume): void {
    this.#db.transaction(() =>
      this.#db.sql
        .query("UPDATE volume SET record = ? WHERE name = ?")
        .run(JSON.stringify(volume), volume.name),
    );
  }

  remove(name: string): void {
    this.#db.transaction(() => {
      this.#db.sql.query("DELETE FROM volume_mount WHERE volume = ?").run(name);
      this.#db.sql.query("DELETE FROM volume_use WHERE volume = ?").run(name);
      this.#db.sql.query("DELETE FROM volume WHERE name = ?").run(name);
    });
  }

  /** Whether what is in it is part of its first content only. */
  isFilling(name: string): boolean {
    const row = this.#db.sql.query("SELECT filling FROM volume WHERE name = ?").get(name);
    return (row as { filling: number } | null)?.filling === 1;
  }

  setFilling(name: string, isFilling: boolean): void {
    this.#db.transaction(() =>
      this.#db.sql.query("UPDATE volume SET filling = ? WHERE name = ?").run(isFilling ? 1 : 0, name),
    );
  }

  use(volume: string, container: string): void {
    this.#db.transaction(() =>
      this.#db.sql
        .query("INSERT OR IGNORE INTO volume_use (volume, container) VALUES (?, ?)")
        .run(volume, container),
    );
  }

  disuse(container: string): void {
    this.#db.transaction(() =>
      this.#db.sql.query("DELETE FROM volume_use WHERE container = ?").run(container),
    );
  }

  /** A power cut takes the mount as well as the row. */
  mounted(volume: string, holder: string): void {
    this.#db.transaction(
      () =>
        this.#db.sql
          .query("INSERT OR IGNORE INTO volume_mount (volume, holder) VALUES (?, ?)")
          .run(volume, holder),
      { durable: false },
    );
  }

  unmounted(volume: string, holder: string): void {
    this.#db.transaction(
      () =>
        this.#db.sql.query("DELETE FROM volume_mount WHERE volume = ? AND holder = ?").run(volume, holder),
      { durable: false },
    );
  }
}

/** A row that cannot be read is no volume until somebody mends it: its content stays where it is. */
function readable(record: string): Row | undefined {
  try {
    return JSON.parse(record) as Row;
  } catch {
    return undefined;
  }
}
