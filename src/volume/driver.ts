/** A named volume. `created` in milliseconds since the epoch. */
export interface Volume {
  readonly name: string;
  readonly driver: string;
  readonly mountpoint: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  readonly created: number;
  readonly isAnonymous: boolean;
}

export interface Volumes {
  list(): readonly Volume[];
  find(name: string): Volume | undefined;
  /** Idempotent for the same driver; `conflict` for another one. Without a name an anonymous one is made. */
  create(wanted: {
    readonly name?: string;
    readonly driver?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly options?: Readonly<Record<string, string>>;
    /** The container that a new one is made for: held by it from the first moment, lest a crash leave it to nobody. */
    readonly holder?: string;
  }): Volume;
  /** `conflict` naming the containers while it is in use. */
  remove(name: string, options?: { readonly force?: boolean }): Promise<void>;
  /** Records that a container refers to it; undone by `release`. */
  hold(name: string, containerId: string): void;
  release(containerId: string): void;
  usersOf(name: string): readonly string[];
  /**
   * After a crash: finishes removals, and lets go of what is held for containers that are not among `containers`,
   * with the anonymous volumes that nobody else uses. Returns the names of volumes that are gone.
   */
  sweep(containers: ReadonlySet<string>): Promise<readonly string[]>;
  /** Whether it has no content yet, so that the image's is to be copied up. */
  isEmpty(name: string): Promise<boolean>;
}
