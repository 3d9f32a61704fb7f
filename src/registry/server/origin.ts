import { createHash } from "node:crypto";
import { type FileHandle, mkdir, open, rm } from "node:fs/promises";
import { Fault, sentenceOf } from "#errors";
import { algorithmOf, type Descriptor, type Digest, isDigest, type Reference } from "#oci";
import type { RegistryClient } from "../types.ts";
import { blobResponse } from "./blob-routes.ts";
import { RegistryProblem, unknownBlob, unknownManifest } from "./problem.ts";
import type { RegistryStore } from "./store.ts";

const CHUNK_BYTES = 256 * 1024;

/** A blob on its way in; those who wait read the file behind its writer. */
interface Flight {
  /** Where it is while it comes, and where it is in the end. */
  readonly path: string;
  readonly published: string;
  done: Promise<void>;
  written: number;
  progress: PromiseWithResolvers<void>;
  isOver: boolean;
}

export interface OriginOptions {
  readonly store: RegistryStore;
  /** For one errand: tokens are kept no longer. */
  readonly client: () => RegistryClient;
  readonly domain: string;
  readonly folder: string;
  readonly complain: (sentence: string, cause: unknown) => void;
}

/** The registry that this one is a cache of. What was fetched once is served also while the origin is away. */
export class Origin {
  readonly #options: OriginOptions;
  readonly #flights = new Map<Digest, Flight>();

  constructor(options: OriginOptions) {
    this.#options = options;
  }

  /** Sees to it that the manifest is here as the origin has it now. Throws 404, and 503 when it cannot be had at all. */
  async refresh(name: string, text: string): Promise<void> {
    const { repositories, manifests } = this.#options.store;
    const known = isDigest(text) ? text : await repositories.tag(name, text);
    const isHere = known !== undefined && (await repositories.manifest(name, known)) !== undefined;
    if (isDigest(text) && isHere) return;
    const reference = this.#reference(name, text);
    const options = { signal: AbortSignal.timeout(60_000) };
    try {
      const client = this.#options.client();
      if (isHere && (await client.digest(reference, options)) === known) return;
      const { descriptor, bytes } = await client.document(reference, options);
      const { digest, mediaType } = descriptor;
      await manifests.keep(name, { digest, mediaType, bytes }, isDigest(text) ? undefined : text);
    } catch (thrown) {
      if (thrown instanceof Fault && thrown.kind === "not_found") throw unknownManifest(text);
      if (!isHere) throw unavailable(thrown);
      this.#options.complain(`the origin could not be asked for ${name}:${text}, the copy is served`, thrown);
    }
  }

