import type { Unpackers } from "#archive";
import { Fault } from "#errors";
import { bootId } from "#host";
import { type Descriptor, type Digest, MEDIA, sha256 } from "#oci";
import { compressBlob } from "./compress.ts";
import type { Content } from "./content.ts";
import { type Arrival, Downloads } from "./download.ts";
import type { GraphDriver, LayerId, UnpackTarget } from "./driver.ts";
import type { Durability } from "./durability.ts";
import { Flights, type Passenger, type Voyage } from "./flights.ts";
import type { Collector } from "./gc.ts";
import type { LayerRow, LayerTable } from "./layer-table.ts";
import type { Leases } from "./leases.ts";
import { type ReceivedLayer, receiveLayer } from "./receive.ts";
import { Slots } from "./slots.ts";
import type { LayerArchive, LayerReport, LayerSource, Layers, MadeLayer } from "./types.ts";

export interface LayerLimits {
  readonly downloads: number;
  readonly unpacks: number;
}

export interface LayerNeeds {
  readonly driver: GraphDriver;
  readonly content: Content;
  readonly table: LayerTable;
  readonly leases: Leases<LayerId>;
  readonly limits: LayerLimits;
  readonly collector: Pick<Collector, "collect" | "settled">;
  readonly durability: Pick<Durability, "defer">;
  readonly unpackers: Pick<Unpackers, "unpack">;
  /** Layers that have a row but no tree any more. */
  readonly missing: Set<LayerId>;
}

/** Image layers: downloaded, verified, unpacked and published once. */
export class LayerStore implements Layers {
  readonly #needs: LayerNeeds;
  readonly #downloads: Downloads;
  readonly #unpacks: Slots;
  readonly #flights = new Flights<LayerId>(() => undefined);
  readonly #compressions = new Flights<void>(() => undefined);

  constructor(needs: LayerNeeds) {
    this.#needs = needs;
    this.#downloads = new Downloads(needs.content, needs.limits.downloads);
    this.#unpacks = new Slots(needs.limits.unpacks);
  }

  limitDownloads(count: number): void {
    this.#downloads.limit(count);
  }

  chain(parent: LayerId | undefined, diffId: Digest): LayerId {
    return (parent === undefined ? diffId : sha256(`${parent} ${diffId}`)) as string as LayerId;
  }

  has(layer: LayerId): boolean {
    return !this.#needs.missing.has(layer) && this.#needs.table.find(layer) !== undefined;
  }

  isWhole(top: LayerId | undefined): boolean {
    const rows = this.#needs.table.chain(top);
    const base = rows.at(-1);
    const reachesBase = top === undefined || (base !== undefined && base.parent === undefined);
    return reachesBase && rows.every(({ id, blob }) => blob !== undefined && this.has(id));
  }

  size(layer: LayerId): number | undefined {
    return this.#needs.table.find(layer)?.size;
  }

  async blob(layer: LayerId): Promise<Descriptor | undefined> {
    const row = this.#needs.table.find(layer);
    if (row?.blob === undefined || row.mediaType === undefined) return undefined;
    const size = await this.#needs.content.size(row.blob);
    return size === undefined ? undefined : { mediaType: row.mediaType, digest: row.blob, size };
  }

