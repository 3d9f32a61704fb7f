import type { Digest } from "#oci";
import type { BlobFiles } from "./blobs.ts";
import type { Manifests } from "./manifests.ts";
import type { Repositories } from "./repositories.ts";
import type { Uploads } from "./uploads.ts";

export interface GarbageOptions {
  /** What was counted on within this time stays: a push may be under way that needs it. Milliseconds. */
  readonly grace: number;
  /** Whether manifests go that no tag leads to, by themselves or by an index. */
  readonly removesUntagged: boolean;
  readonly isTrial: boolean;
}

export interface Garbage {
  readonly blobs: readonly { readonly digest: Digest; readonly size: number }[];
  readonly manifests: readonly { readonly name: string; readonly digest: Digest }[];
}

interface Store {
  readonly blobs: BlobFiles;
  readonly repositories: Repositories;
  readonly manifests: Manifests;
  readonly uploads: Uploads;
}

/** Removes what no manifest needs. Needs no lock: other processes may serve and take pushes meanwhile. */
export async function collectGarbage(store: Store, options: GarbageOptions): Promise<Garbage> {
  const before = Date.now() - options.grace;
  const removedManifests = options.removesUntagged
    ? await removeUntagged(store, before, options.isTrial)
    : [];
  const gone = new Set(removedManifests.map(({ name, digest }) => `${name}@${digest}`));
  const needed = await neededBlobs(store, gone);
  const blobs: { digest: Digest; size: number }[] = [];
  for await (const { digest, size, changed } of store.blobs.list()) {
    if (needed.has(digest) || changed >= before) continue;
    if (options.isTrial || (await store.blobs.removeUnused(digest, before))) blobs.push({ digest, size });
  }
  if (!options.isTrial) {
    await store.uploads.sweep();
    await store.repositories.sweep(before);
  }
  return { blobs, manifests: removedManifests };
}

async function neededBlobs(
  { repositories, manifests }: Store,
  gone: ReadonlySet<string>,
): Promise<Set<Digest>> {
  const needed = new Set<Digest>();
  for (const name of await repositories.names())
    for (const digest of await repositories.manifests(name)) {
      if (gone.has(`${name}@${digest}`)) continue;
      needed.add(digest);
      for (const blob of (await manifests.needs(digest)).blobs) needed.add(blob);
    }
  return needed;
}

/** Those that neither a tag, nor an index that stays, nor a subject that stays leads to. */
async function removeUntagged(store: Store, before: number, isTrial: boolean) {
  const removed: { name: string; digest: Digest }[] = [];
  for (const name of await store.repositories.names()) {
    const kept = await reachable(store, name);
    for (const digest of await store.repositories.manifests(name)) {
      // Asked as late as can be: it may have been put again since, with a tag.
      if (kept.has(digest) || ((await store.blobs.changed(digest)) ?? 0) >= before) continue;
      if (!isTrial) await store.manifests.remove(name, digest).catch(() => undefined);
      removed.push({ name, digest });
    }
  }
  return removed;
}

async function reachable({ repositories, manifests }: Store, name: string): Promise<Set<Digest>> {
  const kept = new Set<Digest>();
  const tags = await repositories.tags(name);
  const rest = (await Promise.all(tags.map((tag) => repositories.tag(name, tag)))).filter(
    (digest) => digest !== undefined,
  );
  for (let digest = rest.pop(); digest !== undefined; digest = rest.pop()) {
    if (kept.has(digest)) continue;
    kept.add(digest);
    rest.push(...(await manifests.needs(digest)).manifests);
    const { all } = await repositories.referrers(name, digest);
    rest.push(...all.map((referrer) => referrer.digest));
  }
  return kept;
}
