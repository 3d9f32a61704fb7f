import { Fault } from "#errors";
import { type Digest, familiarReference, parseReference, type Reference, repository } from "#oci";
import { isSame } from "./repositories.ts";
import type { ImageStore, RemoveOptions } from "./store.ts";
import type { Image, RemovedImage } from "./types.ts";

/** The rules of `docker rmi`. Source: moby, daemon/images/image_delete.go. */

interface Removal {
  readonly store: ImageStore;
  readonly options: RemoveOptions;
  readonly untagged: string[];
  readonly deleted: Digest[];
}

interface Conflict {
  /** A hard one is not to be forced. */
  readonly isHard: boolean;
  readonly isUse: boolean;
  readonly reason: string;
}

/** To be called within a transaction. Throws `not_found` and `conflict` in Docker's words. */
export function removeImage(store: ImageStore, text: string, options: RemoveOptions): RemovedImage {
  const image = store.find(text);
  if (image === undefined) throw new Fault("not_found", `No such image: ${text}`);
  const removal: Removal = { store, options, untagged: [], deleted: [] };
  if (isIdPrefix(image.id, text)) removeById(removal, image);
  else removeByName(removal, image, text);
  return { untagged: removal.untagged, deleted: removal.deleted };
}

function removeById(removal: Removal, image: Image): void {
  const names = namesOf(removal, image.id);
  if (isSingle(names)) {
    refuse(image.id, conflictOf(removal, image.id, { ignoresNames: true }), removal.options.force);
    for (const name of names) untag(removal, name);
  }
  deleteImage(removal, image.id, { isQuiet: false, force: removal.options.force });
}

function removeByName(removal: Removal, image: Image, text: string): void {
  const names = namesOf(removal, image.id);
  const { force, usedBy } = removal.options;
  const user = usedBy(image.id)[0];
  if (!force && isSingle(names) && user !== undefined)
    throw new Fault(
      "conflict",
      `conflict: unable to remove repository reference "${text}" (must force) - container ${short(user.id)} is using its referenced image ${short(image.id)}`,
    );
  const reference = parseReference(text);
  untag(removal, reference);
  if (reference.digest === undefined) untagOrphanedDigests(removal, reference, names);
  if (namesOf(removal, image.id).length > 0) return;
  deleteImage(removal, image.id, { isQuiet: true, force });
}

/** When a repository's last tag of an image goes, so do the digests by which it was pulled from there. */
function untagOrphanedDigests(removal: Removal, gone: Reference, names: readonly Reference[]): void {
  const rest = names.filter((name) => repository(name) === repository(gone) && !isSame(name, gone));
  if (rest.some(({ digest }) => digest === undefined)) return;
  for (const name of rest) untag(removal, name);
}

function deleteImage(
  removal: Removal,
  id: Digest,
  { isQuiet, force }: { readonly isQuiet: boolean; readonly force: boolean },
): void {
  const conflict = conflictOf(removal, id, { ignoresNames: false });
  const isDangling = namesOf(removal, id).length === 0;
  const isKeptForUse = conflict?.isUse === true && !conflict.isHard && force;
  if (conflict !== undefined && isQuiet && (!isDangling || conflict.isUse)) return;
  refuse(id, conflict, force);
  for (const name of namesOf(removal, id)) untag(removal, name);
  if (isKeptForUse) return;
  const parent = removal.store.parentOf(id);
  removal.store.drop(id);
  removal.deleted.push(id);
  if (removal.options.prune && parent !== undefined && removal.store.get(parent) !== undefined)
    deleteParent(removal, parent);
}

/** A parent goes along when nobody named it and nothing else needs it. */
function deleteParent(removal: Removal, parent: Digest): void {
  if (conflictOf(removal, parent, { ignoresNames: false }) !== undefined) return;
  if (namesOf(removal, parent).length === 0) deleteImage(removal, parent, { isQuiet: true, force: false });
}

function conflictOf(
  { store, options }: Removal,
  id: Digest,
  { ignoresNames }: { readonly ignoresNames: boolean },
): Conflict | undefined {
  if (store.childrenOf(id).length > 0)
    return { isHard: true, isUse: false, reason: "image has dependent child images" };
  const users = options.usedBy(id);
  const running = users.find((user) => user.isRunning);
  if (running !== undefined)
    return {
      isHard: true,
      isUse: true,
      reason: `image is being used by running container ${short(running.id)}`,
    };
  if (!ignoresNames && store.repositories.of(id).length > 0)
    return { isHard: false, isUse: false, reason: "image is referenced in multiple repositories" };
  const stopped = users[0];
  if (stopped === undefined) return undefined;
  return {
    isHard: false,
    isUse: true,
    reason: `image is being used by stopped container ${short(stopped.id)}`,
  };
}

function refuse(id: Digest, conflict: Conflict | undefined, force: boolean): void {
  if (conflict === undefined || (force && !conflict.isHard)) return;
  const remedy = conflict.isHard ? "cannot be forced" : "must be forced";
  throw new Fault("conflict", `conflict: unable to delete ${short(id)} (${remedy}) - ${conflict.reason}`);
}

function untag({ store, untagged }: Removal, name: Reference): void {
  if (store.repositories.remove(name)) untagged.push(familiarReference(name));
}

function namesOf({ store }: Removal, id: Digest): readonly Reference[] {
  return store.repositories.of(id);
}

/** At most one tag, and all names within one repository. */
function isSingle(names: readonly Reference[]): boolean {
  if (names.length <= 1) return true;
  const tags = names.filter(({ digest }) => digest === undefined);
  return tags.length <= 1 && new Set(names.map(repository)).size === 1;
}

function isIdPrefix(id: Digest, text: string): boolean {
  return id.startsWith(text) || id.startsWith(`sha256:${text}`);
}

function short(id: string): string {
  return id.replace(/^sha256:/, "").slice(0, 12);
}
