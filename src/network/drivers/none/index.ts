import type { NetworkDriverKind } from "../../driver.ts";
import { bringLoopbackUp } from "../../netlink-steps.ts";

/** Containers that have a network namespace with nothing in it but the loopback. */
export const noNetwork: NetworkDriverKind = {
  name: "none",
  probe: () => ({ usable: true }),
  open: () => ({
    namespace: "new",
    isAddressed: false,
    setUp: async (network) => network,
    tearDown: async () => {},
    join: () => ({ links: [bringLoopbackUp()], sysctls: {} }),
    open: async () => {},
    close: async () => {},
    settle: async () => {},
  }),
};
