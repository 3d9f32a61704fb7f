import { type Digest, isRepositoryPath } from "#oci";
import { type AppOptions, type Call, digestIn, type Routes } from "./call.ts";
import { RegistryProblem, unknownBlob } from "./problem.ts";
import { rangeOf } from "./uploads.ts";

const OCTETS = "application/octet-stream";

/** Blobs and uploads. Source: OCI distribution specification 1.1, "Pull", "Push", "Content Management". */
export function blobRoutes(options: AppOptions): Routes {
  const { uploads } = options.store;
  const accepted = (name: string, id: string, size: number, status = 202) =>
    new Response(null, {
      status,
      headers: {
        Location: `/v2/${name}/blobs/uploads/${id}`,
        Range: rangeOf(size),
        "Docker-Upload-UUID": id,
      },
    });
  return {
    blobs: {
      GET: (call) => getBlob(options, call),
      DELETE: (call) => deleteBlob(options, call),
    },
    "blobs/uploads": {
      POST: (call) => startUpload(options, call, accepted),
      PATCH: async ({ request, name, last }) => {
        const size = await uploads.append(name, last, appended(request));
        return accepted(name, last, size);
      },
      PUT: async ({ request, url, name, last }) => {
        const digest = digestIn(url.searchParams.get("digest"));
        await uploads.append(name, last, appended(request));
        await uploads.finish(name, last, digest);
        return created(options, name, digest);
      },
      GET: async ({ name, last }) => accepted(name, last, await uploads.size(name, last), 204),
      DELETE: async ({ name, last }) => {
        await uploads.cancel(name, last);
        return new Response(null, { status: 204 });
      },
    },
  };
}

async function getBlob(options: AppOptions, { request, name, last }: Call): Promise<Response> {
  const { blobs, repositories } = options.store;
  const digest = digestIn(last);
  const isHead = request.method === "HEAD";
  const isOurs = await repositories.hasBlob(name, digest);
  const size = isOurs ? await (isHead ? blobs.claim(digest) : blobs.size(digest)) : undefined;
  if (size !== undefined) return blobResponse(request, { path: blobs.path(digest), digest, size });
  if (options.origin !== undefined) return options.origin.blob(request, name, digest);
  // Whoever asks before it pushes need not push what an engine of this host has already.
  const adopted = isHead && options.isLocal(request) ? await blobs.adopt(digest) : undefined;
  if (adopted === undefined) throw unknownBlob(digest);
  await repositories.addBlob(name, digest);
  return blobResponse(request, { path: blobs.path(digest), digest, size: adopted });
}

/** The whole of a blob, or the range that is asked for. Source: RFC 9110, section 14. */
export function blobResponse(
  request: Request,
  { path, digest, size }: { readonly path: string; readonly digest: Digest; readonly size: number },
): Response {
  const headers = {
    "Content-Type": OCTETS,
    "Docker-Content-Digest": digest,
    ETag: `"${digest}"`,
    "Accept-Ranges": "bytes",
    "Cache-Control": "max-age=31536000",
  };
  if (request.method === "HEAD")
    return new Response(null, { headers: { ...headers, "Content-Length": String(size) } });
  const file = Bun.file(path, { type: OCTETS });
  const range = rangeIn(request.headers.get("range"), size);
  if (range === undefined) return new Response(file, { headers });
  const [start, end] = range;
  if (start >= size)
    throw new RegistryProblem(416, "RANGE_INVALID", `the blob has ${size} bytes`, {
      "Content-Range": `bytes */${size}`,
    });
  return new Response(file.slice(start, end + 1, OCTETS), {
    status: 206,
    headers: { ...headers, "Content-Range": `bytes ${start}-${end}/${size}` },
  });
}

/** First and last byte; undefined for the whole, as for several ranges, which need not be heeded. */
function rangeIn(header: string | null, size: number): readonly [number, number] | undefined {
  const [, from = "", to = ""] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? "") ?? [];
  if (from === "" && to === "") return undefined;
  if (from === "") return [Math.max(0, size - Number(to)), size - 1];
  return [Number(from), to === "" ? size - 1 : Math.min(Number(to), size - 1)];
}

async function deleteBlob({ store }: AppOptions, { name, last }: Call): Promise<Response> {
  const digest = digestIn(last);
  if (!(await store.repositories.removeBlob(name, digest))) throw unknownBlob(digest);
  return new Response(null, { status: 202 });
}

async function startUpload(
  options: AppOptions,
  { request, url, name }: Call,
  accepted: (name: string, id: string, size: number) => Response,
): Promise<Response> {
  const { uploads } = options.store;
  const algorithm = url.searchParams.get("digest-algorithm");
  if (algorithm !== null && algorithm !== "sha256" && algorithm !== "sha512")
    throw new RegistryProblem(400, "UNSUPPORTED", `digests of ${algorithm.slice(0, 40)} are not known here`);
  const mounted = url.searchParams.get("mount");
  if (mounted !== null && (await mount(options, name, { mounted, from: url.searchParams.get("from") })))
    return created(options, name, digestIn(mounted));
  const id = await uploads.start(name);
  const digest = url.searchParams.get("digest");
  if (digest === null) return accepted(name, id, 0);
  await uploads.append(name, id, { ...appended(request), start: undefined });
  await uploads.finish(name, id, digestIn(digest));
  return created(options, name, digestIn(digest));
}

/** Whether the blob could be had from the other repository, so that it need not be sent. */
async function mount(
  { store: { blobs, repositories } }: AppOptions,
  name: string,
  { mounted, from }: { readonly mounted: string; readonly from: string | null },
): Promise<boolean> {
  const digest = digestIn(mounted);
  // A name that is none would be a path to anywhere.
  if (from === null || !isRepositoryPath(from) || !(await repositories.hasBlob(from, digest))) return false;
  if ((await blobs.claim(digest)) === undefined) return false;
  await repositories.addBlob(name, digest);
  return true;
}

async function created({ store }: AppOptions, name: string, digest: Digest): Promise<Response> {
  await store.repositories.addBlob(name, digest);
  return new Response(null, {
    status: 201,
    headers: { Location: `/v2/${name}/blobs/${digest}`, "Docker-Content-Digest": digest },
  });
}

function appended(request: Request) {
  const length = Number(request.headers.get("content-length") ?? 0);
  return { body: request.body, start: startOf(request), length: Number.isSafeInteger(length) ? length : 0 };
}

/** Where a chunk begins, when its sender says so. Source: OCI distribution specification 1.1, "Pushing a blob in chunks". */
function startOf(request: Request): number | undefined {
  const header = request.headers.get("content-range");
  if (header === null) return undefined;
  const [, start, end] = /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/.*)?$/.exec(header) ?? [];
  if (start !== undefined && Number(start) <= Number(end)) return Number(start);
  throw new RegistryProblem(416, "RANGE_INVALID", `"${header.slice(0, 100)}" is no range of bytes`);
}
