import { chmod, mkdir, readdir, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { z } from "zod";
import { packLayer } from "#archive";
import { Fault } from "#errors";
import { MS_BIND, MS_RDONLY, syncDirectory, writeWhole } from "#host";
import type { MountSpec } from "#oci";
import type {
  Change,
  GraphDriver,
  LayerId,
  Mounted,
  NewLayer,
  StagedLayer,
  UnpackTarget,
  Verdict,
} from "../../driver.ts";
import { directoryOf, layerIn } from "../../layer-directory.ts";
import { backingFileSystem } from "../backing.ts";
import { lstatOrNothing } from "../compare.ts";
import { INIT_DIRECTORIES, INIT_FILES, INIT_LINKS, putInitFiles } from "../init-layer.ts";
import { limitStatus } from "../limit-status.ts";
import { Removals } from "../removals.ts";
import { bytesBelow } from "../usage.ts";
import { treeChanges } from "./changes.ts";

const STAGING = ".staging";
const REMOVED = ".removed";
const ROOT_MODE = 0o710;
/** There is no more to tell of a layer than its files. */
const NO_DATA = {};

/** What stands beside a layer's tree. */
const Note = z.object({
  parent: z.custom<LayerId>((value) => typeof value === "string").optional(),
  isWritable: z.boolean(),
});
type Note = z.infer<typeof Note>;

/** How a layer's tree comes to be. It goes as every other directory does. */
export interface TreeMaker {
  /** The name of the driver. */
  readonly name: string;
  /** An empty directory. */
  make(tree: string): Promise<void>;
  /** All that another tree holds, to be written to. */
  copy(from: string, to: string): Promise<void>;
  limitable(): Verdict;
  /** Bounds what is written to a tree from now on; only called where `limitable` says yes. */
  limit(tree: string, bytes: number): void;
  /** The tree, or what is left of it, is about to go. The result is called when it has gone. */
  release(tree: string): () => void;
}

/** Each layer is a whole tree, with everything that its parent holds. */
class FullLayers implements GraphDriver {
  readonly name: string;
  readonly fillsInOrder = true;
  readonly #root: string;
  readonly #maker: TreeMaker;
  readonly #removals: Removals;

  constructor(root: string, maker: TreeMaker, removals: Removals) {
    this.name = maker.name;
    this.#root = root;
    this.#maker = maker;
    this.#removals = removals;
  }

  async create(layer: LayerId, { parent, writable, limitBytes }: NewLayer = {}): Promise<void> {
    const note = { ...(parent === undefined ? {} : { parent }), isWritable: writable === true };
    const limitable = this.#maker.limitable();
    if (limitBytes !== undefined && !limitable.usable) throw new Fault("invalid", limitable.reason);
    await this.#mustBeNew(layer);
    await using made = await this.#stage(note, async (tree) => {
      if (limitBytes !== undefined) this.#maker.limit(tree, limitBytes);
      if (note.isWritable) await putMountPoints(tree);
    });
    await made.publish(layer);
  }

  async limitable(): Promise<Verdict> {
    return this.#maker.limitable();
  }

  /** Nothing is written when a tree is mounted. */
  async makeRoom(_layer: LayerId): Promise<Disposable> {
    return { [Symbol.dispose]() {} };
  }

  async has(layer: LayerId): Promise<boolean> {
    return (await lstatOrNothing(this.#tree(layer))) !== undefined;
  }

  async fill(
    layer: LayerId,
    { parent }: { readonly parent?: LayerId },
    unpack: (target: UnpackTarget) => Promise<void>,
  ): Promise<void> {
    await this.#mustBeNew(layer);
    await using staged = await this.stage(parent === undefined ? {} : { parent }, unpack);
    await staged.publish(layer);
  }

  stage(
    options: { readonly parent?: LayerId },
    unpack: (target: UnpackTarget) => Promise<void>,
  ): Promise<StagedLayer> {
    return this.#stage({ ...options, isWritable: false }, (directory) =>
      unpack({ directory, whiteouts: "delete" }),
    );
  }

  async view(layer: LayerId): Promise<MountSpec> {
    const { isWritable } = await this.#note(layer);
    const flags = isWritable ? MS_BIND : MS_BIND | MS_RDONLY;
    return { type: "bind", source: this.#tree(layer), flags, options: [] };
  }

  /** The tree is a plain directory: there is nothing to mount. */
  async mount(layer: LayerId): Promise<Mounted> {
    await this.#note(layer);
    return { path: this.#tree(layer), [Symbol.asyncDispose]: async () => {} };
  }

  async changes(layer: LayerId): Promise<readonly Change[]> {
    const { parent, isWritable } = await this.#note(layer);
    const below = parent === undefined ? undefined : this.#tree(parent);
    return treeChanges(this.#tree(layer), below, { ignoresInit: isWritable });
  }

  async *diff(...[layer, file]: Parameters<GraphDriver["diff"]>): ReturnType<GraphDriver["diff"]> {
    const changes = await this.changes(layer);
    return yield* packLayer({ directory: this.#tree(layer), changes, ...file });
  }

  /** Of a full copy only what differs is the layer's own. */
  async size(layer: LayerId): Promise<number> {
    const { parent } = await this.#note(layer);
    if (parent === undefined) return bytesBelow(this.#tree(layer));
    let total = 0;
    for (const { path, kind } of await this.changes(layer)) {
      const stats = kind === 2 ? undefined : await lstatOrNothing(`${this.#tree(layer)}${path}`);
      if (stats?.isFile()) total += Math.min(stats.size, stats.blocks * 512);
    }
    return total;
  }

  async remove(layer: LayerId): Promise<void> {
    await this.#drop(this.#path(layer));
  }

  async list(): Promise<readonly LayerId[]> {
    return (await readdir(this.#root)).flatMap((name) => layerIn(name) ?? []);
  }

  async data(_layer: LayerId): Promise<Readonly<Record<string, string>>> {
    return NO_DATA;
  }

  async status(): Promise<readonly (readonly [string, string])[]> {
    return [
      ["Backing Filesystem", await backingFileSystem(this.#root)],
      limitStatus(this.#maker.limitable()),
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#removals[Symbol.asyncDispose]();
  }

  async #drop(path: string): Promise<void> {
    await this.#removals.remove(path, this.#maker.release(`${path}/tree`));
  }

  #path(layer: LayerId): string {
    return `${this.#root}/${directoryOf(layer)}`;
  }

  #tree(layer: LayerId): string {
    return `${this.#path(layer)}/tree`;
  }

  async #note(layer: LayerId): Promise<Note> {
    try {
      return Note.parse(JSON.parse(await readFile(`${this.#path(layer)}/note.json`, "utf8")));
    } catch (thrown) {
      throw new Fault("not_found", `Cannot use layer ${layer}: it is not in the graph`, { cause: thrown });
    }
  }

  async #mustBeNew(layer: LayerId): Promise<void> {
    if (await this.has(layer)) throw exists(layer);
  }

  async #stage(note: Note, work: (tree: string) => Promise<void>): Promise<StagedLayer> {
    if (note.parent !== undefined) await this.#note(note.parent);
    const staging = `${this.#root}/${STAGING}/${crypto.randomUUID()}`;
    await using undo = new AsyncDisposableStack();
    await mkdir(staging, { mode: ROOT_MODE });
    undo.defer(() => this.#drop(staging));
    if (note.parent === undefined) {
      await this.#maker.make(`${staging}/tree`);
      await chmod(`${staging}/tree`, 0o755);
    } else await this.#maker.copy(this.#tree(note.parent), `${staging}/tree`);
    await work(`${staging}/tree`);
    await writeWhole(
      `${staging}/note.json`,
      JSON.stringify({ parent: note.parent, isWritable: note.isWritable }),
    );
    const owned = undo.move();
    return {
      publish: async (layer) => {
        await rename(staging, this.#path(layer)).catch((thrown) => {
          throw isTaken(thrown) ? exists(layer, thrown) : thrown;
        });
        owned.move(); // It is the layer now.
        if (!note.isWritable) await syncDirectory(this.#root);
      },
      [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
    };
  }
}

function isTaken(thrown: unknown): boolean {
  const code = thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
  return code === "EEXIST" || code === "ENOTEMPTY";
}

function exists(layer: LayerId, cause?: unknown): Fault {
  return new Fault("conflict", `Cannot make layer ${layer}: it exists`, { cause });
}

/** Links and files of the image give way to genuine directories and files. Source: moby, daemon/initlayer. */
async function putMountPoints(tree: string): Promise<void> {
  const { atime, mtime } = await stat(tree);
  for (const path of INIT_DIRECTORIES) {
    const stats = await lstatOrNothing(`${tree}/${path}`);
    if (stats?.isDirectory()) continue;
    await rm(`${tree}/${path}`, { force: true });
    await mkdir(`${tree}/${path}`);
    await chmod(`${tree}/${path}`, 0o755);
  }
  for (const path of [...INIT_FILES, ...INIT_LINKS.map(([link]) => link)])
    await rm(`${tree}/${path}`, { recursive: true, force: true });
  await putInitFiles(tree);
  await utimes(tree, atime, mtime);
}

export async function openFull(root: string, maker: TreeMaker): Promise<GraphDriver> {
  await mkdir(`${root}/${STAGING}`, { recursive: true, mode: ROOT_MODE });
  const removals = await Removals.open(`${root}/${REMOVED}`);
  for (const name of await readdir(`${root}/${STAGING}`)) await removals.remove(`${root}/${STAGING}/${name}`);
  return new FullLayers(root, maker, removals);
}
