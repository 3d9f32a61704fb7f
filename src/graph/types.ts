import type { Descriptor, Digest, ImageConfig, Reference } from "#oci";
import type { GraphDriver, LayerId } from "./driver.ts";

/** An image as this host has it. */
export interface Image {
  /** The digest of its configuration. */
  readonly id: Digest;
  readonly config: ImageConfig;
  /** Chain id of the topmost layer; absent for an image without layers. */
  readonly top?: LayerId;
  /** `repository:tag`, normalised: `docker.io/library/httpd:latest`. */
  readonly tags: readonly Reference[];
  /** `repository@digest`, of the manifest or index it was pulled by. */
  readonly digests: readonly Reference[];
  readonly manifest?: Descriptor;
  /** Bytes of all its layers, unpacked. */
  readonly size: number;
  /** Milliseconds since the epoch: when it came here. */
  readonly arrivedAt: number;
}

/** A layer to be had: `open` streams the compressed blob from an offset on, in pieces that are the taker's from then on. */
export interface LayerSource {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
  readonly parent?: LayerId;
  open(offset: number, signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** As Docker's progress lines name them; `current` and `total` in bytes. */
export type LayerPhase =
  | "waiting"
  | "exists"
  | "downloading"
  | "verifying"
  | "downloaded"
  | "extracting"
  | "done";
export type LayerReport = (phase: LayerPhase, current?: number, total?: number) => void;

export interface MadeLayer {
  readonly id: LayerId;
  readonly diffId: Digest;
  /** It and those below it, each to be released once unless an image comes of it. */
  readonly held: readonly LayerId[];
}

/**
 * Bytes as they come, or what writes itself into an open file, tells how many bytes, not compressed, are there by now, and
 * returns the digest of all of them.
 */
export type LayerArchive =
  | AsyncIterable<Uint8Array>
  | ((descriptor: number) => AsyncGenerator<number, Digest>);

export interface Layers {
  /** `sha256(parent + " " + diffId)`. Source: OCI image specification, config.md, "Layer ChainID". */
  chain(parent: LayerId | undefined, diffId: Digest): LayerId;
  has(layer: LayerId): boolean;
  /** Whether it and all below it are here, trees and blobs. */
  isWhole(top: LayerId | undefined): boolean;
  /** The blob that the layer was unpacked from, as a manifest names it; undefined when it is not kept. */
  blob(layer: LayerId): Promise<Descriptor | undefined>;
  /** Bytes of file data in the layer itself; undefined when it is not there. */
  size(layer: LayerId): number | undefined;
  /**
   * Downloads what is missing, verifies the compressed and the uncompressed digest, unpacks, publishes.
   * One blob is downloaded once however many callers want it at the same time, and one layer unpacked once.
   * A caller whose signal aborts lets go; the last to let go stops the transfer. What was downloaded stays
   * for a later resume, half a layer never stays.
   */
  obtain(
    source: LayerSource,
    options: { readonly signal: AbortSignal; readonly report: LayerReport },
  ): Promise<LayerId>;
  /**
   * Makes a layer of an archive, compressed or not, read once: its tree, and its blob as it comes. Throws `invalid` for
   * what is no archive; nothing is left then.
   */
  make(
    archive: LayerArchive,
    options: { readonly parent?: LayerId; readonly signal: AbortSignal },
  ): Promise<MadeLayer>;
  /**
   * Whoever sends a layer that is kept plain has it compressed first, once: the blob is another from then on. Nothing
   * happens to one that is compressed, or not there.
   */
  compress(layer: LayerId, signal: AbortSignal): Promise<void>;
  /** Keeps layers and their blobs from being removed, until each is released. */
  hold(layers: Iterable<LayerId>): void;
  /**
   * Takes back what calls of `obtain` and `hold` wanted and no image has come of, one layer a call, obtained or not:
   * what nobody else wants is removed again.
   */
  release(layers: Iterable<LayerId>): Promise<void>;
}

/** A file of the content store, whatever it is. Bytes, and milliseconds since the epoch. */
export interface StoredFile {
  readonly kind: "blob" | "download" | "side file";
  readonly path: string;
  /** Absent for a side file. */
  readonly digest?: Digest;
  readonly bytes: number;
  readonly modifiedAt: number;
}

export interface ContentStore {
  has(digest: Digest): Promise<boolean>;
  /** Bytes; undefined when it is not there. */
  size(digest: Digest): Promise<number | undefined>;
  /** At most `limit` bytes; throws not_found. */
  read(digest: Digest, limit: number): Promise<Uint8Array>;
  /** Keeps a blob, which need not be here yet, until the result is disposed. */
  use(digest: Digest): Disposable;
  /** Verifies, then publishes by rename. It is no rubbish from then on until an image is registered with it. */
  put(bytes: Uint8Array, expected?: Digest): Promise<Digest>;
  path(digest: Digest): string;
}

export interface NewImage {
  readonly config: Uint8Array;
  readonly manifest?: Descriptor;
  readonly top?: LayerId;
  /** The tag that shall point at it, and the digest it was pulled by. */
  readonly tag?: Reference;
  readonly digest?: Reference;
  readonly parent?: Digest;
}

export interface RemovedImage {
  readonly untagged: readonly string[];
  readonly deleted: readonly Digest[];
}

export interface Images {
  list(): readonly Image[];
  /** By reference, full id, or unique prefix of an id. Throws `invalid` when a prefix is ambiguous. */
  find(text: string): Image | undefined;
  get(id: Digest): Image | undefined;
  /** The exact bytes whose digest is the image's id. Throws `not_found`. */
  configuration(id: Digest): Uint8Array;
  /** All its names, also of one whose record cannot be read. */
  namesOf(id: Digest): readonly Reference[];
  /** The image that this one was built or committed from. */
  parentOf(id: Digest): Digest | undefined;
  /** Image, tag and edges in one transaction. */
  register(image: NewImage): Image;
  tag(id: Digest, reference: Reference): void;
  /** When it was last used or came here, milliseconds since the epoch; 0 when it is not here. */
  usedAt(id: Digest): number;
  /** A container is made of it, or started. */
  touch(id: Digest): void;
  /**
   * Docker's rules: a tag is taken off; the image goes with its last one, and its layers with their last image.
   * `usedBy` are the containers on it: with any, deleting the image is a conflict (`force` only untags).
   */
  remove(
    text: string,
    options: {
      readonly force: boolean;
      readonly prune: boolean;
      readonly usedBy: (id: Digest) => readonly { id: string; isRunning: boolean }[];
    },
  ): Promise<RemovedImage>;
}

/** A file that is kept aside, and what it turned out to be. Sizes in bytes. */
export interface Spooled {
  readonly digest: Digest;
  readonly size: number;
}

/** A file that is being written: finished or discarded before the next one. */
export interface SpoolFile {
  write(bytes: Uint8Array): Promise<void>;
  finish(): Promise<Spooled>;
  discard(): Promise<void>;
}

/** Files kept aside on disk until it is known which of them are blobs; disposing removes those that became none. */
export interface Spool extends AsyncDisposable {
  create(): Promise<SpoolFile>;
  /** Throws `invalid` past so many bytes. */
  read(file: Spooled, limit: number): Promise<Uint8Array>;
  stream(file: Spooled, offset: number): AsyncIterable<Uint8Array>;
  /** The file becomes the blob of its digest, and stays one if a layer is made of it. One at a time. */
  adopt(file: Spooled): Promise<void>;
}

/** Something of the graph that is not as it should be, and which images are not whole because of it. */
export interface Ailment {
  readonly kind: "blob" | "manifest" | "tree" | "layer" | "image";
  /** Digest of the blob or manifest, id of the layer or image. */
  readonly id: string;
  readonly sentence: string;
  readonly images: readonly Digest[];
}

export interface Examination {
  readonly ailments: readonly Ailment[];
  /** Layers on disk that no row speaks of. */
  readonly strangers: readonly LayerId[];
  /** Files of the content store that no row speaks of. */
  readonly garbage: readonly StoredFile[];
  readonly checked: {
    readonly blobs: number;
    readonly layers: number;
    readonly images: number;
    readonly bytes: number;
  };
}

export interface ExamineOptions {
  /** Writable layers, which are containers'. */
  readonly keep: ReadonlySet<LayerId>;
  /** Looks only whether everything is there and has its size. */
  readonly isQuick: boolean;
  readonly signal: AbortSignal;
  readonly phase: (what: string) => void;
}

/** What was done about an ailment. `gone`: it is out of the way, and pulling the image again brings what is lacking. */
export interface Healed {
  readonly ailment: Ailment;
  readonly how: "mended" | "gone" | "left";
  readonly sentence: string;
}

export interface Graph extends AsyncDisposable {
  /** How many layers may be downloaded at once, from now on. */
  limitDownloads(count: number): void;
  readonly driver: GraphDriver;
  readonly content: ContentStore;
  readonly layers: Layers;
  readonly images: Images;
  spool(): Spool;
  /** Looks at every blob, layer and image, against each other and, unless quick, against their digests. */
  examine(options: ExamineOptions): Promise<Examination>;
  /**
   * Mends what can be mended from what is here, and takes the rest out of the way. `busy` says who runs on a layer:
   * nothing is done to it then.
   */
  heal(
    ailments: readonly Ailment[],
    options: { readonly busy: (layer: LayerId) => string | undefined; readonly signal: AbortSignal },
  ): Promise<readonly Healed[]>;
  /** Files of the content store that no row speaks of, and nobody of this process works with. */
  garbage(): Promise<readonly StoredFile[]>;
  /** Removes those that still are garbage; tells which were. */
  discard(garbage: readonly StoredFile[]): Promise<readonly StoredFile[]>;
  /** Removes what no row speaks of: half layers, old downloads, layers and writable layers not in `keep`. */
  sweep(keep: ReadonlySet<LayerId>): Promise<readonly string[]>;
}
