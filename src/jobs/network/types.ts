import type { Endpoint, Network } from "#network";
import type { Filters, Ref } from "../shapes.ts";

export type NetworkJobs = {
  readonly "network.list": {
    readonly input: { readonly filters: Filters };
    readonly output: readonly Network[];
  };
  readonly "network.inspect": {
    readonly input: Ref;
    readonly output: {
      readonly network: Network;
      readonly endpoints: readonly {
        readonly containerId: string;
        readonly name: string;
        readonly endpoint: Endpoint;
      }[];
    };
  };
};
