import { z } from "zod";
import { Fault } from "#errors";
import { familiarRepository, isTag, parseJson, type Reference } from "#oci";
import type { Transport } from "./transport.ts";

const TagList = z.object({ tags: z.array(z.string()).nullable() });
/** A repository with more tags than this is not listed as a whole. */
const MOST_TAGS = 10_000;
const NEXT = /<([^>]+)>\s*;[^,]*\brel="?next"?/i;

/** Page by page. Source: OCI distribution specification 1.1, "Listing Tags". `limit` is bytes a page. */
export async function listTags(
  transport: Transport,
  reference: Reference,
  { signal, limit }: { readonly signal: AbortSignal; readonly limit: number },
): Promise<readonly string[]> {
  const tags = new Set<string>();
  const seen = new Set<string>();
  let path: string | undefined = "tags/list";
  while (path !== undefined && !seen.has(path)) {
    seen.add(path);
    const what = "the list of tags";
    const answer: Awaited<ReturnType<Transport["read"]>> = await transport.read(
      { reference, subject: "tags", path, signal },
      { limit, what },
    );
    const page = TagList.safeParse(parseJson(answer.bytes, what));
    for (const tag of page.data?.tags ?? []) if (isTag(tag)) tags.add(tag);
    if (tags.size > MOST_TAGS || seen.size > MOST_TAGS)
      throw new Fault(
        "invalid",
        `Cannot list the tags of ${familiarRepository(reference)}: there are more than ${MOST_TAGS}`,
      );
    path = nextPath(answer.headers.get("link"), answer.url);
  }
  return [...tags];
}

/** A next page lies with the same registry or nowhere. */
function nextPath(link: string | null, from: URL): string | undefined {
  const target = NEXT.exec(link ?? "")?.[1];
  const url = target === undefined ? null : URL.parse(target, from.href);
  return url === null || url.origin !== from.origin ? undefined : url.pathname + url.search;
}
