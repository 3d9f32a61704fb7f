import { Fault } from "#errors";
import { Answer, brokenLine, watchSilence } from "./answer.ts";
import type { Trust } from "./certificates.ts";
import type { Limits } from "./limits.ts";

declare const BUNKER_VERSION: string | undefined;
const VERSION = typeof BUNKER_VERSION === "string" ? BUNKER_VERSION : "0";
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];

export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PATCH" | "PUT";
  readonly headers: Readonly<Record<string, string>>;
  /** Goes to the first host only. */
  readonly authorization?: string;
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array>;
  readonly signal: AbortSignal;
}

export interface HttpSettings {
  readonly limits: Limits;
  /** Whether a host may be spoken to without TLS, or with a certificate nobody vouches for. */
  mayBePlain(host: string): boolean;
  /** By which proxy a URL is reached; undefined is straight, and without this the environment says. */
  proxyFor?(url: URL): string | undefined;
  trust(host: string): Promise<Trust>;
}

/**
 * Sends a request and follows redirects: never from https down to http, never to anything but http(s), and
 * the authorization never past the host and port it was meant for. Any status may come back.
 */
export async function send(url: URL, request: HttpRequest, settings: HttpSettings): Promise<Answer> {
  const { redirects } = settings.limits;
  let target = url;
  for (let step = 0; step <= redirects; step += 1) {
    const isHome = target.origin === url.origin;
    const answer = await exchange(target, isHome ? request : withoutSecrets(request), settings);
    if (!REDIRECTS.includes(answer.status)) return answer;
    using _ = answer;
    if (request.body !== undefined)
      throw new Fault(
        "denied",
        `Cannot follow ${url.host}: it redirects a request whose content is for it alone`,
      );
    target = redirectTarget(target, answer.headers.get("location"), settings);
  }
  throw new Fault("unavailable", `Cannot follow ${url.host}: it redirects more than ${redirects} times`);
}

function withoutSecrets({ authorization: _, ...request }: HttpRequest): HttpRequest {
  return request;
}

function redirectTarget(from: URL, location: string | null, settings: HttpSettings): URL {
  const to = location === null ? null : URL.parse(location, from.href);
  const refuse = (reason: string) =>
    new Fault("denied", `Cannot follow the redirect of ${from.host}: ${reason}`);
  if (to === null) throw refuse("it leads nowhere");
  if (to.protocol !== "https:" && to.protocol !== "http:") throw refuse(`it leads to ${to.protocol}`);
  if (to.username !== "" || to.password !== "") throw refuse("it holds a password");
  if (to.protocol === "http:" && from.protocol === "https:") throw refuse("it leads from https to http");
  if (to.protocol === "http:" && !settings.mayBePlain(to.host))
    throw refuse(`it leads to ${to.host} without TLS`);
  return to;
}

/** While a body goes out the other side has no reason to speak: only a line that takes nothing more is silent. */
function watched(body: NonNullable<HttpRequest["body"]>, watch: { resume(): void }) {
  if (typeof body === "string" || body instanceof Uint8Array) return body;
  const touched = async function* () {
    for await (const chunk of body) {
      watch.resume();
      yield chunk;
    }
    watch.resume();
  };
  return touched();
}

/** Each host is shown its own certificate only, and believed by its own authorities. */
async function tlsFor(host: string, settings: HttpSettings) {
  const { authorities, certificate, key, isBound } = await settings.trust(host);
  return {
    ca: [...authorities],
    rejectUnauthorized: isBound || !settings.mayBePlain(host),
    ...(certificate !== undefined && key !== undefined && { cert: certificate, key }),
  };
}

async function exchange(url: URL, request: HttpRequest, settings: HttpSettings): Promise<Answer> {
  const { silence } = settings.limits;
  const controller = new AbortController();
  const { authorization } = request;
  const proxy = settings.proxyFor?.(url);
  const tls = url.protocol === "https:" ? { tls: await tlsFor(url.host, settings) } : {};
  using watch = watchSilence(controller, { host: url.host, silence });
  watch.resume();
  try {
    const response = await fetch(url, {
      method: request.method,
      headers: {
        "User-Agent": `bunker/${VERSION}`,
        "Accept-Encoding": "identity",
        ...request.headers,
        ...(authorization !== undefined && { Authorization: authorization }),
      },
      ...(request.body !== undefined && { body: watched(request.body, watch) }),
      redirect: "manual",
      // A blob is what its digest says, whatever the server thinks of its encoding.
      decompress: false,
      timeout: false,
      signal: AbortSignal.any([request.signal, controller.signal]),
      ...(proxy !== undefined && { proxy }),
      ...tls,
    } as BunFetchRequestInit);
    return new Answer(response, { url, controller, silence });
  } catch (thrown) {
    request.signal.throwIfAborted();
    throw brokenLine(thrown, url.host);
  }
}
