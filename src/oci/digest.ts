import { Fault } from "#errors";

/** `sha256:` or `sha512:` and lower-case hex. Source: OCI image specification, descriptor.md, "Digests". */
export type Digest = string & { readonly brand: "Digest" };

const DIGEST = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

export function isDigest(text: string): text is Digest {
  return DIGEST.test(text);
}

/** Throws `invalid` unless the text is a digest, so that it may become part of a path. */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new Fault(
    "invalid",
    `Cannot use "${text.slice(0, 200)}" as a digest: expected sha256: and 64 hex digits`,
  );
}

export function sha256(bytes: string | Uint8Array): Digest {
  return `sha256:${new Bun.CryptoHasher("sha256").update(bytes).digest("hex")}` as Digest;
}

/** As node:crypto calls it. */
export function algorithmOf(digest: Digest): "sha256" | "sha512" {
  return digest.startsWith("sha512:") ? "sha512" : "sha256";
}

/** Whether these are the bytes the digest speaks of, by the digest's own algorithm. */
export function matchesDigest(bytes: Uint8Array, digest: Digest): boolean {
  const algorithm = algorithmOf(digest);
  return digest === `${algorithm}:${new Bun.CryptoHasher(algorithm).update(bytes).digest("hex")}`;
}