  async tags(name: string): Promise<readonly string[]> {
    try {
      const tags = await this.#options
        .client()
        .tags(this.#reference(name, "latest"), { signal: AbortSignal.timeout(60_000) });
      return tags.toSorted();
    } catch (thrown) {
      if (await this.#options.store.repositories.exists(name))
        return this.#options.store.repositories.tags(name);
      throw unavailable(thrown);
    }
  }

  /** The blob while it arrives; whoever else wants it meanwhile reads along. */
  async blob(request: Request, name: string, digest: Digest): Promise<Response> {
    const { blobs, manifests } = this.#options.store;
    const part = await manifests.part(name, digest);
    if (part === undefined) throw unknownBlob(digest);
    const size = await blobs.size(digest);
    if (size !== undefined) {
      await this.#options.store.repositories.addBlob(name, digest);
      return blobResponse(request, { path: blobs.path(digest), digest, size });
    }
    const isHead = request.method === "HEAD";
    if (isHead) return blobResponse(request, { path: "", digest, size: part.size });
    const flight = this.#flights.get(digest) ?? this.#fetch(name, part);
    if (request.headers.has("range")) {
      await flight.done.catch((thrown: unknown) => {
        throw unavailable(thrown);
      });
      return blobResponse(request, { path: blobs.path(digest), digest, size: part.size });
    }
    return new Response(follow(flight, part.size), {
      headers: {
        "Content-Type": "application/octet-stream",
        "Content-Length": String(part.size),
        "Docker-Content-Digest": digest,
      },
    });
  }

  /** Begins at once: whoever asks next finds it under way. */
  #fetch(name: string, part: Descriptor): Flight {
    const flight: Flight = {
      path: `${this.#options.folder}/${part.digest.replace(":", "-")}.${crypto.randomUUID()}`,
      published: this.#options.store.blobs.path(part.digest),
      done: Promise.resolve(),
      written: 0,
      progress: Promise.withResolvers<void>(),
      isOver: false,
    };
    this.#flights.set(part.digest, flight);
    flight.done = this.#carry(name, part, flight).finally(() => {
      flight.isOver = true;
      this.#flights.delete(part.digest);
      flight.progress.resolve();
    });
    flight.done.catch((thrown: unknown) =>
      this.#options.complain(`${part.digest} of ${name} could not be fetched: ${sentenceOf(thrown)}`, thrown),
    );
    return flight;
  }

  async #carry(name: string, part: Descriptor, flight: Flight): Promise<void> {
    await using undo = new AsyncDisposableStack();
    undo.defer(() => rm(flight.path, { force: true }));
    await mkdir(this.#options.folder, { recursive: true, mode: 0o700 });
    const hash = createHash(algorithmOf(part.digest));
    {
      await using held = await open(flight.path, "wx", 0o600);
      const source = this.#options.client().stream(this.#reference(name, part.digest), part, {
        offset: 0,
        signal: AbortSignal.timeout(3600_000),
      });
      for await (const chunk of source) {
        await held.writeFile(chunk);
        hash.update(chunk);
        flight.written += chunk.length;
        const { progress } = flight;
        flight.progress = Promise.withResolvers<void>();
        progress.resolve();
      }
      await held.sync();
    }
    const actual = `${algorithmOf(part.digest)}:${hash.digest("hex")}`;
    if (actual !== part.digest)
      throw new Fault("invalid", `Cannot keep ${part.digest}: the origin sent ${actual}`);
    const { blobs, repositories } = this.#options.store;
    await blobs.publish(flight.path, part.digest);
    await repositories.addBlob(name, part.digest);
  }

  #reference(name: string, text: string): Reference {
    const path = this.#options.domain === "docker.io" && !name.includes("/") ? `library/${name}` : name;
    return { domain: this.#options.domain, path, ...(isDigest(text) ? { digest: text } : { tag: text }) };
  }
}

/** The file from its beginning to where its writer is, until it is whole. An origin that fails cuts the answer off. */
async function* follow(flight: Flight, size: number): AsyncGenerator<Uint8Array> {
  while (flight.written === 0 && !flight.isOver) await flight.progress.promise;
  await using file = await opened(flight);
  let position = 0;
  while (position < size) {
    if (position < flight.written) {
      const want = Math.min(CHUNK_BYTES, flight.written - position);
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(want), 0, want, position);
      if (bytesRead === 0) throw new Fault("internal", `Cannot read ${flight.path}: it has become shorter`);
      position += bytesRead;
      yield buffer.subarray(0, bytesRead);
    } else if (!flight.isOver) await flight.progress.promise;
    else {
      await flight.done;
      throw new Fault("invalid", `Cannot serve ${flight.published}: it is shorter than its manifest says`);
    }
  }
  // The last bytes count only when all of them were right.
  await flight.done;
}

/** It may have come to its end before anybody began to read. */
async function opened(flight: Flight): Promise<FileHandle> {
  return open(flight.path, "r").catch(async () => {
    await flight.done;
    return open(flight.published, "r");
  });
}

function unavailable(thrown: unknown): RegistryProblem {
  return new RegistryProblem(
    503,
    "UNAVAILABLE",
    `the registry this one is a cache of: ${sentenceOf(thrown)}`,
  );
}
