import type { ByteString } from "../entry.ts";
import { baseOf, parentOf, refused } from "../names.ts";
import { FILE_TYPE, type FileType } from "./layout.ts";

/** Source: path_resolution(7), the kernel's own limit. */
const MOST_LINKS = 40;
/** As deep as a path's 4095 bytes can lead. By links an archive could go on for ever. */
const DEEPEST = 2048;

/** What an archive says of a directory; its attributes as they came, for a later entry may add some. */
export interface Look {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly modified: { readonly seconds: number; readonly nanoseconds: number };
}

export class Directory {
  readonly type = FILE_TYPE.directory;
  readonly children = new Map<ByteString, Node>();
  /** The root is its own. */
  readonly parent: Directory;
  readonly name: ByteString;
  readonly depth: number;
  look: Look;
  attributes: Map<ByteString, Uint8Array> | undefined;
  /** Of its inode, once that has a place. */
  offset = 0;

  constructor(look: Look, place?: { readonly parent: Directory; readonly name: ByteString }) {
    this.look = look;
    this.parent = place?.parent ?? this;
    this.name = place?.name ?? "";
    this.depth = place === undefined ? 0 : place.parent.depth + 1;
    if (this.depth > DEEPEST)
      throw refused(this.name, `it would be a directory below more than ${DEEPEST} others`);
  }

  get path(): ByteString {
    if (this.parent === this) return "";
    return this.parent.parent === this.parent ? this.name : `${this.parent.path}/${this.name}`;
  }
}

/** Anything else: its inode is written, and only the number of its names may still change. */
export class Leaf {
  readonly type: Exclude<FileType, 2>;
  readonly offset: number;
  /** Of a symbolic link. */
  readonly target: ByteString | undefined;
  links = 1;

  constructor(type: Leaf["type"], offset: number, target?: ByteString) {
    this.type = type;
    this.offset = offset;
    this.target = target;
  }
}

export type Node = Directory | Leaf;

/** The names of an image, found as the kernel finds them in a root that no link leads out of. */
export class Tree {
  readonly root: Directory;
  readonly #implied: Look;
  /** Most entries are in the same directory as the one before. */
  #last: { readonly path: ByteString; readonly found: Directory } | undefined;

  constructor(implied: Look) {
    this.#implied = implied;
    this.root = new Directory(implied);
  }

  /** What is at a path itself: a link at its end is not followed. */
  look(path: ByteString): Node | undefined {
    if (path === "") return this.root;
    return this.#walk(parentOf(path), { asked: path, makes: false })?.children.get(baseOf(path));
  }

  /** The directory that a path's last part is in; those that the archive did not mention are made. */
  parent(path: ByteString): Directory {
    const parent = parentOf(path);
    if (this.#last?.path !== parent) {
      const found = this.#walk(parent, { asked: path, makes: true });
      if (found === undefined) throw refused(path, "what leads to it is no directory of this archive");
      this.#last = { path: parent, found };
    }
    return this.#last.found;
  }

  /** Puts a leaf in the place of whatever is there. */
  put(path: ByteString, leaf: Leaf): void {
    const { children } = this.parent(path);
    this.#forget(children.get(baseOf(path)));
    children.set(baseOf(path), leaf);
  }

  /** Takes away what is there, with all below. */
  remove(path: ByteString): void {
    const { children } = this.parent(path);
    this.#forget(children.get(baseOf(path)));
    children.delete(baseOf(path));
  }

  /** Puts an empty directory where nothing is, or in the place of what is none. */
  makeDirectory(path: ByteString, look = this.#implied): Directory {
    const parent = this.parent(path);
    const name = baseOf(path);
    this.#forget(parent.children.get(name));
    const made = new Directory(look, { parent, name });
    parent.children.set(name, made);
    return made;
  }

  #forget(node: Node | undefined): void {
    if (node?.type === FILE_TYPE.directory || node?.type === FILE_TYPE.symlink) this.#last = undefined;
    if (node instanceof Leaf) node.links--;
    else for (const child of node?.children.values() ?? []) this.#forget(child);
  }

  /** Undefined when something on the way is missing, or no directory, and is not to be made. */
  #walk(
    path: ByteString,
    { asked, makes }: { readonly asked: ByteString; readonly makes: boolean },
  ): Directory | undefined {
    const ahead = path === "" ? [] : path.split("/").reverse();
    // Of the parts that a link brought none is made.
    let own = ahead.length;
    let at = this.root;
    for (let links = 0; ahead.length > 0; ) {
      const isOwn = ahead.length <= own;
      const name = ahead.pop() ?? "";
      own = Math.min(own, ahead.length);
      if (name === "" || name === ".") continue;
      const next = name === ".." ? at.parent : at.children.get(name);
      if (next instanceof Directory) at = next;
      else if (next?.target !== undefined && links++ < MOST_LINKS) {
        if (next.target.startsWith("/")) at = this.root;
        ahead.push(...next.target.split("/").reverse());
      } else if (next === undefined && makes && isOwn) at = this.#imply(at, name);
      else if (makes) throw refused(asked, "a link among its parents leads nowhere, or to no directory");
      else return undefined;
    }
    return at;
  }

  #imply(parent: Directory, name: ByteString): Directory {
    const made = new Directory(this.#implied, { parent, name });
    parent.children.set(name, made);
    return made;
  }
}
