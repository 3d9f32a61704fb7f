import type { ServerResponse } from "node:http";

type Fields = Readonly<Record<string, string>>;

interface Whole {
  readonly text: string;
  readonly headers: Fields;
}

/** Replies that are whole when they are made, and of what: neither headers nor text need be read out of them again. */
const WHOLES = new WeakMap<Response, Whole>();

/** A reply whose text is known. `headers` must say what it is, and are not added to unless all are read from it. */
export function wholeResponse(
  text: string,
  { status, headers }: { readonly status: number; readonly headers: Fields },
): Response {
  const response = new Response(text, { status, headers });
  WHOLES.set(response, { text, headers });
  return response;
}

/** Sends the reply at once if it is a whole one, with what every reply says, and tells whether it was. */
export function sendWhole(response: Response, outgoing: ServerResponse, common: Fields): boolean {
  const whole = WHOLES.get(response);
  if (whole === undefined) return false;
  const bytes = Buffer.from(whole.text);
  outgoing.writeHead(response.status, { ...whole.headers, ...common, "Content-Length": bytes.length });
  outgoing.end(bytes);
  return true;
}
