import { z } from "zod";
import { Fault } from "#errors";
import { DEFAULT_DOMAIN, parseJson } from "#oci";
import type { Credentials, Found, RegistrySettings } from "../types.ts";
import { systemClock } from "./clock.ts";
import { type Endpoint, endpointsOf } from "./endpoints.ts";
import { httpSettings } from "./http-settings.ts";
import { LIMITS } from "./limits.ts";
import type { OpenOptions } from "./open.ts";
import { Transport } from "./transport.ts";

/** Docker Hub answers searches elsewhere than pulls. */
const HUB: Endpoint = { host: "index.docker.io", bases: ["https://index.docker.io"], isMirror: false };
/** What a token must allow. Source: Docker's engine, which asks for the same. */
const SCOPE = "registry:catalog:search";
const DESCRIPTION_CHARACTERS = 1000;

/** Source: Docker Hub and registry API v1, "Search". Registries leave out what they do not know. */
const Reply = z.object({
  results: z
    .array(
      z.object({
        name: z.string(),
        description: z.string().nullish(),
        star_count: z.number().nullish(),
        is_official: z.boolean().nullish(),
        is_automated: z.boolean().nullish(),
      }),
    )
    .nullable(),
});

export interface SearchRequest extends OpenOptions {
  /** `httpd`, `registry.example.org/team/app`: with a registry's name it is asked there. */
  readonly term: string;
  /** At most so many. */
  readonly limit: number;
  readonly settings: Omit<RegistrySettings, "mirrors">;
  readonly credentials: Credentials | undefined;
  readonly signal: AbortSignal;
}

/** Asks a registry which repositories fit a term. Throws `unsupported` where it cannot be searched. */
export async function searchRegistry({
  term,
  limit,
  settings,
  credentials,
  signal,
  limits: given = {},
  clock = systemClock,
}: SearchRequest): Promise<readonly Found[]> {
  const { domain, words } = parseTerm(term);
  const [own] = endpointsOf({ domain, path: words }, { mirrors: [], ...settings });
  const endpoint = domain === DEFAULT_DOMAIN || own === undefined ? HUB : own;
  const limits = { ...LIMITS, ...given };
  const http = httpSettings(settings, limits);
  const transport = new Transport(endpoint, { http, clock, credentials });
  const query = new URLSearchParams({ q: words, n: String(limit) });
  try {
    const what = "what was found";
    const { bytes } = await transport.read(
      {
        reference: { domain, path: words },
        subject: "search",
        scope: SCOPE,
        path: `/v1/search?${query}`,
        headers: { Accept: "application/json" },
        signal,
      },
      { limit: limits.tags, what },
    );
    const reply = Reply.safeParse(parseJson(bytes, what));
    if (reply.success) return (reply.data.results ?? []).slice(0, limit).map(toFound);
  } catch (thrown) {
    if (!(thrown instanceof Fault) || thrown.kind !== "not_found") throw thrown;
  }
  throw new Fault("unsupported", `Cannot search ${domain}: it does not answer searches (no /v1/search)`);
}

/** As docker reads it: the first part is a registry if it could not be a user of Docker Hub. */
function parseTerm(term: string): { readonly domain: string; readonly words: string } {
  if (term.includes("://"))
    throw new Fault(
      "invalid",
      `invalid repository name: repository name (${term.slice(0, 200)}) should not include a scheme`,
    );
  const slash = term.indexOf("/");
  const first = term.slice(0, Math.max(slash, 0));
  const isHost = /[.:]/.test(first) || first === "localhost";
  if (isHost && (!/^[\w.:[\]-]+$/.test(first) || URL.parse(`https://${first}`) === null))
    throw new Fault("invalid", `Cannot search "${first.slice(0, 200)}": it is no registry's address`);
  if (isHost && !["docker.io", "index.docker.io"].includes(first))
    return { domain: first, words: term.slice(slash + 1) };
  const words = isHost ? term.slice(slash + 1) : term;
  return { domain: DEFAULT_DOMAIN, words: words.replace(/^library\//, "") };
}

function toFound({
  name,
  description,
  star_count,
  is_official,
  is_automated,
}: NonNullable<z.infer<typeof Reply>["results"]>[number]): Found {
  return {
    name,
    description: (description ?? "").slice(0, DESCRIPTION_CHARACTERS),
    stars: star_count ?? 0,
    isOfficial: is_official ?? false,
    isAutomated: is_automated ?? false,
  };
}
