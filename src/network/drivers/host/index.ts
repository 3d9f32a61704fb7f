import type { NetworkDriverKind } from "../../driver.ts";

/** Containers that have the host's own network: nothing is made, nothing can be published. */
export const hostNetwork: NetworkDriverKind = {
  name: "host",
  probe: () => ({ usable: true }),
  open: () => ({
    namespace: "host",
    isAddressed: false,
    setUp: async (network) => network,
    tearDown: async () => {},
    join: () => ({ links: [], sysctls: {} }),
    open: async () => {},
    close: async () => {},
    settle: async () => {},
  }),
};
