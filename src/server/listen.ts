import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Server as NetServer, Socket } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { sentenceOf } from "#errors";
import { closed, listening } from "./binding.ts";
import { admit, KEEP_ALIVE } from "./front.ts";
import { parseHost } from "./host.ts";
import { problemResponse } from "./problem.ts";
import { StandingReplies } from "./standing.ts";
import { type ServerKeys, streamServer } from "./tls.ts";
import { bindUnixSocket } from "./unix-socket.ts";
import { type HijackableApp, mayUpgrade, serveUpgrade } from "./upgrade.ts";
import { sendWhole } from "./whole.ts";

/** Registry credentials of many registries travel in one header. In bytes. */
const HEAD_LIMIT = 256 * 1024;

export interface ListenOptions {
  readonly app: HijackableApp;
  /** `unix:///run/bunker/bunker.sock`, `tcp://127.0.0.1:2375`; a port of 0 is chosen by the kernel. */
  readonly hosts: readonly string[];
  /** The group that may use the unix sockets; absent: `docker`, else `bunker`, if there is one. */
  readonly group?: string;
  /** For tcp://, which is plain without, and for those of `secured`. */
  readonly keys?: ServerKeys;
  /** Unix sockets behind which TLS is spoken all the same: somebody carries tcp:// there. */
  readonly secured?: readonly string[];
  /** How long replies under way may take when listening ends, in milliseconds. */
  readonly graceMilliseconds?: number;
  /** Lets more bytes wait in a unix socket than usual: an archive goes through it in fewer and larger pieces. */
  readonly widen?: (descriptor: number) => void;
}

export interface Listening extends AsyncDisposable {
  /** Where it can be reached, one for each host, with the ports that were chosen. */
  readonly addresses: readonly string[];
}

/** Serves the app on all hosts, or on none: throws a Fault naming the one that cannot be had. */
export async function listen(options: ListenOptions): Promise<Listening> {
  const sockets = new Set<Socket>();
  const server = httpServer(options);
  const standing = new StandingReplies(options.app);
  const accept = (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    admit(socket, { server, standing });
  };
  await using undo = new AsyncDisposableStack();
  undo.defer(() => ended(sockets, options.graceMilliseconds ?? 1000));
  const addresses: string[] = [];
  for (const host of options.hosts) {
    const isSecured = host.startsWith("tcp:") || options.secured?.includes(host);
    const front = streamServer(accept, isSecured ? options.keys : undefined);
    addresses.push(await bind(front, host, { undo, group: options.group }));
  }
  const held = undo.move();
  return { addresses, [Symbol.asyncDispose]: () => held.disposeAsync() };
}

const ARCHIVES = ["application/x-tar", "application/octet-stream"];

function isArchive({ headers }: Response): boolean {
  return ARCHIVES.includes(headers.get("content-type") ?? "");
}

/** Of a unix socket, as far as it is known; others find the size of their buffers by themselves. */
function unixDescriptor(
  socket: Socket & { readonly _handle?: { readonly fd?: number } },
): number | undefined {
  return socket.remoteAddress === undefined ? socket._handle?.fd : undefined;
}

/** Of one exchange: HTTP/1.1, as this server speaks no other. */
interface Sides {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
}

function httpServer({ app, widen }: ListenOptions): Server {
  const answer = async (request: Request, bindings: Sides) => {
    const response = await app.fetch(request, bindings);
    const descriptor = isArchive(response) ? unixDescriptor(bindings.incoming.socket) : undefined;
    if (descriptor !== undefined) widen?.(descriptor);
    return sendWhole(response, bindings.outgoing) ? RESPONSE_ALREADY_SENT : response;
  };
  const respond = getRequestListener((request, bindings) => answer(request, bindings as Sides), {
    overrideGlobalObjects: false,
    errorHandler: (thrown) => problemResponse({ status: 400, message: sentenceOf(thrown) }, app.headers),
  });
  const server = createServer(
    { maxHeaderSize: HEAD_LIMIT, keepAliveTimeout: KEEP_ALIVE },
    (incoming, outgoing) => {
      // What a client on a unix socket calls the host is anything, a path included, and means nothing here.
      incoming.headers.host = "bunker";
      void respond(incoming, outgoing);
    },
  );
  Object.assign(server, {
    // A client that has sent its request may close its half and still wants the reply.
    httpAllowHalfOpen: true,
    // Java's client offers HTTP/2 with each request: whoever cannot be upgraded is answered as usual.
    shouldUpgradeCallback: ({ method, url }: IncomingMessage) => mayUpgrade(method, url),
  });
  server.on("upgrade", (incoming, socket, head) => {
    void serveUpgrade(app, { incoming, socket: socket as Socket, head });
  });
  return server;
}

async function bind(
  server: NetServer,
  host: string,
  { undo, group }: { undo: AsyncDisposableStack; group: string | undefined },
): Promise<string> {
  const place = parseHost(host);
  if (place.scheme === "unix") {
    undo.use(await bindUnixSocket(server, place.path, group));
    return host;
  }
  const { address: name, port } = place;
  await listening(server, { host: name.replace(/^\[|\]$/g, ""), port }, host);
  undo.defer(() => closed(server));
  const address = server.address();
  return `tcp://${name}:${typeof address === "object" ? address?.port : port}`;
}

/** Lets replies under way end by themselves for a while, then closes what is left. */
async function ended(sockets: ReadonlySet<Socket>, graceMilliseconds: number): Promise<void> {
  const over = Promise.withResolvers<void>();
  const timer = setTimeout(over.resolve, graceMilliseconds);
  const idle = () => [...sockets].every((socket) => !isBusy(socket));
  for (const socket of sockets) socket.once("close", () => idle() && over.resolve());
  for (const socket of sockets) if (!isBusy(socket)) socket.destroy();
  if (idle()) over.resolve();
  await over.promise;
  clearTimeout(timer);
  for (const socket of sockets) socket.destroy();
}

/** Whether a reply is under way: node:http hangs it on its socket. */
function isBusy(socket: Socket): boolean {
  return (socket as Socket & { _httpMessage?: unknown })._httpMessage != null;
}
