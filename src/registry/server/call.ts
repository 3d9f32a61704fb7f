import { type Digest, isDigest, isTag } from "#oci";
import type { Htpasswd } from "./htpasswd.ts";
import type { Origin } from "./origin.ts";
import { RegistryProblem } from "./problem.ts";
import type { RegistryStore } from "./store.ts";

export interface AppOptions {
  readonly store: RegistryStore;
  readonly users?: Htpasswd;
  readonly mayDelete: boolean;
  /** Where what is missing is fetched from; nothing can be pushed then. */
  readonly origin?: Origin;
  /** Of what went wrong on our side. */
  readonly complain: (sentence: string, cause: unknown) => void;
  /** Whether this request comes from a process of this host. */
  readonly isLocal: (request: Request) => boolean;
}

/** One request, its address taken apart. */
export interface Call {
  readonly request: Request;
  readonly url: URL;
  readonly name: string;
  /** What follows the kind: a digest, a tag, an upload's id; empty for none. */
  readonly last: string;
}

/** Answers by method; a HEAD is answered as its GET, and its body left out by the caller. */
export type Routes = Readonly<Record<string, Readonly<Record<string, (call: Call) => Promise<Response>>>>>;

/** At most `n`, with the address of what follows. Source: OCI distribution specification 1.1, "Listing Tags"; RFC 5988. */
export function page(url: URL, all: readonly string[], body: (names: readonly string[]) => object): Response {
  const asked = url.searchParams.get("n");
  if (asked !== null && !/^\d{1,9}$/.test(asked))
    throw new RegistryProblem(400, "UNSUPPORTED", `n must be a number, not "${asked.slice(0, 40)}"`);
  const names = asked === null ? all : all.slice(0, Number(asked));
  const last = names.at(-1);
  const hasMore = names.length < all.length && last !== undefined;
  const next = `<${url.pathname}?n=${asked}&last=${encodeURIComponent(last ?? "")}>; rel="next"`;
  return Response.json(body(names), { headers: hasMore ? { Link: next } : {} });
}

/** Throws 400 for what is no digest. */
export function digestIn(text: string | null): Digest {
  if (text !== null && isDigest(text)) return text;
  throw new RegistryProblem(400, "DIGEST_INVALID", `"${(text ?? "").slice(0, 100)}" is no digest`);
}

export function requireReference(text: string): string {
  if (isDigest(text) || isTag(text)) return text;
  throw new RegistryProblem(400, "MANIFEST_INVALID", `"${text.slice(0, 100)}" is neither a tag nor a digest`);
}
