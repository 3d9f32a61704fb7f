import { type Digest, isDigest, isTag, MEDIA } from "#oci";
import { type AppOptions, type Call, digestIn, page, type Routes, requireReference } from "./call.ts";
import { MANIFEST_LIMIT } from "./manifests.ts";
import { RegistryProblem, unknownManifest, unknownName } from "./problem.ts";

/** Source: OCI distribution specification 1.1, "Pushing a manifest with tags": at least ten. */
const MOST_TAGS = 100;

/** Manifests, tags and referrers. Source: OCI distribution specification 1.1. */
export function manifestRoutes(options: AppOptions): Routes {
  return {
    manifests: {
      GET: (call) => getManifest(options, call),
      PUT: (call) => putManifest(options, call),
      DELETE: (call) => deleteManifest(options, call),
    },
    tags: { GET: (call) => listTags(options, call) },
    referrers: { GET: (call) => listReferrers(options, call) },
  };
}

async function getManifest({ store, origin }: AppOptions, { request, name, last }: Call): Promise<Response> {
  const reference = requireReference(last);
  await origin?.refresh(name, reference);
  const { digest, mediaType, bytes } = await store.manifests.find(name, reference);
  const headers = {
    "Content-Type": mediaType,
    "Content-Length": String(bytes.length),
    "Docker-Content-Digest": digest,
    ETag: `"${digest}"`,
    "X-Content-Type-Options": "nosniff",
  };
  if (request.headers.get("if-none-match") === headers.ETag)
    return new Response(null, { status: 304, headers });
  return new Response(request.method === "HEAD" ? null : bytes, { headers });
}

async function putManifest({ store }: AppOptions, { request, url, name, last }: Call): Promise<Response> {
  const reference = requireReference(last);
  const more = url.searchParams.getAll("tag");
  const stray = more.find((tag) => !isTag(tag));
  if (stray !== undefined || more.length > MOST_TAGS)
    throw new RegistryProblem(
      400,
      "MANIFEST_INVALID",
      `there may be ${MOST_TAGS} tags, and each must be one`,
    );
  const [contentType = ""] = (request.headers.get("content-type") ?? "").split(";");
  const { digest, subject } = await store.manifests.put(name, {
    bytes: await bounded(request),
    contentType: contentType.trim(),
    digest: isDigest(reference) ? reference : undefined,
    tags: isDigest(reference) ? more : [reference, ...more],
  });
  const headers = new Headers({
    Location: `/v2/${name}/manifests/${digest}`,
    "Docker-Content-Digest": digest,
  });
  if (subject !== undefined) headers.set("OCI-Subject", subject);
  for (const tag of more) headers.append("OCI-Tag", tag);
  return new Response(null, { status: 201, headers });
}

async function bounded(request: Request): Promise<Uint8Array> {
  const tooLarge = () =>
    new RegistryProblem(413, "SIZE_INVALID", `a manifest may have ${MANIFEST_LIMIT} bytes here`);
  if (Number(request.headers.get("content-length") ?? 0) > MANIFEST_LIMIT) throw tooLarge();
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of request.body ?? []) {
    size += part.length;
    if (size > MANIFEST_LIMIT) throw tooLarge();
    parts.push(part);
  }
  return Buffer.concat(parts);
}

async function deleteManifest({ store }: AppOptions, { name, last }: Call): Promise<Response> {
  const reference = requireReference(last);
  if (isDigest(reference)) await store.manifests.remove(name, reference);
  else if (!(await store.repositories.removeTag(name, reference))) throw unknownManifest(reference);
  return new Response(null, { status: 202 });
}

async function listTags({ store, origin }: AppOptions, { url, name, last }: Call): Promise<Response> {
  if (last !== "list") throw new RegistryProblem(404, "UNSUPPORTED", "no such address");
  const known = origin === undefined ? undefined : await origin.tags(name);
  if (known === undefined && !(await store.repositories.exists(name))) throw unknownName(name);
  const after = url.searchParams.get("last") ?? "";
  const tags = (known ?? (await store.repositories.tags(name))).filter((tag) => tag > after);
  return page(url, tags, (some) => ({ name, tags: some }));
}

/** Source: OCI distribution specification 1.1, "Listing Referrers": none is no error. */
async function listReferrers({ store }: AppOptions, { url, name, last }: Call): Promise<Response> {
  const subject: Digest = digestIn(last);
  const wanted = url.searchParams.get("artifactType");
  const after = url.searchParams.get("last") ?? "";
  const { all, hasMore } = await store.repositories.referrers(name, subject, {
    after,
    bytes: MANIFEST_LIMIT,
  });
  const manifests = wanted === null ? all : all.filter((one) => Reflect.get(one, "artifactType") === wanted);
  const headers = new Headers({ "Content-Type": MEDIA.ociIndex });
  if (wanted !== null) headers.set("OCI-Filters-Applied", "artifactType");
  if (hasMore) {
    const query = new URLSearchParams({ last: all.at(-1)?.digest ?? "" });
    if (wanted !== null) query.set("artifactType", wanted);
    headers.set("Link", `<${url.pathname}?${query}>; rel="next"`);
  }
  return new Response(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests }), {
    headers,
  });
}
