import { z } from "zod";
import { insidePath, type Looked, lookInside, packInside, packWhole, unpackInside } from "#archive";
import { type Container, timestamp } from "#container";
import { defineJob } from "#engine";
import { Fault } from "#errors";
import { announcer } from "./announce.ts";
import { begun, releasing, type ViewNeeds, viewContainer } from "./archive-view.ts";
import type { PathLook } from "./types.ts";

const Place = { ref: z.string().min(1), path: z.string() };

/** What is at a path of a container, running or not. */
export const statArchive = (needs: ViewNeeds) =>
  defineJob({
    name: "container.archive-stat",
    input: z.object(Place),

    run: ({ ref, path }, { signal }) =>
      twice(async () => {
        await using viewed = await viewContainer(needs, { ref, hasMounts: true, signal });
        const looking = lookInside(viewed.view, checked(path), signal);
        return toLook(await looking.catch(naming(path, viewed.container)));
      }),
  });

/** A file or folder of a container as a tar archive. */
export const getArchive = (needs: ViewNeeds) =>
  defineJob({
    name: "container.archive-get",
    input: z.object(Place),

    run: ({ ref, path }, { signal }) =>
      twice(async () => {
        await using undo = new AsyncDisposableStack();
        const { container, view } = undo.use(await viewContainer(needs, { ref, hasMounts: true, signal }));
        const packing = packInside(view, checked(path), signal);
        const packed = undo.use(await packing.catch(naming(path, container)));
        announcer(needs.events)(container, "archive-path");
        const bytes = releasing(packed.bytes, { owned: undo.move(), signal });
        return { stat: toLook(packed.looked), bytes };
      }),
  });

/** Unpacks a tar archive, compressed or not, into a folder of a container. */
export const putArchive = (needs: ViewNeeds) =>
  defineJob({
    name: "container.archive-put",
    input: z.object({ ...Place, keepsKinds: z.boolean(), copiesOwner: z.boolean() }),

    async run({ ref, path, keepsKinds, copiesOwner }, { signal, streams }) {
      if (streams.input === undefined)
        throw new Fault("invalid", "Cannot unpack the archive: the request has no body");
      await using viewed = await viewContainer(needs, { ref, hasMounts: true, signal });
      const { container, view } = viewed;
      const inside = checked(path);
      demandWritable(container, inside);
      const { user } = container.effective;
      const unpacking = unpackInside(view, {
        path: inside,
        options: { keepsKinds, ...(copiesOwner && { user }) },
        source: streams.input,
        signal,
      });
      await unpacking.catch(naming(path, container));
      announcer(needs.events)(container, "extract-to-dir");
      return {};
    },
  });

/** A container's whole root, without what is mounted in it, as a tar archive. */
export const exportContainer = (needs: ViewNeeds) =>
  defineJob({
    name: "container.export",
    input: z.object({ ref: z.string().min(1) }),

    run: ({ ref }, { signal }) =>
      twice(async () => {
        await using undo = new AsyncDisposableStack();
        const { container, view } = undo.use(await viewContainer(needs, { ref, hasMounts: false, signal }));
        // Nothing is answered before it is known that there is something to be sent.
        const bytes = await begun(packWhole(view, signal));
        announcer(needs.events)(container, "export");
        return releasing(bytes, { owned: undo.move(), signal });
      }),
  });

/** A container that ends just as its file systems are taken hold of is looked at again, at rest. */
function twice<T>(look: () => Promise<T>): Promise<T> {
  return look().catch((thrown) => {
    if (thrown instanceof Fault && thrown.kind === "conflict") return look();
    throw thrown;
  });
}

function checked(path: string): string {
  if (path === "") throw new Fault("invalid", "bad parameter: path cannot be empty");
  if (path.includes("\0")) throw new Fault("invalid", "bad parameter: path must not contain a NUL character");
  return insidePath(path);
}

/** Names the file and the container where nothing was found, in Docker's words. */
function naming(path: string, { name, id }: Container): (thrown: unknown) => never {
  return (thrown) => {
    const isMissing = thrown instanceof Fault && thrown.kind === "not_found";
    if (!isMissing) throw thrown;
    throw new Fault("not_found", `Could not find the file ${path} in container ${name || id}`, {
      cause: thrown,
    });
  };
}

/** These are writable under a read-only root. */
const OWN = ["/dev"];

/** In Docker's words, by the names alone: what links lead to, the kernel refuses. */
function demandWritable(container: Container, path: string): void {
  const isIn = (folder: string) => path === folder || path.startsWith(`${folder.replace(/\/$/, "")}/`);
  const [mount] = container.mounts
    .filter(({ destination }) => isIn(destination))
    .sort((a, b) => b.destination.length - a.destination.length);
  if (mount !== undefined && !mount.isWritable)
    throw new Fault("denied", "mounted volume is marked read-only");
  if (mount === undefined && container.spec.host.readonlyRootfs && !OWN.some(isIn))
    throw new Fault("denied", "container rootfs is marked read-only");
}

function toLook({ name, size, mode, modified, target }: Looked): PathLook {
  const nanoseconds = BigInt(modified);
  return { name, size, mode, modified: timestamp(nanoseconds < 0n ? 0n : nanoseconds), target };
}
