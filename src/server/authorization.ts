import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { Fault } from "#errors";
import { type App, splitPath } from "./app.ts";
import type { ServerEnv } from "./environment.ts";
import { problemOf, problemResponse } from "./problem.ts";

/** Bodies that are longer are not shown, in bytes. Source: Docker, "Access authorization plugin". */
const LONGEST_BODY = 1024 * 1024;
/** Credentials that are for registries alone. */
const SECRET = /^x-registry-/i;

/** What is shown of a request. Source: Docker, "Access authorization plugin", AuthZReq. */
export interface AskedRequest {
  readonly User: string;
  readonly UserAuthNMethod: "TLS" | "";
  readonly RequestMethod: string;
  /** With its query; the path as the app reads it, so that no other spelling of it goes past a rule. */
  readonly RequestUri: string;
  /** Base64, of JSON that is not too long; else absent. */
  readonly RequestBody?: string;
  readonly RequestHeaders: Readonly<Record<string, string>>;
}

/** And of what is answered, where that comes whole. */
export interface AskedReply extends AskedRequest {
  readonly ResponseStatusCode: number;
  readonly ResponseHeaders: Readonly<Record<string, string>>;
  readonly ResponseBody?: string;
}

/** Who decides over requests. Each throws a Fault that says who has refused what, or that nobody could be asked. */
export interface Authority {
  request(asked: AskedRequest): Promise<void>;
  reply(asked: AskedReply): Promise<void>;
}

/** The app behind an authority that is asked before each request, and before a whole reply goes out. */
export function authorized(app: App, authority: () => Authority | undefined): App {
  return {
    ...app,
    isJudged: () => authority() !== undefined,
    async fetch(request, bindings = {}) {
      const judge = authority();
      if (judge === undefined) return app.fetch(request, bindings);
      try {
        const shown = await show(request, bindings);
        await judge.request(shown.asked);
        const response = await app.fetch(shown.request, { ...bindings, isJudged: true });
        return await judged(judge, shown.asked, response);
      } catch (thrown) {
        return problemResponse(problemOf(thrown), app.headers);
      }
    },
  };
}

/** What is streamed is not shown: the request alone decides over it. */
async function judged(judge: Authority, asked: AskedRequest, response: Response): Promise<Response> {
  const length = response.headers.get("content-length");
  if (length === null) return response;
  const isShown = isJson(response.headers) && Number(length) <= LONGEST_BODY;
  const body = isShown ? base64(new Uint8Array(await response.clone().arrayBuffer())) : undefined;
  await judge.reply({
    ...asked,
    ResponseStatusCode: response.status,
    ResponseHeaders: fieldsOf(response.headers),
    ...(body !== undefined && { ResponseBody: body }),
  });
  return response;
}

async function show(
  request: Request,
  bindings: ServerEnv["Bindings"],
): Promise<{ readonly asked: AskedRequest; readonly request: Request }> {
  const { held, request: whole } = isJson(request.headers)
    ? await peek(request)
    : { held: undefined, request };
  const user = userOf(bindings.connection ?? bindings.incoming?.socket);
  return {
    request: whole,
    asked: {
      User: user ?? "",
      UserAuthNMethod: user === undefined ? "" : "TLS",
      RequestMethod: request.method,
      RequestUri: targetOf(request.url),
      ...(held !== undefined && { RequestBody: base64(held) }),
      RequestHeaders: fieldsOf(request.headers),
    },
  };
}

function targetOf(url: string): string {
  const { path, version } = splitPath(url);
  const [, query] = /\?(.*)$/s.exec(url) ?? [];
  return `${version === undefined ? "" : `/v${version}`}${path}${query === undefined ? "" : `?${query}`}`;
}

/** Reads a body for whoever is to look at it, and hands on a request that still has all of it. */
async function peek(request: Request): Promise<{ readonly held?: Uint8Array; readonly request: Request }> {
  if (request.body === null) return { request };
  const reader = request.body.getReader();
  const pieces: Uint8Array[] = [];
  for (let size = 0; size <= LONGEST_BODY; ) {
    const { done, value } = await reader.read();
    if (done) {
      const held = Buffer.concat(pieces);
      return { held, request: withBody(request, held) };
    }
    pieces.push(value);
    size += value.length;
  }
  throw new Fault(
    "invalid",
    `The request body is larger than ${LONGEST_BODY} bytes, more than the authorization plugins are shown`,
  );
}

const withBody = ({ url, method, headers, signal }: Request, body: Uint8Array<ArrayBuffer>): Request =>
  new Request(url, { method, headers, signal, body: body.length === 0 ? null : body });

/** The name in the certificate of a client whose certificate was checked. */
function userOf(socket: Socket | undefined): string | undefined {
  const secured = socket as Partial<TLSSocket> | undefined;
  if (secured?.authorized !== true || secured.getPeerCertificate === undefined) return undefined;
  const name = secured.getPeerCertificate()?.subject?.CN;
  return Array.isArray(name) ? name[0] : name;
}

const isJson = (headers: Headers) => /^application\/json\b/i.test(headers.get("content-type") ?? "");
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");

function fieldsOf(headers: Headers): Record<string, string> {
  return Object.fromEntries([...headers].filter(([name]) => !SECRET.test(name)));
}
