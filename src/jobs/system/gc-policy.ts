import { statfs } from "node:fs/promises";
import type { Containers } from "#container";
import type { EngineEvent, EventBus } from "#engine";
import { sentenceOf } from "#errors";
import type { Graph } from "#graph";
import type { Digest } from "#oci";

/** When garbage is collected without being asked. Shares of the data root's file system, from 0 to 1. */
export interface GarbageSettings {
  readonly high: number;
  readonly low: number;
  readonly keepSeconds: number;
}

export interface Disk {
  readonly totalBytes: number;
  /** As df counts: what only root may use is neither used nor there. */
  readonly usedBytes: number;
}

export interface PolicyNeeds {
  readonly events: Pick<EventBus, "subscribe">;
  readonly containers: Pick<Containers, "get" | "list">;
  readonly images: Pick<Graph["images"], "touch">;
  /** Read anew each time: a reload may change it. Undefined: nothing is collected. */
  readonly settings: () => GarbageSettings | undefined;
  readonly disk: () => Promise<Disk>;
  /** Frees at least so many bytes if it can; resolves to how many it were. */
  readonly collect: (goalBytes: number, keepSeconds: number) => Promise<number>;
  readonly tell: (sentence: string) => void;
}

/** Several layers come at once, and a container often ends right after: one look is enough. Milliseconds. */
const SETTLE = 1000;
/** How often the disk is looked at while containers run and nothing else happens. */
const PACE = 5 * 60_000;
const BRINGS_LAYERS: ReadonlySet<string> = new Set(["pull", "load", "import", "commit", "start", "die"]);
const USES_IMAGE: ReadonlySet<string> = new Set(["create", "start"]);

/**
 * Notes which images containers are made of, and looks at the disk after something was written: layers came, a container
 * began or ended, or some run. A daemon without containers that nobody asks has no timer.
 */
export class GarbagePolicy implements AsyncDisposable {
  readonly #needs: PolicyNeeds;
  readonly #ending = new AbortController();
  readonly #listening: Promise<void>;
  #timer: Timer | undefined;
  /** Whether the timer is one that what happens meanwhile does not put off. */
  #isSettling = false;
  #looking: Promise<void> = Promise.resolve();

  constructor(needs: PolicyNeeds) {
    this.#needs = needs;
    this.#listening = this.#listen();
    if (this.#someRun()) this.#lookIn(PACE);
  }

  /** Collects if the disk is fuller than it shall be. */
  async look(): Promise<void> {
    const { settings, disk, collect, tell } = this.#needs;
    const wanted = settings();
    if (wanted === undefined) return;
    const { totalBytes, usedBytes } = await disk();
    if (totalBytes === 0 || usedBytes < wanted.high * totalBytes) return;
    const goal = Math.ceil(usedBytes - wanted.low * totalBytes);
    const freed = await collect(goal, wanted.keepSeconds);
    const share = `${Math.round((usedBytes / totalBytes) * 100)} percent of the disk were used`;
    tell(
      freed >= goal
        ? `Freed ${freed} bytes that nobody needs: ${share}`
        : `Freed ${freed} of ${goal} bytes: ${share}, and what is left is used, was used lately, or is no image`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    clearTimeout(this.#timer);
    await this.#listening;
    await this.#looking;
  }

  async #listen(): Promise<void> {
    const events = this.#needs.events.subscribe({
      isInternal: true,
      signal: this.#ending.signal,
      filter: ({ type }) => type === "container" || type === "image",
    });
    for await (const event of events) this.#hear(event);
  }

  #hear({ type, action, id }: EngineEvent): void {
    const { containers } = this.#needs;
    const image = type === "container" && USES_IMAGE.has(action) ? containers.get(id)?.imageId : undefined;
    if (image !== undefined) this.#note(image as Digest);
    if (BRINGS_LAYERS.has(action)) this.#lookIn(SETTLE);
  }

  /** On a full disk nothing can be written down, and just then somebody has to listen on. */
  #note(image: Digest): void {
    try {
      this.#needs.images.touch(image);
    } catch (thrown) {
      this.#needs.tell(`Cannot note that ${image} was used: ${sentenceOf(thrown)}`);
    }
  }

  #lookIn(milliseconds: number): void {
    if (this.#ending.signal.aborted || this.#needs.settings() === undefined) return;
    if (this.#isSettling) return;
    clearTimeout(this.#timer);
    this.#isSettling = milliseconds === SETTLE;
    this.#timer = setTimeout(() => {
      this.#isSettling = false;
      this.#looking = this.look()
        .catch((thrown) => this.#needs.tell(`Cannot free what nobody needs: ${thrown}`))
        .then(() => {
          if (this.#someRun()) this.#lookIn(PACE);
        });
    }, milliseconds);
    this.#timer.unref();
  }

  #someRun(): boolean {
    return this.#needs.containers.list().some(({ state }) => state.status === "running");
  }
}

export async function diskOf(path: string): Promise<Disk> {
  const { bsize, blocks, bfree, bavail } = await statfs(path);
  const used = blocks - bfree;
  return { totalBytes: (used + bavail) * bsize, usedBytes: used * bsize };
}
