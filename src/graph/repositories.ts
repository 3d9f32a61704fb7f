import type { GraphDB } from "#graphdb";
import { type Digest, formatReference, parseReference, type Reference, repository } from "#oci";

const KIND = "image-tag";

/** What people call images: `repository` and tag or digest, each an edge to one image. */
export class Repositories {
  readonly #database: GraphDB;

  constructor(database: GraphDB) {
    this.#database = database;
  }

  /** By digest when the reference has one, for that is what cannot move. */
  find(reference: Reference): Digest | undefined {
    return this.#database.edges.child(KIND, repository(reference), nameOf(reference)) as Digest | undefined;
  }

  /** Points the name at the image, whatever it pointed at before. */
  set(reference: Reference, image: Digest): void {
    this.#database.edges.move(KIND, { parent: repository(reference), name: nameOf(reference), child: image });
  }

  /** False when there was no such name. */
  remove(reference: Reference): boolean {
    return this.#database.edges.unlink(KIND, repository(reference), nameOf(reference));
  }

  /** All names of an image: tags and digests. */
  of(image: Digest): readonly Reference[] {
    return this.#database.edges.to(KIND, image).map(({ parent, name }) => toReference(parent, name));
  }

  /** Names of all images. */
  all(): ReadonlyMap<Digest, readonly Reference[]> {
    const names = new Map<Digest, Reference[]>();
    for (const { parent, name, child } of this.#database.edges.all(KIND)) {
      const known = names.get(child as Digest) ?? [];
      known.push(toReference(parent, name));
      names.set(child as Digest, known);
    }
    return names;
  }
}

/** Only a digest has a colon. */
function nameOf({ tag, digest }: Reference): string {
  return digest ?? tag ?? "latest";
}

function toReference(parent: string, name: string): Reference {
  return parseReference(name.includes(":") ? `${parent}@${name}` : `${parent}:${name}`);
}

export function isSame(a: Reference, b: Reference): boolean {
  return formatReference(a) === formatReference(b);
}
