import { readFile } from "node:fs/promises";
import { Fault, sentenceOf } from "#errors";
import type { PluginAddress, PluginTls } from "./discovery.ts";

/** Source: Docker, "Plugin API", versioning. */
const MEDIA_TYPE = "application/vnd.docker.plugins.v1.2+json";
/** Lists of some ten thousand volumes. */
export const MAX_REPLY_BYTES = 4 * 1024 * 1024;
/** What connecting says when nobody was reached, so that nothing was asked yet. */
const UNREACHED = ["ConnectionRefused", "FailedToOpenSocket", "ENOENT", "ECONNREFUSED", "ENOTFOUND"];

/** What came of one request. */
export type Reply =
  | { readonly kind: "answered"; readonly status: number; readonly text: string }
  /** Nobody was there: it can be asked again. */
  | { readonly kind: "unreached"; readonly reason: string }
  /** It may have been done or not. */
  | { readonly kind: "broken"; readonly reason: string };

export interface Request {
  /** `/Plugin.Activate` */
  readonly path: string;
  readonly body: object;
  readonly limitMilliseconds: number;
}

/** One POST. Never throws but for files of TLS that cannot be read. */
export async function post(address: PluginAddress, request: Request): Promise<Reply> {
  const { path, body, limitMilliseconds } = request;
  const tls = address.kind === "tcp" && address.tls !== undefined ? await tlsOf(address.tls) : undefined;
  const host = address.kind === "unix" ? "plugin" : address.host;
  const signal = AbortSignal.timeout(limitMilliseconds);
  try {
    const reply = await fetch(`${tls === undefined ? "http" : "https"}://${host}${path}`, {
      method: "POST",
      body: JSON.stringify(body),
      headers: { Accept: MEDIA_TYPE, "Content-Type": MEDIA_TYPE },
      redirect: "manual",
      signal,
      keepalive: false,
      timeout: false,
      // A proxy in the daemon's environment knows no plugins.
      proxy: false,
      ...(address.kind === "unix" && { unix: address.path }),
      ...(tls !== undefined && { tls }),
    } as RequestInit);
    const text = await boundedText(reply);
    if (text === undefined)
      return { kind: "broken", reason: `its answer is longer than ${MAX_REPLY_BYTES} bytes` };
    return { kind: "answered", status: reply.status, text };
  } catch (thrown) {
    if (signal.aborted)
      return { kind: "broken", reason: `there was no answer within ${limitMilliseconds / 1000} seconds` };
    const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
    if (UNREACHED.includes(code)) return { kind: "unreached", reason: reasonOf(code) };
    return { kind: "broken", reason: `its connection ended before it had answered (${sentenceOf(thrown)})` };
  }
}

function reasonOf(code: string): string {
  return code === "ENOENT" || code === "FailedToOpenSocket"
    ? "nobody listens there"
    : "it refuses connections";
}

async function boundedText(reply: Response): Promise<string | undefined> {
  if (reply.body === null) return "";
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of reply.body) {
    bytes += chunk.byteLength;
    if (bytes > MAX_REPLY_BYTES) return undefined;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

async function tlsOf({ isUnverified, caFile, certFile, keyFile }: PluginTls): Promise<object> {
  return {
    rejectUnauthorized: !isUnverified,
    ...(caFile !== undefined && { ca: await pemOf(caFile) }),
    ...(certFile !== undefined &&
      keyFile !== undefined && { cert: await pemOf(certFile), key: await pemOf(keyFile) }),
  };
}

async function pemOf(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new Fault("unavailable", `Cannot read ${path} for a plugin's TLS: ${sentenceOf(cause)}`, { cause });
  }
}
