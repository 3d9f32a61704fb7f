import { nowNanoseconds, timestamp } from "#container";
import { Fault } from "#errors";
import type { Graph, Image, LayerId, MadeLayer } from "#graph";
import { type Digest, isTag, type Platform, parseNamed, type Reference, withDefaultTag } from "#oci";
import type { Settings } from "./changes.ts";

/** The digest of an archive of nothing: two blocks of zeros. Images have no layer for it. */
const EMPTY_ARCHIVE = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";

export interface Composition {
  readonly parent?: Image;
  readonly made: MadeLayer;
  readonly platform: Platform;
  readonly settings: Settings;
  readonly createdBy: string;
  readonly author: string;
  readonly comment: string;
  readonly tag?: Reference;
}

/** Registers an image of one more layer. The layers that it holds need no release any more; nor does an empty one. */
export async function registerImage(
  graph: {
    readonly images: Pick<Graph["images"], "register">;
    readonly layers: Pick<Graph["layers"], "release">;
  },
  composition: Composition,
): Promise<Image> {
  const { parent, made, tag } = composition;
  const isEmpty = made.diffId === EMPTY_ARCHIVE;
  const top: LayerId | undefined = isEmpty ? parent?.top : made.id;
  const config = new TextEncoder().encode(JSON.stringify(configOf(composition, isEmpty)));
  const image = graph.images.register({
    config,
    ...(top !== undefined && { top }),
    ...(tag !== undefined && { tag }),
    ...(parent !== undefined && { parent: parent.id }),
  });
  if (isEmpty) await graph.layers.release([made.id]);
  return image;
}

function configOf(composition: Composition, isEmpty: boolean) {
  const { parent, made, platform, settings, createdBy, author, comment } = composition;
  const created = timestamp(nowNanoseconds());
  const below: readonly Digest[] = parent?.config.rootfs.diff_ids ?? [];
  const step = {
    created,
    ...(createdBy !== "" && { created_by: createdBy }),
    ...(author !== "" && { author }),
    ...(comment !== "" && { comment }),
    ...(isEmpty && { empty_layer: true }),
  };
  return {
    ...platform,
    created,
    ...(author !== "" && { author }),
    ...(comment !== "" && { comment }),
    config: settings,
    rootfs: { type: "layers", diff_ids: isEmpty ? below : [...below, made.diffId] },
    history: [...(parent?.config.history ?? []), step],
  };
}

/** The name that repository and tag make; undefined when there is no repository. Throws `invalid` in Docker's words. */
export function nameFor(repository: string, tag: string): Reference | undefined {
  if (repository === "") return undefined;
  const named = parseNamed(repository);
  if (named.digest !== undefined)
    throw new Fault("invalid", "refusing to create a tag with a digest reference");
  if (tag !== "" && !isTag(tag)) throw new Fault("invalid", "invalid tag format");
  return withDefaultTag(tag === "" ? named : { ...named, tag });
}