  async obtain(source: LayerSource, passenger: Passenger): Promise<LayerId> {
    const layer = this.chain(source.parent, source.diffId);
    this.#needs.leases.hold(layer);
    const isThere = this.has(layer);
    if (isThere && this.#needs.table.find(layer)?.blob !== undefined) {
      passenger.report("exists");
      return layer;
    }
    const flight = this.#flights.join(layer, passenger, (voyage) =>
      isThere ? this.#bringBlob(layer, source, voyage) : this.#bring(layer, source, voyage),
    );
    return flight.done;
  }

  async make(
    archive: LayerArchive,
    { parent, signal }: { readonly parent?: LayerId; readonly signal: AbortSignal },
  ): Promise<MadeLayer> {
    const { content, driver, table, leases, durability, unpackers } = this.#needs;
    using _deferred = durability.defer();
    const below = table.chain(parent).map((row) => row.id);
    const above = parent === undefined ? {} : { parent };
    await using undo = new AsyncDisposableStack();
    for (const layer of below) leases.hold(layer);
    undo.defer(() => this.release(below));
    const isUsed = (blob: Digest) => table.isBlobUsed(blob);
    await using received = await receiveLayer(archive, {
      content,
      driver,
      unpackers,
      isUsed,
      ...above,
      signal,
    });
    const id = this.chain(parent, received.diffId);
    leases.hold(id);
    undo.defer(() => this.release([id]));
    // Somebody else may be about to have the same.
    const flight = this.#flights.join(id, { signal, report: () => {} }, () =>
      this.#name(id, { received, ...above }),
    );
    await flight.done;
    undo.move();
    return { id, diffId: received.diffId, held: [...below, id] };
  }

  async #name(
    layer: LayerId,
    { received, parent }: { readonly received: ReceivedLayer; readonly parent?: LayerId },
  ): Promise<LayerId> {
    const { table, collector, content } = this.#needs;
    const { descriptor, diffId, size, tree } = received;
    const { digest: blob, mediaType } = descriptor;
    await collector.settled;
    const row = table.find(layer);
    if (row !== undefined && this.has(layer)) {
      if (row.blob === undefined || !(await content.has(row.blob))) table.add({ ...row, blob, mediaType });
      return layer;
    }
    await tree.publish(layer);
    this.#record({ id: layer, parent, diffId, blob, mediaType, size, unsyncedBoot: bootId() });
    return layer;
  }

  /** From here on it is there. A new one is rubbish until an image holds it, whose own record takes this along to the disk. */
  #record(row: LayerRow): void {
    const { table, missing } = this.#needs;
    table.add(row, { durable: table.find(row.id) !== undefined });
    missing.delete(row.id);
  }

  async compress(layer: LayerId, signal: AbortSignal): Promise<void> {
    if (this.#needs.table.find(layer)?.mediaType !== MEDIA.ociLayer) return;
    const passenger = { signal, report: () => {} };
    await this.#compressions.join(layer, passenger, (voyage) => this.#compress(layer, voyage.signal)).done;
  }

  async #compress(layer: LayerId, signal: AbortSignal): Promise<void> {
    const { content, table } = this.#needs;
    const plain = table.find(layer)?.blob;
    if (plain === undefined) return;
    const { digest: blob, lease } = await compressBlob(content, plain, signal);
    const row = table.find(layer);
    if (row !== undefined) table.add({ ...row, blob, mediaType: MEDIA.ociLayerGzip });
    lease[Symbol.dispose]();
    for (const one of [plain, blob])
      if (!table.isBlobUsed(one) && !content.leases.isHeld(one)) await content.remove(one);
  }

  hold(layers: Iterable<LayerId>): void {
    for (const layer of layers) this.#needs.leases.hold(layer);
  }

  async release(layers: Iterable<LayerId>): Promise<void> {
    this.#needs.leases.release(layers);
    await this.#needs.collector.collect();
  }

  /** Of a layer whose tree is there and whose blob was lost. */
  async #bringBlob(layer: LayerId, source: LayerSource, voyage: Voyage<undefined>): Promise<LayerId> {
    const { content, table } = this.#needs;
    const { digest: blob, mediaType } = source.descriptor;
    using _lease = content.leases.use(blob);
    await this.#downloads.fetch(source, voyage).whole;
    const row = table.find(layer);
    if (row !== undefined) table.add({ ...row, blob, mediaType });
    voyage.report("done");
    return layer;
  }

  /** A stored blob that turns out to be damaged is thrown away and fetched anew, once. */
  async #bring(layer: LayerId, source: LayerSource, voyage: Voyage<undefined>): Promise<LayerId> {
    const { content, collector } = this.#needs;
    using _lease = content.leases.use(source.descriptor.digest);
    await collector.settled;
    const wasStored = (await content.size(source.descriptor.digest)) !== undefined;
    try {
      return await this.#make(layer, source, voyage);
    } catch (thrown) {
      const { digest } = source.descriptor;
      voyage.signal.throwIfAborted();
      if (!wasStored || !(await content.has(digest)) || (await content.isSound(digest))) throw thrown;
      await content.remove(digest);
      return this.#make(layer, source, voyage);
    }
  }

  async #make(layer: LayerId, source: LayerSource, { signal, report }: Voyage<undefined>): Promise<LayerId> {
    const { driver, durability } = this.#needs;
    const { parent, descriptor, diffId } = source;
    using _deferred = durability.defer();
    report("waiting");
    await using undo = new AsyncDisposableStack();
    const scope = new AbortController();
    undo.defer(() =>
      scope.abort(new Fault("cancelled", `Cannot make layer ${layer}: another part of it failed`)),
    );
    const inner = AbortSignal.any([signal, scope.signal]);
    const arrival = this.#downloads.fetch(source, { signal: inner, report });
    await arrival.started;
    if (driver.fillsInOrder) await this.#waitFor(parent);
    let size = 0;
    await driver.fill(layer, parent === undefined ? {} : { parent }, async (target) => {
      size = await this.#unpack(source, { target, arrival, signal: inner, report });
      await arrival.whole;
      await this.#waitFor(parent);
      inner.throwIfAborted();
    });
    const { digest: blob, mediaType } = descriptor;
    this.#record({ id: layer, parent, diffId, blob, mediaType, size, unsyncedBoot: bootId() });
    report("done");
    return layer;
  }

  async #unpack(source: LayerSource, { target, arrival, signal, report }: Unpacking): Promise<number> {
    using _slot = await this.#unpacks.acquire(signal);
    const { digest, size } = source.descriptor;
    const { content, unpackers } = this.#needs;
    await using blob = await content.openForReading(digest).catch(async () => {
      // It is between its two names, or not begun. A download that failed takes its file along, and has the better reason.
      await arrival.whole;
      return content.openForReading(digest);
    });
    let isWhole = false;
    arrival.whole.then(
      () => {
        isWhole = true;
      },
      () => {},
    );
    const { diffId, bytes } = await unpackers.unpack({
      ...target,
      file: { descriptor: blob.fd, growth: arrival.growth },
      signal,
      report: (consumed) => {
        if (isWhole) report("extracting", consumed, size);
      },
    });
    if (diffId === source.diffId) return bytes;
    throw new Fault(
      "invalid",
      `Cannot accept layer ${digest}: unpacked it is ${diffId}, but the image's configuration says ${source.diffId}`,
    );
  }

  async #waitFor(parent: LayerId | undefined): Promise<void> {
    if (parent === undefined || this.has(parent)) return;
    const coming = this.#flights.current(parent);
    if (coming === undefined)
      throw new Fault("internal", `Cannot build on layer ${parent}: it is not in the graph`);
    await coming;
  }
}

interface Unpacking {
  readonly target: UnpackTarget;
  readonly arrival: Arrival;
  readonly signal: AbortSignal;
  readonly report: LayerReport;
}
