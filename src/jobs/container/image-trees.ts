import type { MountPoint } from "#container";
import { Fault } from "#errors";
import type { Graph } from "#graph";
import type { Digest, MountSpec } from "#oci";

interface Needs {
  readonly driver: Pick<Graph["driver"], "view">;
  readonly images: Pick<Graph["images"], "get">;
}

/** How the images among the mounts are to be mounted, by image. Throws `not_found`, and `invalid` for one without content. */
export async function imageTrees(
  { driver, images }: Needs,
  mounts: readonly MountPoint[],
): Promise<ReadonlyMap<string, MountSpec>> {
  const trees = new Map<string, MountSpec>();
  for (const { image } of mounts) {
    if (image === undefined || trees.has(image.id)) continue;
    const found = images.get(image.id as Digest);
    if (found === undefined) throw new Fault("not_found", `No such image: ${image.reference}`);
    if (found.top === undefined)
      throw new Fault("invalid", `Cannot mount the image ${image.reference}: it has no layers`);
    trees.set(image.id, await driver.view(found.top));
  }
  return trees;
}
