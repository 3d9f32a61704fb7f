import type { NetworkDriverKind } from "../../driver.ts";

/** Containers that have the host's own network: nothing is made, nothing can be published. */
export const hostNetwork: NetworkDriverKind = {
  name: "host",
  probe: () => ({ usable: true }),
  open: () => ({
    namespace: "host",
    isAddressed: false,
    carriesPorts: false,
    admit: (network) => network,
    setUp: async (network) => network,
    tearDown: async () => {},
    join: async () => ({ links: [], sysctls: {} }),
    open: async () => {},
    shut: async () => {},
    close: async () => {},
    settle: async () => {},
  }),
};
