import { Fault } from "#errors";
import { type Digest, isDigest } from "./digest.ts";

/** A normalised image reference. Source: distribution/reference grammar; Docker Hub's short names. */
export interface Reference {
  /** `docker.io`, `localhost:5000` */
  readonly domain: string;
  /** `library/httpd` */
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

export const DEFAULT_DOMAIN = "docker.io";
export const DEFAULT_TAG = "latest";

/** Of domain and path together. Source: distribution/reference, RepositoryNameTotalLengthMax. */
const LONGEST_NAME = 255;
/** Longer texts are not even looked at: name, tag and a sha512 digest stay far below. */
const LONGEST_REFERENCE = 1024;

const DOMAIN_PART = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
const DOMAIN = new RegExp(`^(?:${DOMAIN_PART}(?:\\.${DOMAIN_PART})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?$`);
const PATH_PART = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const PATH = new RegExp(`^${PATH_PART}(?:/${PATH_PART})*$`);
const TAG = /^\w[\w.-]{0,127}$/;
const BARE_ID = /^[a-f0-9]{64}$/;

export function isTag(text: string): boolean {
  return TAG.test(text);
}

/** Whether this may name a repository within a registry. */
export function isRepositoryPath(text: string): boolean {
  return text.length <= LONGEST_NAME && PATH.test(text);
}

/**
 * The image meant by `httpd`, `httpd:2.4`, `localhost:5000/a/b`, `httpd@sha256:…`, normalised; `latest` is
 * filled in when there is neither tag nor digest. Throws `invalid` in Docker's words.
 */
export function parseReference(text: string): Reference {
  return withDefaultTag(parseNamed(text));
}

/** As `parseReference`, but what has no tag stays without one: a whole repository. */
export function parseNamed(text: string): Reference {
  if (text.length > LONGEST_REFERENCE) throw malformed();
  if (BARE_ID.test(text))
    throw new Fault(
      "invalid",
      `invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`,
    );
  const { name, digest } = cutDigest(text);
  const { domain, rest } = cutDomain(name);
  const colon = rest.indexOf(":");
  const path = colon < 0 ? rest : rest.slice(0, colon);
  const tag = colon < 0 ? undefined : rest.slice(colon + 1);
  if (path !== path.toLowerCase())
    throw new Fault("invalid", `invalid reference format: repository name (${path}) must be lowercase`);
  if (!DOMAIN.test(domain) || !PATH.test(path) || (tag !== undefined && !isTag(tag))) throw malformed();
  if (domain.length + 1 + path.length > LONGEST_NAME)
    throw new Fault("invalid", `repository name must not be more than ${LONGEST_NAME} characters`);
  return { domain, path, ...(tag !== undefined && { tag }), ...(digest !== undefined && { digest }) };
}

export function withDefaultTag(reference: Reference): Reference {
  const isNamed = reference.tag !== undefined || reference.digest !== undefined;
  return isNamed ? reference : { ...reference, tag: DEFAULT_TAG };
}

/** `docker.io/library/httpd`: the key of everything that is kept by repository. */
export function repository({ domain, path }: Reference): string {
  return `${domain}/${path}`;
}

/** `httpd`, `localhost:5000/a/b`: as people write it. */
export function familiarRepository({ domain, path }: Reference): string {
  if (domain !== DEFAULT_DOMAIN) return `${domain}/${path}`;
  const [first, second, third] = path.split("/");
  return first === "library" && second !== undefined && third === undefined ? second : path;
}

/** `docker.io/library/httpd:latest`, with whatever of tag and digest there is. */
export function formatReference(reference: Reference): string {
  return repository(reference) + suffix(reference);
}

/** `httpd:latest` */
export function familiarReference(reference: Reference): string {
  return familiarRepository(reference) + suffix(reference);
}

function suffix({ tag, digest }: Reference): string {
  return (tag === undefined ? "" : `:${tag}`) + (digest === undefined ? "" : `@${digest}`);
}

function cutDigest(text: string): { readonly name: string; readonly digest?: Digest } {
  const at = text.indexOf("@");
  if (at < 0) return { name: text };
  const digest = text.slice(at + 1);
  if (!isDigest(digest)) throw malformed();
  return { name: text.slice(0, at), digest };
}

/** The first component is a host only if it could not be a Docker Hub user: it has a dot, a colon, or is localhost. */
function cutDomain(name: string): { readonly domain: string; readonly rest: string } {
  const slash = name.indexOf("/");
  const first = name.slice(0, Math.max(slash, 0));
  const isHost = slash >= 0 && (/[.:]/.test(first) || first === "localhost");
  const domain = !isHost || first === "index.docker.io" ? DEFAULT_DOMAIN : first;
  const rest = isHost ? name.slice(slash + 1) : name;
  return { domain, rest: domain === DEFAULT_DOMAIN && !rest.includes("/") ? `library/${rest}` : rest };
}

function malformed(): Fault {
  return new Fault("invalid", "invalid reference format");
}
