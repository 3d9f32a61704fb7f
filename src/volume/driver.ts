/** A named volume. `created` in milliseconds since the epoch. */
export interface Volume {
  readonly name: string;
  readonly driver: string;
  /** The host path of its content; empty where the driver tells it of a mounted one only. */
  readonly mountpoint: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  readonly created: number;
  readonly isAnonymous: boolean;
  /** Whether other hosts see the same one. */
  readonly scope: "local" | "global";
}

/** What a driver is told of a volume, every time: it need remember nothing. */
export interface VolumeRequest {
  readonly name: string;
  readonly options: Readonly<Record<string, string>>;
}

/** What a driver tells of one of its volumes. */
export interface VolumeView {
  readonly name: string;
  /** Empty when it is not mounted and has no place yet. */
  readonly mountpoint: string;
  /** Of the driver's own, for `inspect`. */
  readonly status?: Readonly<Record<string, unknown>>;
}

/**
 * Keeps volumes of one kind. Knows nothing of labels, and of containers only that a mount has a holder. One call
 * at a time is made for one volume.
 */
export interface VolumeDriver {
  readonly name: string;
  readonly scope: "local" | "global";
  /**
   * Whether it was not there before: one that is there is taken up. Throws `invalid` for options that it does not
   * know, or that do not fit together.
   */
  create(volume: VolumeRequest): Promise<boolean>;
  /** With all its content. Nothing there is success. */
  remove(volume: VolumeRequest): Promise<void>;
  /** Whether its content is there only while it is mounted. Takes no time. */
  needsMount(volume: VolumeRequest): boolean;
  /** Makes the content visible and returns its host path. Once for each holder, and again after a daemon's end. */
  mount(volume: VolumeRequest, holder: string): Promise<string>;
  /** `isLast`: nobody else holds it mounted. What was not mounted is success. */
  unmount(
    volume: VolumeRequest,
    { holder, isLast }: { readonly holder: string; readonly isLast: boolean },
  ): Promise<void>;
  /** Undefined when the driver does not have it. */
  inspect(volume: VolumeRequest): Promise<VolumeView | undefined>;
  /** Undefined where the content is not the driver's own: mounts of something, and whatever a plugin keeps. */
  content(volume: VolumeRequest): VolumeContent | undefined;
  /** All that it has of its own accord, also what was not made by this engine. */
  list(): Promise<readonly VolumeView[]>;
  /** After a daemon's end: takes away what was begun and belongs to no volume, and mounts that nobody holds. */
  sweep(volumes: {
    readonly known: ReadonlySet<string>;
    readonly mounted: ReadonlySet<string>;
  }): Promise<void>;
}

/** A volume's content kept as it was once. `created` in milliseconds since the epoch. */
export interface Snapshot {
  readonly name: string;
  readonly created: number;
  /** The host path of it. */
  readonly path: string;
}

/** Fills an empty folder, given by its host path. */
export type Fill = (directory: string) => Promise<void>;

/** Content that is made and not yet shown. Disposing it takes it away, and after `publish` what was there before it. */
export interface StagedContent extends AsyncDisposable {
  /** It becomes the volume's content, in one step. Nobody may have the volume mounted. */
  publish(): void;
}

/**
 * What a driver can do with content that is all its own. Each thing is done in one step: whatever ends it midway
 * leaves what was there before.
 */
export interface VolumeContent {
  stage(fill: Fill): Promise<StagedContent>;
  snapshots(): Promise<readonly Snapshot[]>;
  /** `conflict` when there is one by that name. */
  keep(name: string, fill: Fill): Promise<Snapshot>;
  /** `not_found` when there is none. */
  forget(name: string): Promise<void>;
}

export type Verdict = { readonly usable: true } | { readonly usable: false; readonly reason: string };

export interface VolumeDriverKind {
  readonly name: string;
  probe(root: string): Promise<Verdict>;
  /** `root`: the folder of all volumes, which need not exist yet. */
  open(root: string): Promise<VolumeDriver>;
}

/** What is asked of a new volume. */
export interface WantedVolume {
  readonly name?: string;
  readonly driver?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly options?: Readonly<Record<string, string>>;
  /** The container that a new one is made for: held by it from the first moment, lest a crash leave it to nobody. */
  readonly holder?: string;
  /** Makes the content of a new one; `conflict` when there is one by that name. */
  readonly fill?: Fill;
}

export interface Volumes {
  list(): readonly Volume[];
  find(name: string): Volume | undefined;
  /** The drivers that volumes can be made with. */
  drivers(): readonly string[];
  /**
   * Takes up the volumes that drivers have of their own accord; with a name, that one only. Returns why those that
   * cannot be asked could not.
   */
  discover(name?: string): Promise<readonly string[]>;
  /** Whether it is a folder of this host that needs no mount. */
  isFolder(name: string): boolean;
  /** What the driver tells of it now, besides the record. */
  view(name: string): Promise<VolumeView>;
  /**
   * Idempotent for the same driver and the same options, or none; `conflict` otherwise. Without a name an
   * anonymous one is made.
   */
  create(wanted: WantedVolume): Promise<Volume>;
  /** `conflict` naming the containers while it is in use. */
  remove(name: string, options?: { readonly force?: boolean }): Promise<void>;
  /** Records that a container refers to it; undone by `release`. */
  hold(name: string, containerId: string): void;
  release(containerId: string): void;
  usersOf(name: string): readonly string[];
  /**
   * Makes its content visible and returns the host path of it: mounted for the first holder, kept until the last
   * has gone, over an end of the daemon too. Again by the same holder changes nothing.
   */
  mount(name: string, containerId: string): Promise<string>;
  /** Undoes `mount`; of what is not mounted, or not there, success. */
  unmount(name: string, containerId: string): Promise<void>;
  /** Who has it mounted. */
  holdersOf(name: string): readonly string[];
  /**
   * After a crash: finishes removals, lets go of what is held for containers that are not among `known`, with the
   * anonymous volumes that nobody else uses, and unmounts what none of those that run has mounted. Returns the
   * names of volumes that are gone.
   */
  sweep(known: ReadonlySet<string>, running: ReadonlySet<string>): Promise<readonly string[]>;
  /**
   * Gives a volume that has no content its first. It is whole, or there is none and the next start makes it: `fill`
   * is given a folder that may be the volume itself, others in it and part of it there already.
   */
  populate(name: string, containerId: string, fill: Fill): Promise<void>;
  /**
   * What `fill` makes becomes the content, and the old one goes; all of it or nothing. `conflict` while somebody has
   * it mounted, or comes to meanwhile; `unsupported` where the content cannot be replaced.
   */
  replace(name: string, fill: Fill): Promise<void>;
  /** What was kept of its content; throws `unsupported` where nothing can be. */
  kept(name: string): Promise<Pick<VolumeContent, "snapshots" | "keep" | "forget">>;
  /** Whether it has no content yet, so that the image's is to be copied up. To be asked of a mounted one. */
  isEmpty(name: string): Promise<boolean>;
}
