import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";

/** How long a client may take to agree on keys, in milliseconds: it holds a descriptor meanwhile. */
const HANDSHAKE_TIMEOUT = 10_000;

/** PEM text. With `ca` only clients whose certificate it has signed are let in. */
export interface ServerKeys {
  readonly cert: string;
  readonly key: string;
  readonly ca?: string;
}

/** A server whose connections end each half by itself; over TLS the end of a half is a close-notify. */
export function streamServer(accept: (socket: Socket) => void, keys?: ServerKeys): Server {
  const plain = { allowHalfOpen: true, noDelay: true };
  if (keys === undefined) return createServer(plain, accept);
  const { cert, key, ca } = keys;
  const clients = ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: true };
  const options = { ...plain, cert, key, ...clients, handshakeTimeout: HANDSHAKE_TIMEOUT };
  const server = createTlsServer({ ...options, minVersion: "TLSv1.2" }, accept);
  // Whoever has no key of ours, or speaks no TLS, is gone already.
  server.on("tlsClientError", () => undefined);
  return server;
}
