import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { Fault } from "#errors";
import type { LocalMount } from "./options.ts";

/** How long a name may take. Milliseconds. */
const PATIENCE = 20_000;

/**
 * The mount with its server's address in place of its name: the kernel asks nobody. The server is the one of
 * `addr=`, else that of the device. Of others than network file systems: as it is.
 */
export async function withAddress(mount: LocalMount, resolve = resolveName): Promise<LocalMount> {
  const server = serverOf(mount);
  if (server === undefined) return mount;
  const given = mount.options.findIndex((option) => option.startsWith("addr="));
  const address = isIP(server) > 0 ? server : await resolve(server);
  const options = mount.options.filter((_, at) => at !== given);
  return { ...mount, options: [...options, `addr=${address}`] };
}

/** Source: nfs(5), mount.cifs(8), for how a device names its server. */
function serverOf({ type, device, options }: LocalMount): string | undefined {
  const pattern = DEVICES[type];
  if (pattern === undefined) return undefined;
  const given = options.find((option) => option.startsWith("addr="))?.slice("addr=".length);
  const server = given ?? pattern.exec(device)?.[1];
  return server === undefined || server === "" ? undefined : server;
}

const NFS = /^\[?([^/[\]]*?)\]?:\//;
const CIFS = /^(?:cifs:|smb:)?\/\/(?:[^@/]*@)?([^/:]+)/;
const DEVICES: Readonly<Record<string, RegExp>> = { nfs: NFS, nfs4: NFS, cifs: CIFS, smb3: CIFS };

async function resolveName(name: string): Promise<string> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error("no answer")), PATIENCE);
  try {
    return (await Promise.race([lookup(name), late])).address;
  } catch (cause) {
    throw new Fault(
      "unavailable",
      `error resolving passed in network volume address: lookup ${name}: ${(cause as Error).message}`,
      { cause },
    );
  } finally {
    clearTimeout(timer);
  }
}
