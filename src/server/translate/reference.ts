import type { ImageView } from "#jobs";

type Reference = ImageView["tags"][number];

/** As people write it: without Docker Hub's name and without `library/`. */
export function familiar({ domain, path, tag, digest }: Reference): string {
  const name = domain === "docker.io" ? path.replace(/^library\//, "") : `${domain}/${path}`;
  return `${name}${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
}

/** `fromImage` and `tag` of a pull put together; the tag may be a digest. */
export function joinReference(image: string, tag: string): string {
  if (tag === "") return image;
  return /^[a-z0-9]+:[0-9a-f]{32,}$/.test(tag) ? `${image}@${tag}` : `${image}:${tag}`;
}

/** Whether a tag or digest follows the last part of the name. */
export function isPinned(reference: string): boolean {
  return /[:@]/.test(reference.slice(reference.lastIndexOf("/") + 1));
}
