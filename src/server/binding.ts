import type { Server as NetServer } from "node:net";
import { Fault, sentenceOf } from "#errors";

/** Settles when the server listens; the Fault names the host. */
export async function listening(
  server: NetServer,
  where: { readonly path: string } | { readonly host: string; readonly port: number },
  host: string,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject).once("listening", resolve);
  try {
    server.listen(where);
    await promise;
  } catch (cause) {
    throw new Fault("conflict", `Cannot listen on ${host}: ${sentenceOf(cause)}`, { cause });
  } finally {
    server.off("error", reject).off("listening", resolve);
  }
}

export function closed(server: NetServer): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  // Connections are ended afterwards; the server counts them and would wait.
  queueMicrotask(resolve);
  return promise;
}
