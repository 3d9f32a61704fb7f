import { sync, type Unpackers } from "#archive";
import { Fault } from "#errors";
import { bootId } from "#host";
import type { Content } from "./content.ts";
import type { GraphDriver } from "./driver.ts";
import type { LayerRow, LayerTable } from "./layer-table.ts";

/** A pull is often followed by a start: the disk is left to that first. */
const QUIET_MILLISECONDS = 3000;

export interface DurabilityNeeds {
  readonly root: string;
  readonly driver: GraphDriver;
  readonly content: Content;
  readonly table: LayerTable;
  readonly unpackers: Pick<Unpackers, "unpack">;
}

/**
 * Layers outlive a power cut without anybody waiting for the disk: blobs are synced before a pull is
 * acknowledged, trees are written out afterwards, and one that was cut short is made again from its blob.
 */
export class Durability implements AsyncDisposable {
  readonly #needs: DurabilityNeeds;
  readonly #abort = new AbortController();
  #timer: Timer | undefined;
  #works = 0;
  #syncing: Promise<void> = Promise.resolve();

  constructor(needs: DurabilityNeeds) {
    this.#needs = needs;
  }

  /** Until it is disposed the disk is left to whoever makes a layer; some time after the last everything is written out. */
  defer(): Disposable {
    this.#works++;
    clearTimeout(this.#timer);
    return {
      [Symbol.dispose]: () => {
        this.#works--;
        this.#schedule();
      },
    };
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#abort.signal.aborted || this.#works > 0) return;
    this.#timer = setTimeout(() => {
      this.#syncing = this.#syncing.then(() => this.settle()).catch(() => {});
    }, QUIET_MILLISECONDS);
    this.#timer.unref();
  }

  /** Resolves when the trees of all layers there are now have reached the disk, and their rows say so. */
  async settle(): Promise<void> {
    const ids = this.#needs.table.unsynced().map(({ id }) => id);
    if (ids.length === 0) return;
    await sync(this.#needs.root, this.#abort.signal);
    this.#needs.table.markSynced(ids);
  }

  /** Makes the trees again that the machine's end may have cut short. Returns what could not be made. */
  async restore(): Promise<readonly LayerRow[]> {
    const boot = bootId();
    const doubtful = this.#needs.table.unsynced();
    const lost: LayerRow[] = [];
    for (const row of doubtful.filter(({ unsyncedBoot }) => unsyncedBoot !== boot))
      if (
        !(await this.remake(row).then(
          () => true,
          () => false,
        ))
      )
        lost.push(row);
    if (doubtful.length > 0) this.#schedule();
    return lost;
  }

  /** What is not on disk yet stays marked: the next process sees to it. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    this.#abort.abort(new Fault("cancelled", "Cannot write the layers to disk: the graph is closed"));
    await this.#syncing;
  }

  /** Makes a layer's tree again from its blob. Throws `not_found` and `invalid`; what was there may be gone then. */
  async remake(row: LayerRow): Promise<void> {
    const { driver, content, table, unpackers } = this.#needs;
    if (row.blob === undefined)
      throw new Fault(
        "not_found",
        `Cannot restore layer ${row.id}: its blob is not kept; pull the image again`,
      );
    await using blob = await content.openForReading(row.blob);
    const { size } = await blob.stat();
    await driver.remove(row.id);
    await driver.fill(row.id, row.parent === undefined ? {} : { parent: row.parent }, async (target) => {
      const growth = (async function* () {
        yield size;
      })();
      const { diffId } = await unpackers.unpack({ ...target, file: { descriptor: blob.fd, growth } });
      if (diffId !== row.diffId)
        throw new Fault("invalid", `Cannot restore layer ${row.id}: its blob is damaged`);
    });
    table.add({ ...row, unsyncedBoot: bootId() });
  }
}
