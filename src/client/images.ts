import type { ImageFound } from "#api";
import { filtersQuery, imagePath } from "./filters.ts";
import { valuesOf } from "./lines.ts";
import type { Transport } from "./transport.ts";
import type { Filters, HistoryEntry, ImageSummary, PullProgress, RemovedImage } from "./types.ts";

/** The endpoints of images, one function each. */
export function listImages(
  transport: Transport,
  {
    all,
    digests,
    manifests,
    filters,
  }: { all?: boolean; digests?: boolean; manifests?: boolean; filters?: Filters },
): Promise<ImageSummary[]> {
  return transport.json("GET", "/images/json", {
    query: {
      all: all === true ? 1 : undefined,
      digests: digests === true ? 1 : undefined,
      manifests: manifests === true ? 1 : undefined,
      filters: filtersQuery(filters),
    },
  });
}

/** Progress as it comes; a failure arrives as a value with `error`. Leaving the loop cancels the pull. */
export async function* pullImage(
  transport: Transport,
  { name, tag, platform, auth }: { name: string; tag?: string; platform?: string; auth?: string },
): AsyncGenerator<PullProgress> {
  const query = { fromImage: name, tag, platform };
  const reply = await transport.call("POST", "/images/create", { query, fields: authFields(auth) });
  yield* valuesOf<PullProgress>(reply.body);
}

/** `auth` is the JSON of an AuthConfig. */
export function searchImages(
  transport: Transport,
  { term, limit, filters, auth }: { term: string; limit?: number; filters?: Filters; auth?: string },
): Promise<ImageFound[] | null> {
  const query = { term, limit, filters: filtersQuery(filters) };
  return transport.json("GET", "/images/search", { query, fields: authFields(auth) });
}

/** Every tag of the repository where none is given. Progress as it comes; a failure arrives as a value with `error`. */
export async function* pushImage(
  transport: Transport,
  { name, tag, auth }: { name: string; tag?: string; auth?: string },
): AsyncGenerator<PullProgress> {
  const path = `/images/${imagePath(name)}/push`;
  const reply = await transport.call("POST", path, { query: { tag }, fields: authFields(auth) });
  yield* valuesOf<PullProgress>(reply.body);
}

/** `auth` is the JSON of an AuthConfig. */
function authFields(auth: string | undefined): Readonly<Record<string, string>> {
  return auth === undefined ? {} : { "X-Registry-Auth": Buffer.from(auth).toString("base64url") };
}

/** `platform` is JSON, here and below. */
export function inspectImage(transport: Transport, name: string, platform?: string): Promise<unknown> {
  return transport.json("GET", `/images/${imagePath(name)}/json`, { query: { platform } });
}

export async function tagImage(
  transport: Transport,
  source: string,
  { repo, tag }: { repo: string; tag?: string },
): Promise<void> {
  await transport.send("POST", `/images/${imagePath(source)}/tag`, { query: { repo, tag } });
}

export function removeImage(
  transport: Transport,
  name: string,
  {
    isForced,
    keepsParents,
    platforms = [],
  }: { isForced?: boolean; keepsParents?: boolean; platforms?: readonly string[] },
): Promise<RemovedImage[] | null> {
  const query = { force: isForced ? 1 : undefined, noprune: keepsParents ? 1 : undefined, platforms };
  return transport.json("DELETE", `/images/${imagePath(name)}`, { query });
}

export function imageHistory(transport: Transport, name: string, platform?: string): Promise<HistoryEntry[]> {
  return transport.json("GET", `/images/${imagePath(name)}/history`, { query: { platform } });
}
