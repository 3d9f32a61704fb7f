import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  Htpasswd,
  openRegistryStore,
  type RegistryServer,
  type RegistryStore,
  serveRegistry,
} from "#registry";

/** A private registry on loopback, over a folder of its own; disposing it removes both. */
export interface ServedStore extends AsyncDisposable {
  readonly folder: string;
  readonly store: RegistryStore;
  readonly server: RegistryServer;
}

/** `users` is a file of htpasswd's. */
export async function serveStore({ users }: { readonly users?: string } = {}): Promise<ServedStore> {
  const folder = await mkdtemp(join(tmpdir(), "bunker-registry-unit-"));
  const store = await openRegistryStore(folder);
  const server = serveRegistry({
    hostname: "127.0.0.1",
    port: 0,
    store,
    mayDelete: true,
    ...(users !== undefined && { users: new Htpasswd(users) }),
    complain: (sentence, cause) => {
      throw new Error(sentence, { cause });
    },
  });
  return {
    folder,
    store,
    server,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
