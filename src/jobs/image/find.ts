import { Fault } from "#errors";
import type { Image, Images } from "#graph";
import { familiarReference, parseReference } from "#oci";

/** The image meant by a name, an id or the beginning of one. Throws `not_found` in Docker's words. */
export function findImage(images: Pick<Images, "find">, ref: string): Image {
  const image = images.find(ref);
  if (image !== undefined) return image;
  throw new Fault("not_found", `No such image: ${displayed(ref)}`);
}

function displayed(ref: string): string {
  try {
    return familiarReference(parseReference(ref));
  } catch {
    return ref;
  }
}
