import { realpath } from "node:fs/promises";
import type { MountPoint } from "#container";
import { Fault } from "#errors";
import { mountHolding } from "#host";

const DEFAULT = "rprivate";

/**
 * How mounts reach a bind after it was made. Where the engine's own folder is in it, or it in that, a private copy
 * would keep alive what the engine unmounts: it follows the host instead. Source: docker docs, "Configure bind
 * propagation". Throws `invalid` in Docker's words.
 */
export function propagationOf(
  dataRoot: string,
  source: string,
  asked: string,
): Pick<MountPoint, "propagation" | "hasFallback"> {
  if (!isWithin(source, dataRoot) && !isWithin(dataRoot, source)) return { propagation: asked || DEFAULT };
  if (asked === "") return { propagation: "rslave", hasFallback: true };
  if (asked === "rslave" || asked === "rshared") return { propagation: asked };
  const quoted = [dataRoot, source, asked].map((text) => JSON.stringify(text));
  throw new Fault(
    "invalid",
    `invalid mount config: must use either propagation mode "rslave" or "rshared" when mount source is within the daemon root, daemon root: ${quoted[0]}, bind mount source: ${quoted[1]}, propagation: ${quoted[2]}`,
  );
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith("/") ? folder : `${folder}/`);
}

/**
 * The mounts with the propagation that they can have: nothing reaches a bind whose source is mounted privately, nor
 * leaves it. Throws `invalid` in Docker's words where somebody has asked for that.
 */
export async function settlePropagation(mounts: readonly MountPoint[]): Promise<readonly MountPoint[]> {
  const settled: MountPoint[] = [];
  for (const mount of mounts) settled.push(await settle(mount));
  return settled;
}

async function settle(mount: MountPoint): Promise<MountPoint> {
  const { type, source, propagation, hasFallback } = mount;
  const kind = propagation.replace(/^r/, "");
  if (type !== "bind" || (kind !== "shared" && kind !== "slave")) return mount;
  const holding = mountHolding(await realpath(source));
  const isEnough = kind === "shared" ? holding.isShared : holding.isShared || holding.isSlave;
  if (isEnough) return mount;
  if (hasFallback) return { ...mount, propagation: DEFAULT };
  const wanted = kind === "shared" ? "a shared mount" : "a shared or slave mount";
  throw new Fault("invalid", `path ${source} is mounted on ${holding.path} but it is not ${wanted}`);
}
