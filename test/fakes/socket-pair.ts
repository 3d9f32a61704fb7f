import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { scratch } from "./scratch.ts";

/** Two ends of one unix connection, both half-closable. */
export interface SocketPair extends AsyncDisposable {
  readonly near: Socket;
  readonly far: Socket;
}

export async function socketPair(): Promise<SocketPair> {
  const place = await scratch();
  const path = join(place.path, "s");
  const arrived = Promise.withResolvers<Socket>();
  const server = createServer({ allowHalfOpen: true }, arrived.resolve);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const near = connect({ path, allowHalfOpen: true });
  const far = await arrived.promise;
  far.on("error", () => undefined);
  return {
    near,
    far,
    async [Symbol.asyncDispose]() {
      near.destroy();
      far.destroy();
      server.close();
      await place[Symbol.asyncDispose]();
    },
  };
}
