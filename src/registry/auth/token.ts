import { z } from "zod";
import { Fault } from "#errors";
import { parseJson } from "#oci";
import { type HttpSettings, send } from "../client/http.ts";
import { readProblem } from "../client/problem.ts";
import type { Credentials } from "../types.ts";
import { basic } from "./basic.ts";
import type { Challenge } from "./challenge.ts";

/** Seconds a token is good for when its service does not say. Source: distribution, token authentication. */
const DEFAULT_LIFE = 60;
/** Anything else could not stand in a header. */
const TOKEN = /^[\x21-\x7e]+$/;

const TokenReply = z.object({
  token: z.string().regex(TOKEN).optional(),
  access_token: z.string().regex(TOKEN).optional(),
  refresh_token: z.string().regex(TOKEN).optional(),
  expires_in: z.number().positive().optional().catch(undefined),
});

export interface Token {
  readonly token: string;
  readonly lifeSeconds: number;
  /** Stands for the password from now on; only where it was asked for. */
  readonly refreshToken?: string;
}

type Bearer = Extract<Challenge, { scheme: "bearer" }>;

/**
 * Asks a token service for a token: anonymously, with a password, or with an identity token.
 * Throws `unauthorized` when the service refuses, `denied` when it may not be trusted with the question.
 */
export async function requestToken(
  challenge: Bearer & { readonly scope: string },
  credentials: Credentials | undefined,
  {
    from,
    signal,
    http,
    isToBeKept = false,
  }: {
    readonly from: URL;
    readonly signal: AbortSignal;
    readonly http: HttpSettings;
    /** Whether a refresh token is wanted as well. */
    readonly isToBeKept?: boolean;
  },
): Promise<Token> {
  const realm = checkRealm(challenge.realm, from, http);
  using answer = await (credentials?.identityToken === undefined
    ? send(
        withQuestion(realm, challenge, isToBeKept ? credentials?.username : undefined),
        {
          method: "GET",
          headers: { Accept: "application/json" },
          signal,
          ...authorizationOf(credentials),
        },
        http,
      )
    : send(
        realm,
        {
          method: "POST",
          headers: { Accept: "application/json", "Content-Type": "application/x-www-form-urlencoded" },
          body: exchangeForm(challenge, credentials.identityToken),
          signal,
        },
        http,
      ));
  if (answer.status !== 200) {
    const { message } = await readProblem(answer, http.limits);
    throw new Fault(
      answer.status === 401 || answer.status === 403 ? "unauthorized" : "unavailable",
      `Cannot log in at ${realm.host}: unauthorized: ${message || `it answered with status ${answer.status}`}`,
    );
  }
  const what = `the token of ${realm.host}`;
  const reply = TokenReply.safeParse(parseJson(await answer.bytes(http.limits.token, what), what));
  const token = reply.data?.token ?? reply.data?.access_token;
  if (token === undefined)
    throw new Fault("unavailable", `Cannot log in at ${realm.host}: its reply holds no token`);
  const refreshToken = isToBeKept ? reply.data?.refresh_token : undefined;
  return {
    token,
    lifeSeconds: reply.data?.expires_in ?? DEFAULT_LIFE,
    ...(refreshToken !== undefined && { refreshToken }),
  };
}

/** A registry behind TLS may not send its users' passwords over the open line. */
function checkRealm(text: string, from: URL, http: HttpSettings): URL {
  const realm = URL.parse(text);
  const isProper =
    realm !== null &&
    realm.username === "" &&
    (realm.protocol === "https:" ||
      (realm.protocol === "http:" && from.protocol === "http:" && http.mayBePlain(realm.host)));
  if (isProper) return realm;
  throw new Fault("denied", `Cannot log in at ${from.host}: it names a token service that cannot be trusted`);
}

/** With an account a refresh token is asked for as well. */
function withQuestion(
  realm: URL,
  { service, scope }: Bearer & { readonly scope: string },
  account: string | undefined,
): URL {
  const url = new URL(realm);
  if (account !== undefined) {
    url.searchParams.set("account", account);
    url.searchParams.set("client_id", "bunker");
    url.searchParams.set("offline_token", "true");
  }
  if (service !== undefined) url.searchParams.set("service", service);
  for (const one of scope.split(" ").filter(Boolean)) url.searchParams.append("scope", one);
  return url;
}

function authorizationOf(credentials: Credentials | undefined): { readonly authorization?: string } {
  const authorization = basic(credentials);
  return authorization === undefined ? {} : { authorization };
}

function exchangeForm(
  { service, scope }: Bearer & { readonly scope: string },
  identityToken: string,
): string {
  return new URLSearchParams({
    grant_type: "refresh_token",
    refresh_token: identityToken,
    service: service ?? "",
    scope,
    client_id: "bunker",
  }).toString();
}
