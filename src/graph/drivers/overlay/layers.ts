import { chmodSync, chownSync, lstatSync, mkdirSync, rmSync, type Stats } from "node:fs";
import { mkdir, readdir, rename, rm, symlink, unlink } from "node:fs/promises";
import { packLayer } from "#archive";
import { Fault } from "#errors";
import { MS_RDONLY, syncDirectory } from "#host";
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
import { type DirectoryLook, INIT_DIRECTORIES, makeInitLayer } from "../init-layer.ts";
import { limitStatus } from "../limit-status.ts";
import { Removals } from "../removals.ts";
import { bytesBelow } from "../usage.ts";
import { overlayChanges } from "./changes.ts";
import type { LayerForm } from "./form.ts";
import { liftLayerLimit, limitLayer, makeLayerRoom, noLimits } from "./limit.ts";
import { Mounts } from "./mounts.ts";
import { overlayFeatures } from "./probe.ts";
import {
  exists,
  LINKS,
  resolveStack,
  type Stack,
  shortName,
  stackBelow,
  stackWith,
  writeStack,
} from "./stack.ts";

const INIT = ".init";
const STAGING = ".staging";
const REMOVED = ".removed";
const EMPTY = ".empty";
/** Directories are passed through on the way to a container's files, whoever its user is. */
const ROOT_MODE = 0o710;

/** Layers as overlayfs stacks them, whatever form those of images have. */
class OverlayLayers implements GraphDriver {
  readonly name: string;
  readonly fillsInOrder = false;
  readonly #root: string;
  readonly #form: LayerForm;
  readonly #removals: Removals;
  readonly #mounts: Mounts;
  readonly #features = overlayFeatures();
  /** Looks of the directories that the init layer shadows, by image layer: layers never change. */
  readonly #init = new Map<LayerId | undefined, Promise<string>>();
  /** What `data` tells of layers that are there: clients that poll ask for it again and again. */
  readonly #data = new Map<LayerId, Readonly<Record<string, string>>>();

  constructor(root: string, form: LayerForm, removals: Removals) {
    this.name = form.name;
    this.#root = root;
    this.#form = form;
    this.#removals = removals;
    this.#mounts = new Mounts(root, (path) => form.isShown(path));
  }

