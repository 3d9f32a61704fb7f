import type { NetworkDriverKind } from "../../driver.ts";

/** Containers that have a network namespace with nothing in it but the loopback. */
export const noNetwork: NetworkDriverKind = {
  name: "none",
  probe: () => ({ usable: true }),
  open: () => ({
    namespace: "new",
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
