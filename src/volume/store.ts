import { mkdirSync, rmSync } from "node:fs";
import { readdir, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "#errors";
import type { GraphDB } from "#graphdb";
import type { Volume, Volumes } from "./driver.ts";

/** Source: Docker Engine API, POST /volumes/create, `Name`. */
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
const LONGEST_NAME = 255;
const LOCAL = "local";
/** Others may pass through, as through any shared folder, and not list. */
const ROOT_MODE = 0o711;
const DATA = "_data";
const DATA_MODE = 0o755;

/** Volumes of the driver `local`: `<root>/<name>/_data`. The only writer of the tables `volume` and `volume_use`. */
export class LocalVolumes implements Volumes {
  readonly #db: GraphDB;
  readonly #root: string;
  readonly #volumes = new Map<string, Volume>();
  readonly #users = new Map<string, Set<string>>();
  /** An earlier daemon was ended before it was done with them. */
  readonly #halfRemoved = new Set<string>();

  constructor(db: GraphDB, root: string) {
    this.#db = db;
    this.#root = root;
    const rows = db.sql.query("SELECT record FROM volume ORDER BY name").all() as { record: string }[];
    for (const { record } of rows) {
      const { isRemoving = false, ...volume } = JSON.parse(record) as Row;
      if (isRemoving) this.#halfRemoved.add(volume.name);
      else this.#volumes.set(volume.name, volume);
    }
    const uses = db.sql.query("SELECT volume, container FROM volume_use").all() as Use[];
    for (const { volume, container } of uses) this.#usersOf(volume).add(container);
  }

  list(): readonly Volume[] {
    return [...this.#volumes.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  find(name: string): Volume | undefined {
    return this.#volumes.get(name);
  }

  create(wanted: Parameters<Volumes["create"]>[0]): Volume {
    const { driver = LOCAL, labels = {}, options = {} } = wanted;
    const isAnonymous = wanted.name === undefined || wanted.name === "";
    const name = isAnonymous ? randomId() : checkVolumeName(wanted.name ?? "");
    const existing = this.#volumes.get(name);
    if (existing !== undefined) return sameDriver(existing, driver);
    checkDriver(name, driver, options);
    const volume: Volume = {
      name,
      driver: LOCAL,
      mountpoint: this.#mountpoint(name),
      labels,
      options,
      created: Date.now(),
      isAnonymous,
    };
    this.#make(volume, wanted.holder);
    return volume;
  }

  /** The folder first: a row without a folder would be a volume that cannot be mounted. */
  #make(volume: Volume, holder: string | undefined): void {
    mkdirSync(this.#root, { recursive: true, mode: ROOT_MODE });
    mkdirSync(volume.mountpoint, { recursive: true, mode: DATA_MODE });
    try {
      this.#db.transaction(() => {
        this.#db.sql
          .query("INSERT INTO volume (name, record) VALUES (?, ?)")
          .run(volume.name, JSON.stringify(volume));
        if (holder !== undefined) this.#write(volume.name, holder);
      });
    } catch (thrown) {
      rmSync(join(this.#root, volume.name), { recursive: true, force: true });
      throw thrown;
    }
    this.#volumes.set(volume.name, volume);
    if (holder !== undefined) this.#usersOf(volume.name).add(holder);
  }

  async remove(name: string, { force = false }: { readonly force?: boolean } = {}): Promise<void> {
    const volume = this.#volumes.get(name);
    if (volume === undefined) {
      if (force) return;
      throw noSuchVolume(name);
    }
    const users = this.usersOf(name);
    if (users.length > 0)
      throw new Fault("conflict", `remove ${name}: volume is in use - [${users.join(", ")}]`);
    const row: Row = { ...volume, isRemoving: true };
    this.#db.transaction(() =>
      this.#db.sql.query("UPDATE volume SET record = ? WHERE name = ?").run(JSON.stringify(row), name),
    );
    this.#volumes.delete(name);
    this.#users.delete(name);
    await this.#finishRemoval(name);
  }

  /** The row last: with neither row nor word of its removal, what is left of the folder would come back with the name. */
  async #finishRemoval(name: string): Promise<void> {
    await rm(join(this.#root, name), { recursive: true, force: true });
    // Somebody may have made one of the same name meanwhile.
    if (this.#volumes.has(name)) return;
    this.#db.transaction(() => {
      this.#db.sql.query("DELETE FROM volume_use WHERE volume = ?").run(name);
      this.#db.sql.query("DELETE FROM volume WHERE name = ?").run(name);
    });
  }

  async sweep(containers: ReadonlySet<string>): Promise<readonly string[]> {
    const swept = [...this.#halfRemoved];
    this.#halfRemoved.clear();
    for (const name of swept) await this.#finishRemoval(name);
    const isStranger = (id: string) => !containers.has(id);
    const deserted = [...this.#users].filter(([, users]) => [...users].some(isStranger));
    for (const [, users] of deserted) for (const id of [...users].filter(isStranger)) this.release(id);
    for (const [name, users] of deserted) {
      if (users.size > 0 || this.#volumes.get(name)?.isAnonymous !== true) continue;
      await this.remove(name);
      swept.push(name);
    }
    for (const name of await folders(this.#root)) {
      const folder = join(this.#root, name);
      if (this.#volumes.has(name)) await removeParts(folder);
      else await removeEmpty(folder);
    }
    return swept;
  }

  hold(name: string, containerId: string): void {
    if (!this.#volumes.has(name)) throw noSuchVolume(name);
    this.#db.transaction(() => this.#write(name, containerId));
    this.#usersOf(name).add(containerId);
  }

  #write(volume: string, containerId: string): void {
    this.#db.sql
      .query("INSERT OR IGNORE INTO volume_use (volume, container) VALUES (?, ?)")
      .run(volume, containerId);
  }

  release(containerId: string): void {
    const held = [...this.#users].filter(([, users]) => users.has(containerId));
    if (held.length === 0) return;
    this.#db.transaction(() =>
      this.#db.sql.query("DELETE FROM volume_use WHERE container = ?").run(containerId),
    );
    for (const [, users] of held) users.delete(containerId);
  }

  usersOf(name: string): readonly string[] {
    return [...(this.#users.get(name) ?? [])];
  }

  async isEmpty(name: string): Promise<boolean> {
    const volume = this.#volumes.get(name);
    if (volume === undefined) throw noSuchVolume(name);
    return (await readdir(volume.mountpoint)).length === 0;
  }

  #mountpoint(name: string): string {
    return join(this.#root, name, DATA);
  }

  #usersOf(name: string): Set<string> {
    const users = this.#users.get(name) ?? new Set();
    this.#users.set(name, users);
    return users;
  }
}

interface Row extends Volume {
  readonly isRemoving?: boolean;
}

interface Use {
  readonly volume: string;
  readonly container: string;
}

async function folders(root: string): Promise<readonly string[]> {
  try {
    return await readdir(root);
  } catch {
    return [];
  }
}

/** All but the data: what was to become it, and did not before the daemon's end. */
async function removeParts(folder: string): Promise<void> {
  for (const name of await folders(folder))
    if (name !== DATA) await rm(join(folder, name), { recursive: true, force: true });
}

/** Of a volume that never came to be. Anything in it is somebody's, and stays. */
async function removeEmpty(folder: string): Promise<void> {
  try {
    await rmdir(join(folder, DATA));
    await rmdir(folder);
  } catch {
    // It holds something.
  }
}

/** Throws `invalid` in Docker's words. */
export function checkVolumeName(name: string): string {
  if (NAME.test(name) && name.length <= LONGEST_NAME) return name;
  throw new Fault(
    "invalid",
    `"${name.slice(0, LONGEST_NAME)}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
  );
}

export function noSuchVolume(name: string): Fault {
  return new Fault("not_found", `get ${name.slice(0, LONGEST_NAME)}: no such volume`);
}

function sameDriver(volume: Volume, driver: string): Volume {
  if (volume.driver === driver) return volume;
  throw new Fault(
    "conflict",
    `A volume named ${volume.name} already exists with the driver ${volume.driver}; choose another name than for the driver ${driver}`,
  );
}

function checkDriver(name: string, driver: string, options: Readonly<Record<string, string>>): void {
  if (driver !== LOCAL)
    throw new Fault(
      "not_found",
      `error looking up volume plugin ${driver}: plugin "${driver}" not found; the driver of this engine is "${LOCAL}"`,
    );
  const [option] = Object.keys(options);
  if (option !== undefined)
    throw new Fault(
      "invalid",
      `Cannot create the volume ${name}: the option "${option}" is not supported by the driver ${LOCAL}`,
    );
}

function randomId(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");
}