  async create(layer: LayerId, options: NewLayer = {}): Promise<void> {
    const { parent, writable, limitBytes } = options;
    if (writable !== true) {
      await this.#mustBeNew(layer);
      await using empty = await this.#stage(parent, (path) => this.#form.fillEmpty(path));
      await empty.publish(layer);
      return await syncDirectory(this.#root);
    }
    const image = parent === undefined ? [] : stackWith(this.#root, parent);
    const init = await this.#initLayer(parent, image);
    const path = this.#path(layer);
    try {
      mkdirSync(path, { mode: ROOT_MODE });
    } catch (thrown) {
      throw taken(thrown, layer);
    }
    await using undo = new AsyncDisposableStack();
    undo.defer(() => this.#drop(path));
    if (limitBytes !== undefined) limitLayer(path, limitBytes);
    this.#makeDiff(path, parent);
    mkdirSync(`${path}/work`, { mode: 0o700 });
    await writeStack(path, [init, ...image]);
    undo.move();
  }

  async limitable(): Promise<Verdict> {
    const reason = this.#form.noLimits?.() ?? (await noLimits(this.#root));
    return reason === undefined ? { usable: true } : { usable: false, reason };
  }

  async makeRoom(layer: LayerId): Promise<Disposable> {
    if (!(await this.has(layer))) throw missing("mount", layer);
    return makeLayerRoom(this.#path(layer));
  }

  async has(layer: LayerId): Promise<boolean> {
    return exists(`${this.#path(layer)}/diff`);
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
    { parent }: { readonly parent?: LayerId },
    unpack: (target: UnpackTarget) => Promise<void>,
  ): Promise<StagedLayer> {
    return this.#stage(parent, (path) => this.#form.fill(path, unpack));
  }

  async #mustBeNew(layer: LayerId): Promise<void> {
    if (await this.has(layer)) throw new Fault("conflict", `Cannot make layer ${layer}: it exists`);
  }

  async #stage(parent: LayerId | undefined, fill: (path: string) => Promise<void>): Promise<StagedLayer> {
    const staging = `${this.#root}/${STAGING}/${crypto.randomUUID()}`;
    await using undo = new AsyncDisposableStack();
    await mkdir(staging, { mode: ROOT_MODE });
    undo.defer(() => this.#removals.remove(staging));
    this.#makeDiff(staging, undefined);
    await fill(staging);
    const owned = undo.move();
    return {
      publish: async (layer) => {
        await this.#publish(staging, layer, parent);
        owned.move(); // It is the layer now.
      },
      [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
    };
  }

  /** The layer appears whole, with a name of its own. */
  async #publish(staging: string, layer: LayerId, parent: LayerId | undefined): Promise<void> {
    const below = parent === undefined ? [] : stackWith(this.#root, parent);
    await writeStack(staging, below);
    const link = `${this.#root}/${LINKS}/${shortName(layer)}`;
    await rm(link, { force: true });
    await symlink(`../${directoryOf(layer)}/diff`, link);
    await rename(staging, this.#path(layer)).catch((thrown) => {
      throw taken(thrown, layer);
    });
  }

  async view(layer: LayerId): Promise<MountSpec> {
    const name = directoryOf(layer);
    const below = stackBelow(this.#root, layer);
    const isWritable = exists(`${this.#root}/${name}/work`);
    const stack = isWritable ? below : stackWith(this.#root, layer);
    this.#form.show(this.#root, stack);
    const shown = isWritable || stack.length > 1 ? stack : [...stack, EMPTY];
    if (this.#form.serve !== undefined) {
      const served = { root: this.#root, lowers: shown, upper: isWritable ? name : undefined };
      return this.#form.serve(served, `${this.#root}/${name}/merged`);
    }
    const upper = isWritable ? [`upperdir=${name}/diff`, `workdir=${name}/work`] : [];
    return {
      type: "overlay",
      source: "overlay",
      flags: isWritable ? 0 : MS_RDONLY,
      options: [...shown.map((short) => `lowerdir+=${short}`), ...upper, ...this.#features],
      directory: this.#root,
    };
  }

  async mount(layer: LayerId): Promise<Mounted> {
    using _room = await this.makeRoom(layer);
    // What is served there already is seen at a place of its own, whose end leaves it to containers.
    const name = this.#form.serve === undefined ? "merged" : "seen";
    return await this.#mounts.hold(layer, `${this.#path(layer)}/${name}`, () => this.view(layer));
  }

  async changes(layer: LayerId): Promise<readonly Change[]> {
    if (!(await this.has(layer))) throw missing("compare", layer);
    const lowers = resolveStack(this.#root, this.#showBelow(layer));
    this.#showSelf(layer);
    return overlayChanges(`${this.#path(layer)}/diff`, lowers);
  }

  async *diff(...[layer, file]: Parameters<GraphDriver["diff"]>): ReturnType<GraphDriver["diff"]> {
    if (!(await this.has(layer))) throw missing("compare", layer);
    this.#showSelf(layer);
    return yield* packLayer({ directory: `${this.#path(layer)}/diff`, ...file });
  }

  async size(layer: LayerId): Promise<number> {
    this.#showSelf(layer);
    return bytesBelow(`${this.#path(layer)}/diff`);
  }

  async remove(layer: LayerId): Promise<void> {
    if (this.#mounts.isHeld(layer))
      throw new Fault("conflict", `Cannot remove layer ${layer}: it is mounted`);
    this.#form.hide(this.#path(layer));
    await this.#drop(this.#path(layer));
    this.#data.delete(layer);
    rmSync(`${this.#root}/${LINKS}/${shortName(layer)}`, { force: true });
  }

  async list(): Promise<readonly LayerId[]> {
    const names = await readdir(this.#root);
    return names.flatMap((name) => (name === LINKS ? [] : (layerIn(name) ?? [])));
  }

  async data(layer: LayerId): Promise<Readonly<Record<string, string>>> {
    const known = this.#data.get(layer);
    if (known !== undefined) return known;
    const path = this.#path(layer);
    const lowers = resolveStack(this.#root, stackBelow(this.#root, layer));
    const data = {
      ...(lowers.length === 0 ? {} : { LowerDir: lowers.join(":") }),
      MergedDir: `${path}/merged`,
      UpperDir: `${path}/diff`,
      WorkDir: `${path}/work`,
    };
    if (await this.has(layer)) this.#data.set(layer, data);
    return data;
  }

  async status(): Promise<readonly (readonly [string, string])[]> {
    return [
      ...((await this.#form.status?.(this.#root)) ?? []),
      ["Backing Filesystem", await backingFileSystem(this.#root)],
      ["Supports d_type", "true"],
      ["Using metacopy", "false"],
      ["Native Overlay Diff", "true"],
      ["userxattr", "false"],
      limitStatus(await this.limitable()),
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#form.close(this.#root);
    await this.#removals[Symbol.asyncDispose]();
  }

  /** Its number is free again when the last of it is gone. */
  async #drop(path: string): Promise<void> {
    liftLayerLimit(path);
    await this.#removals.remove(path);
  }

  #path(layer: LayerId): string {
    return `${this.#root}/${directoryOf(layer)}`;
  }

  #showSelf(layer: LayerId): void {
    this.#form.show(this.#root, [`${directoryOf(layer)}/diff`]);
  }

  #showBelow(layer: LayerId): Stack {
    const stack = stackBelow(this.#root, layer);
    this.#form.show(this.#root, stack);
    return stack;
  }

  /** The layer's own root is what the merged tree's root looks like, so it takes after its parent's. */
  #makeDiff(path: string, parent: LayerId | undefined): void {
    if (parent !== undefined) this.#showSelf(parent);
    const like =
      parent === undefined ? undefined : lstatSync(`${this.#path(parent)}/diff`, { throwIfNoEntry: false });
    mkdirSync(`${path}/diff`, { mode: 0o755 });
    chownSync(`${path}/diff`, like?.uid ?? 0, like?.gid ?? 0);
    chmodSync(`${path}/diff`, (like?.mode ?? 0o755) & 0o7777);
  }

  #initLayer(parent: LayerId | undefined, image: Stack): Promise<string> {
    const known = this.#init.get(parent) ?? this.#makeInit(image);
    this.#init.set(parent, known);
    known.catch(() => this.#init.delete(parent));
    return known;
  }

  async #makeInit(image: Stack): Promise<string> {
    this.#form.show(this.#root, image);
    const layers = resolveStack(this.#root, image);
    const looks = new Map<string, DirectoryLook>();
    for (const path of INIT_DIRECTORIES) {
      const look = lookOf(await topmost(layers, path));
      if (look !== undefined) looks.set(path, look);
    }
    const key = Bun.hash(JSON.stringify([...looks])).toString(16);
    const short = `${INIT}/${key}`;
    if (!exists(`${this.#root}/${short}`)) await makeInitLayer(`${this.#root}/${short}`, looks);
    return short;
  }
}

async function topmost(layers: readonly string[], path: string): Promise<Stats | undefined> {
  for (const layer of layers) {
    const stats = await lstatOrNothing(`${layer}/${path}`);
    if (stats !== undefined) return stats;
  }
  return undefined;
}

function lookOf(stats: Stats | undefined): DirectoryLook | undefined {
  if (!stats?.isDirectory()) return undefined;
  return { mode: stats.mode & 0o7777, uid: stats.uid, gid: stats.gid };
}

function taken(thrown: unknown, layer: LayerId): unknown {
  const code = thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
  const isTaken = code === "EEXIST" || code === "ENOTEMPTY";
  return isTaken ? new Fault("conflict", `Cannot make layer ${layer}: it exists`, { cause: thrown }) : thrown;
}

function missing(verb: string, layer: LayerId): Fault {
  return new Fault("not_found", `Cannot ${verb} layer ${layer}: it is not in the graph`);
}

/** What was being filled when a process died, and links to what is gone. */
async function sweep(root: string, removals: Removals): Promise<void> {
  for (const name of await readdir(`${root}/${STAGING}`)) await removals.remove(`${root}/${STAGING}/${name}`);
  for (const name of await readdir(`${root}/${INIT}`))
    if (name.includes(".")) await removals.remove(`${root}/${INIT}/${name}`);
  for (const link of await readdir(`${root}/${LINKS}`))
    if (!exists(`${root}/${LINKS}/${link}/.`)) await unlink(`${root}/${LINKS}/${link}`);
}

export async function openLayers(root: string, form: LayerForm): Promise<GraphDriver> {
  for (const name of ["", LINKS, INIT, STAGING, EMPTY])
    await mkdir(`${root}/${name}`, { recursive: true, mode: ROOT_MODE });
  const removals = await Removals.open(`${root}/${REMOVED}`);
  const driver = new OverlayLayers(root, form, removals);
  await sweep(root, removals);
  return driver;
}
