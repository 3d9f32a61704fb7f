import type { Cluster } from "../../cluster/cluster.ts";
import type { NetworkDriverKind } from "../../driver.ts";
import { OverlayDriver } from "./driver.ts";

/** Networks that hosts share: one segment over all of them by VXLAN. Without a store every one is refused. */
export const overlayNetwork = (cluster: Cluster | undefined): NetworkDriverKind => ({
  name: "overlay",
  probe: () => ({ usable: true }),
  open: (host) => new OverlayDriver(host, cluster),
});
