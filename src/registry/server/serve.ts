import { isIP } from "node:net";
import { Fault } from "#errors";
import { registryApp } from "./app.ts";
import type { AppOptions } from "./call.ts";

export interface ServeOptions extends Omit<AppOptions, "isLocal"> {
  readonly hostname: string;
  readonly port: number;
  /** PEM, both or none. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

export interface RegistryServer extends AsyncDisposable {
  readonly url: string;
}

/** A proxy on this host speaks for somebody elsewhere. Source: RFC 7239; what proxies said before it. */
const FORWARDED = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];

/** A layer may be as large as its sender likes: it is written as it comes. */
const NO_LIMIT = Number.MAX_SAFE_INTEGER;
/** Seconds without a byte; Bun's most. */
const IDLE_SECONDS = 255;

/** Serves until it is disposed. Blobs go from file to socket in the kernel. */
export function serveRegistry({ hostname, port, tls, ...options }: ServeOptions): RegistryServer {
  const peers = new WeakMap<Request, string>();
  const isLocal = (request: Request) =>
    /^(::ffff:)?127\.|^::1$/.test(peers.get(request) ?? "") &&
    !FORWARDED.some((name) => request.headers.has(name));
  const app = registryApp({ ...options, isLocal });
  const server = listen(() =>
    Bun.serve({
      hostname,
      port,
      maxRequestBodySize: NO_LIMIT,
      idleTimeout: IDLE_SECONDS,
      ...(tls && { tls }),
      fetch: (request, own) => {
        peers.set(request, own.requestIP(request)?.address ?? "");
        return app.fetch(request);
      },
    }),
  );
  const host = isIP(hostname) === 6 ? `[${hostname}]` : hostname;
  return {
    url: `${tls ? "https" : "http"}://${host}:${server.port}`,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

function listen<Server>(start: () => Server): Server {
  try {
    return start();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Fault("unavailable", `Cannot listen: ${reason}; choose another address with --listen`, {
      cause,
    });
  }
}
