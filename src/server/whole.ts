import type { ServerResponse } from "node:http";

/** Replies that are whole when they are made, with their text: it need not be read out of a stream again. */
const TEXTS = new WeakMap<Response, string>();

/** A reply whose text is known. */
export function wholeResponse(
  text: string,
  init: { readonly status: number; readonly headers: Record<string, string> },
): Response {
  const response = new Response(text, init);
  TEXTS.set(response, text);
  return response;
}

/** Sends the reply at once if it is a whole one, and tells whether it was. */
export function sendWhole(response: Response, outgoing: ServerResponse): boolean {
  const text = TEXTS.get(response);
  if (text === undefined) return false;
  const bytes = Buffer.from(text);
  const headers: Record<string, string | number> = {};
  for (const [name, value] of response.headers) headers[name] = value;
  headers["content-length"] = bytes.length;
  // Head and body in one piece: the first of two would wake the client for nothing.
  const { socket } = outgoing;
  socket?.cork();
  outgoing.writeHead(response.status, headers);
  outgoing.end(bytes);
  socket?.uncork();
  return true;
}
