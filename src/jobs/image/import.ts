import { z } from "zod";
import { defineJob, type EventBus } from "#engine";
import { Fault, sentenceOf } from "#errors";
import type { Graph } from "#graph";
import { familiarReference, hostPlatform, parsePlatform } from "#oci";
import { announceImage } from "./announce.ts";
import { applyChanges } from "./changes.ts";
import { nameFor, registerImage } from "./compose.ts";

interface Needs {
  readonly graph: {
    readonly images: Pick<Graph["images"], "register">;
    readonly layers: Pick<Graph["layers"], "make" | "release">;
  };
  readonly events: Pick<EventBus, "publish">;
}

/** The source that stands for the request's own body. */
const BODY = "-";

/** Makes an image of one layer out of an archive, which is its input or at an address. */
export const importImage = (needs: Needs) =>
  defineJob({
    name: "image.import",
    input: z.object({
      source: z.string().min(1),
      repository: z.string(),
      tag: z.string(),
      message: z.string(),
      platform: z.string(),
      changes: z.array(z.string()),
    }),

    async run({ source, repository, tag, message, platform: wanted, changes }, context) {
      const platform = wanted === "" ? hostPlatform() : parsePlatform(wanted);
      if (platform === undefined) throw new Fault("invalid", `invalid platform: ${wanted.slice(0, 100)}`);
      const reference = nameFor(repository, tag);
      const settings = applyChanges({}, changes);
      const { layers } = needs.graph;
      context.phase("reading the archive");
      const archive = await opened(source, context);
      const made = await layers.make(archive, { signal: context.signal });
      await using undo = new AsyncDisposableStack();
      undo.defer(() => layers.release(made.held));
      const image = await registerImage(needs.graph, {
        made,
        platform,
        settings,
        createdBy: "",
        author: "",
        comment: message || `Imported from ${source}`,
        ...(reference !== undefined && { tag: reference }),
      });
      undo.move();
      const name = reference === undefined ? image.id : familiarReference(reference);
      announceImage(needs.events, "import", { id: image.id, name, config: image.config });
      context.report({ kind: "status", status: image.id });
      return { id: image.id };
    },
  });

async function opened(
  source: string,
  { streams, signal }: Parameters<ReturnType<typeof importImage>["run"]>[1],
): Promise<AsyncIterable<Uint8Array>> {
  if (source === BODY) {
    if (streams.input === undefined)
      throw new Fault("invalid", "Cannot import an image: the request has no body");
    return streams.input;
  }
  const address = source.includes("://") ? source : `http://${source}`;
  if (!/^https?:\/\//.test(address))
    throw new Fault("invalid", `Cannot import ${source.slice(0, 200)}: it is neither http nor https`);
  try {
    const reply = await fetch(address, { signal });
    if (!reply.ok || reply.body === null) throw new Error(`the server answered with ${reply.status}`);
    return reply.body;
  } catch (cause) {
    signal.throwIfAborted();
    throw new Fault("unavailable", `Cannot import ${source.slice(0, 200)}: ${sentenceOf(cause)}`, { cause });
  }
}
