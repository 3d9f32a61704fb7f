import { findProgram, mountsBelow, run, unmount } from "#host";
import type { GraphDriverKind } from "../../driver.ts";
import type { LayerForm } from "../overlay/form.ts";
import { openLayers } from "../overlay/layers.ts";
import { probeServed } from "./probe.ts";
import { hasDied, isInUse, LIMITER, PROGRAM, Servers } from "./server.ts";

const MERGED = "/merged";

/** Layers as overlay2 keeps them, merged by a process of the host's instead of the kernel. */
function servedTrees(): LayerForm {
  const servers = new Servers();
  return {
    name: PROGRAM,
    fill: (path, unpack) => unpack({ directory: `${path}/diff`, whiteouts: "overlay" }),
    fillEmpty: async () => {},
    show: () => {},
    noLimits: () =>
      findProgram(LIMITER) === undefined
        ? `${LIMITER} is not installed on this host, without which the server of a tree would not be bound; install the package util-linux`
        : undefined,
    serve: (stack, merged) => servers.serve(stack, merged),
    hide: (path) => unmount(`${path}${MERGED}`),
    isShown: (path) => path.endsWith(MERGED) && isInUse(path),
    close(root) {
      for (const path of mountsBelow(root)) if (!isInUse(path)) unmount(path);
    },
    status: statusOf,
  };
}

/** What runs on a server that died sees "Transport endpoint is not connected" until it is started again. */
async function statusOf(root: string): Promise<readonly (readonly [string, string])[]> {
  const merged = mountsBelow(root).filter((path) => path.endsWith(MERGED));
  const died = await Promise.all(merged.map(hasDied));
  const dead = merged.filter((_, at) => died[at]).map((path) => path.slice(root.length + 1, -MERGED.length));
  const version = (await run([PROGRAM, "--version"])).match(/fuse-overlayfs: version (\S+)/)?.[1];
  return [
    ...(version === undefined ? [] : [[PROGRAM, version] as const]),
    ["Servers", String(merged.length - dead.length)],
    ...(dead.length === 0
      ? []
      : [["Servers that died (restart what runs on them)", dead.join(" ")] as const]),
  ];
}

export const fuseOverlayfs: GraphDriverKind = {
  name: PROGRAM,
  probe: probeServed,
  open: (root) => openLayers(root, servedTrees()),
};
