import { lstat, mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "#errors";
import { errnoName, exchange, syncDirectory } from "#host";
import type { Fill, Snapshot, StagedContent, VolumeContent } from "../../driver.ts";
import { checkSnapshotName } from "../../names.ts";
import { DATA, DATA_MODE } from "./folders.ts";

const SNAPSHOTS = "snapshots";
/** Only root looks into what is kept. */
const SNAPSHOTS_MODE = 0o700;

/** The size limit of a volume, for the folder that is to become its content. */
interface Limits {
  limit(directory: string): Promise<void>;
  lift(directory: string): void;
}

/**
 * The content of a folder of this host. What is made is made in a folder whose name begins with a dot, and put in
 * its place by one rename; what the daemon's end leaves of it is swept.
 */
export class LocalContent implements VolumeContent {
  readonly #folder: string;
  readonly #limits: Limits;

  /** `folder`: the one that holds `_data`. */
  constructor(folder: string, limits: Limits) {
    this.#folder = folder;
    this.#limits = limits;
  }

  async stage(fill: Fill): Promise<StagedContent> {
    await using undo = new AsyncDisposableStack();
    const aside = await this.#aside(undo);
    const fresh = join(aside, DATA);
    await mkdir(fresh, { mode: DATA_MODE });
    await this.#limits.limit(fresh);
    // What is there by then: the new one unless it was published, else the old one.
    undo.defer(() => this.#limits.lift(fresh));
    await fill(fresh);
    const owned = undo.move();
    return {
      publish: () => exchanged(fresh, join(this.#folder, DATA)),
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    };
  }

  async snapshots(): Promise<readonly Snapshot[]> {
    const names = await readdir(join(this.#folder, SNAPSHOTS)).catch(() => []);
    const found = await Promise.all(
      names.filter((name) => !name.startsWith(".")).map((name) => this.#find(name)),
    );
    return found.filter((one) => one !== undefined).sort((one, other) => one.created - other.created);
  }

  async keep(name: string, fill: Fill): Promise<Snapshot> {
    checkSnapshotName(name);
    if ((await this.#find(name)) !== undefined) throw taken(name);
    await using undo = new AsyncDisposableStack();
    const aside = await this.#aside(undo);
    await mkdir(join(aside, DATA), { mode: DATA_MODE });
    await fill(join(aside, DATA));
    const snapshots = join(this.#folder, SNAPSHOTS);
    await mkdir(snapshots, { recursive: true, mode: SNAPSHOTS_MODE });
    await rename(aside, join(snapshots, name));
    await syncDirectory(snapshots);
    const kept = await this.#find(name);
    if (kept === undefined) throw noSuchSnapshot(name);
    return kept;
  }

  async forget(name: string): Promise<void> {
    const found = await this.#find(checkSnapshotName(name));
    if (found === undefined) throw noSuchSnapshot(name);
    await using undo = new AsyncDisposableStack();
    const aside = await this.#aside(undo);
    await rename(join(this.#folder, SNAPSHOTS, name), join(aside, "gone"));
  }

  async #aside(undo: AsyncDisposableStack): Promise<string> {
    const aside = await mkdtemp(join(this.#folder, ".making-"));
    undo.defer(() => rm(aside, { recursive: true, force: true }));
    return aside;
  }

  /** The folder around the content is as old as the snapshot: nothing else is ever made in it. */
  async #find(name: string): Promise<Snapshot | undefined> {
    const folder = join(this.#folder, SNAPSHOTS, name);
    const stats = await lstat(folder).catch(() => undefined);
    if (stats === undefined) return undefined;
    return { name, created: Math.floor(stats.mtimeMs), path: join(folder, DATA) };
  }
}

function exchanged(fresh: string, old: string): void {
  const result = exchange(fresh, old);
  if (result >= 0) return;
  throw new Fault(
    "unsupported",
    `Cannot put the new content in the place of ${old}: ${errnoName(result)}; its file system cannot exchange two folders in one step`,
  );
}

function taken(name: string): Fault {
  return new Fault(
    "conflict",
    `There is a snapshot named ${name} already; remove it, or choose another name`,
  );
}

export function noSuchSnapshot(name: string): Fault {
  return new Fault("not_found", `No such snapshot: ${name.slice(0, 255)}`);
}
