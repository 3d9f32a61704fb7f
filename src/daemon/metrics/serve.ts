import { Fault, sentenceOf } from "#errors";

/** Source: Prometheus, "Exposition formats", text-based format. */
const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** `127.0.0.1:9323`, `[::1]:9323`, `:9323`. Throws `invalid`. */
export function parseMetricsAddress(text: string): { readonly hostname: string; readonly port: number } {
  const [, six, plain = "", port = ""] =
    /^(?:\[([0-9a-f:]+)\]|([0-9.]*|localhost)):(\d{1,5})$/i.exec(text) ?? [];
  if (port !== "" && Number(port) <= 65_535)
    return { hostname: six ?? (plain || "0.0.0.0"), port: Number(port) };
  throw new Fault(
    "invalid",
    `Cannot serve metrics on "${text.slice(0, 100)}": write ADDRESS:PORT, 127.0.0.1:9323`,
  );
}

/** Answers `GET /metrics` there, to anybody and in plain: nothing of it is secret, and nothing can be done by it. */
export function serveMetrics(address: string, text: () => Promise<string>): AsyncDisposable {
  try {
    const server = Bun.serve({
      ...parseMetricsAddress(address),
      routes: {
        "/metrics": {
          GET: async () => new Response(await text(), { headers: { "Content-Type": CONTENT_TYPE } }),
        },
      },
      fetch: () => new Response("404 page not found\n", { status: 404 }),
      error: (thrown) => new Response(`${sentenceOf(thrown)}\n`, { status: 500 }),
    });
    return { [Symbol.asyncDispose]: () => server.stop(true) };
  } catch (thrown) {
    if (thrown instanceof Fault) throw thrown;
    throw new Fault("unavailable", `Cannot serve metrics on ${address}: ${sentenceOf(thrown)}`, {
      cause: thrown,
    });
  }
}
