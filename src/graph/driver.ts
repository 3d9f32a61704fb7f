import type { Digest, MountSpec } from "#oci";

export type LayerId = string & { readonly brand: "LayerId" };
export type Verdict = { readonly usable: true } | { readonly usable: false; readonly reason: string };
export interface Mounted extends AsyncDisposable {
  readonly path: string;
}

/** One path that differs from the parent layer. Kinds as in GET /containers/{id}/changes: 0 modified, 1 added, 2 deleted. */
export interface Change {
  readonly path: string;
  readonly kind: 0 | 1 | 2;
}

export interface NewLayer {
  readonly parent?: LayerId;
  readonly writable?: boolean;
  readonly limitBytes?: number;
}

/** A tree without a name. Disposing it takes it away, unless it has become a layer. */
export interface StagedLayer extends AsyncDisposable {
  /** It appears whole. Throws `conflict` when the layer exists. */
  publish(layer: LayerId): Promise<void>;
}

/** Stacks directory trees. Knows nothing of images, tags or containers. */
export interface GraphDriver extends AsyncDisposable {
  readonly name: string;
  /** Whether a layer can only be filled when its parent is there; others fill in any order and then wait. */
  readonly fillsInOrder: boolean;
  /**
   * Makes a layer, empty above its parent. `writable` layers are containers': they get the mount points
   * that every container needs (/dev, /proc, /sys, /etc/hosts, …) as genuine files and folders between
   * parent and layer, and these never show up as changes. `limitBytes` bounds what is written to such a layer; throws
   * `invalid` with the reason where `limitable` says no.
   */
  create(layer: LayerId, options?: NewLayer): Promise<void>;
  /** Whether what is written to a layer can be bounded here. */
  limitable(): Promise<Verdict>;
  /** Until the result is disposed a layer that is full can be viewed or mounted as one that can be written to. */
  makeRoom(layer: LayerId): Promise<Disposable>;
  has(layer: LayerId): Promise<boolean>;
  /**
   * Fills a new layer. `unpack` is given the directory to write into and how a whiteout is expressed there
   * ("overlay": 0:0 devices and trusted.overlay.opaque; "delete": the parent's content is there, remove it; "erofs":
   * not as a tree at all, but as overlay would have it in an image).
   * The layer appears whole when `unpack` resolves and not at all when it throws or the process dies. The
   * parent must be there by then, or before where `fillsInOrder` says so.
   */
  fill(
    layer: LayerId,
    options: { readonly parent?: LayerId },
    unpack: (target: UnpackTarget) => Promise<void>,
  ): Promise<void>;
  /** As `fill`, for a layer whose id is known only when it has been unpacked. The parent must be there. */
  stage(
    options: { readonly parent?: LayerId },
    unpack: (target: UnpackTarget) => Promise<void>,
  ): Promise<StagedLayer>;
  /** How to see the layer's tree, for a mount namespace of the caller's own. */
  view(layer: LayerId): Promise<MountSpec>;
  /** Mounts it on the host. Disposing the result unmounts it; mounts of one layer are counted. */
  mount(layer: LayerId): Promise<Mounted>;
  /** What differs from the parent (for a writable layer: from the image), sorted by path. */
  changes(layer: LayerId): Promise<readonly Change[]>;
  /**
   * Writes what differs from the parent into an open file, as a tar archive in a layer's form, names sorted, tells how
   * many bytes are there by now, and returns the digest of all of them. Of a layer that is in use: what changes meanwhile
   * is there as it was or as it is.
   */
  diff(
    layer: LayerId,
    options: { readonly descriptor: number; readonly signal: AbortSignal },
  ): AsyncGenerator<number, Digest>;
  /** Bytes in the layer itself. */
  size(layer: LayerId): Promise<number>;
  remove(layer: LayerId): Promise<void>;
  list(): Promise<readonly LayerId[]>;
  /** For `inspect`: LowerDir, UpperDir and the like, of what is really there. */
  data(layer: LayerId): Promise<Readonly<Record<string, string>>>;
  /** For `info`: backing file system and the like. */
  status(): Promise<readonly (readonly [string, string])[]>;
}

export interface UnpackTarget {
  readonly directory: string;
  readonly whiteouts: "overlay" | "delete" | "erofs";
}

export interface GraphDriverKind {
  readonly name: string;
  probe(root: string): Promise<Verdict>;
  open(root: string): Promise<GraphDriver>;
}
