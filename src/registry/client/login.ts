import { Fault } from "#errors";
import { basic } from "../auth/basic.ts";
import { parseChallenge } from "../auth/challenge.ts";
import { requestToken } from "../auth/token.ts";
import type { Credentials, RegistrySettings } from "../types.ts";
import type { Answer } from "./answer.ts";
import { endpointsOf } from "./endpoints.ts";
import { type HttpSettings, send } from "./http.ts";
import { httpSettings } from "./http-settings.ts";
import { LIMITS, type Limits } from "./limits.ts";
import { readProblem } from "./problem.ts";

export interface LoginRequest {
  /** `https://index.docker.io/v1/`, `registry.example.org`, `localhost:5000`; empty for Docker Hub. */
  readonly server: string;
  readonly credentials: Credentials;
  readonly settings: Pick<RegistrySettings, "insecure" | "certificateFolders" | "proxies">;
  readonly signal: AbortSignal;
  readonly limits?: Partial<Limits>;
}

/**
 * Asks a registry whether it takes these credentials. `identityToken` is what its token service gives to be kept in the
 * password's place, where it gives one. Throws `unauthorized` when they are refused.
 * Source: OCI distribution specification 1.1, "Determining Support"; distribution, token authentication.
 */
export async function logIn(request: LoginRequest): Promise<{ readonly identityToken?: string }> {
  const { settings, signal } = request;
  const domain = domainOf(request.server);
  const [endpoint] = endpointsOf({ domain, path: "" }, { mirrors: [], ...settings });
  const http = httpSettings(settings, { ...LIMITS, ...request.limits });
  const bases = endpoint?.bases ?? [];
  for (const [position, base] of bases.entries()) {
    try {
      return await ask(new URL(`${base}/v2/`), request, http);
    } catch (thrown) {
      signal.throwIfAborted();
      const isUnreachable = thrown instanceof Fault && thrown.kind === "unavailable";
      const isBound = (await http.trust(endpoint?.host ?? domain)).isBound;
      if (!isUnreachable || isBound || position + 1 === bases.length) throw thrown;
    }
  }
  throw new Fault("internal", `Cannot log in at ${domain}: it has no address`);
}

function domainOf(server: string): string {
  const [host = ""] = server.replace(/^https?:\/\//, "").split("/");
  if (host === "" || host === "index.docker.io" || host === "registry-1.docker.io") return "docker.io";
  if (/^[\w.[\]:-]+$/.test(host)) return host;
  throw new Fault("invalid", `Cannot log in at ${server.slice(0, 200)}: it is no registry's address`);
}

async function ask(
  url: URL,
  { credentials, signal }: LoginRequest,
  http: HttpSettings,
): Promise<{ readonly identityToken?: string }> {
  const headers = { Accept: "application/json" };
  using first = await send(url, { method: "GET", headers, signal }, http);
  if (first.status === 200) return {}; // It lets everybody in.
  if (first.status !== 401) throw await refused(first, url, http);
  const challenge = parseChallenge(first.headers.get("www-authenticate"));
  await first.discard(LIMITS.errorBody);
  if (challenge === undefined)
    throw new Fault("unauthorized", `Cannot log in at ${url.host}: it does not say how`);
  const answered =
    challenge.scheme === "basic"
      ? { header: basic(credentials), refreshToken: undefined }
      : await tokenFor(challenge, { url, credentials, signal, http });
  if (answered.header === undefined)
    throw new Fault("unauthorized", `Cannot log in at ${url.host}: no basic auth credentials`);
  using second = await send(url, { method: "GET", headers, authorization: answered.header, signal }, http);
  if (second.status !== 200) throw await refused(second, url, http);
  await second.discard(LIMITS.errorBody);
  const { refreshToken } = answered;
  return refreshToken === undefined ? {} : { identityToken: refreshToken };
}

async function tokenFor(
  challenge: Extract<NonNullable<ReturnType<typeof parseChallenge>>, { scheme: "bearer" }>,
  {
    url,
    credentials,
    signal,
    http,
  }: {
    readonly url: URL;
    readonly credentials: Credentials;
    readonly signal: AbortSignal;
    readonly http: HttpSettings;
  },
) {
  const { token, refreshToken } = await requestToken(
    { ...challenge, scope: challenge.scope ?? "" },
    credentials,
    { from: url, signal, http, isToBeKept: true },
  );
  return { header: `Bearer ${token}`, refreshToken };
}

async function refused(answer: Answer, url: URL, http: HttpSettings): Promise<Fault> {
  const { message } = await readProblem(answer, http.limits);
  if (answer.status === 401 || answer.status === 403)
    return new Fault(
      "unauthorized",
      `login attempt to ${url.href} failed: unauthorized: ${message || "incorrect username or password"}`,
    );
  return new Fault(
    "unavailable",
    `login attempt to ${url.href} failed with status ${answer.status}${message === "" ? "" : `: ${message}`}`,
  );
}
