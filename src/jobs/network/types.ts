import type { EndpointSpec } from "#container";
import type { Endpoint, Finding, Network, NetworkRequest, PortReport } from "#network";
import type { Filters, Ref } from "../shapes.ts";

export type NetworkJobs = {
  readonly "network.list": {
    readonly input: { readonly filters: Filters };
    readonly output: readonly Network[];
  };
  readonly "network.inspect": {
    readonly input: Ref & { readonly scope?: string };
    readonly output: {
      readonly network: Network;
      readonly endpoints: readonly {
        readonly containerId: string;
        readonly name: string;
        readonly endpoint: Endpoint;
      }[];
    };
  };
  readonly "network.create": {
    readonly input: NetworkRequest;
    readonly output: { readonly id: string; readonly warning: string };
  };
  readonly "network.remove": {
    readonly input: Ref & { readonly force?: boolean };
    readonly output: Record<string, never>;
  };
  /** Of a container that does not run only its record changes. `ref` is the network. */
  readonly "network.connect": {
    readonly input: Ref & { readonly container: string; readonly endpoint: EndpointSpec };
    readonly output: Record<string, never>;
  };
  readonly "network.disconnect": {
    readonly input: Ref & { readonly container: string; readonly force: boolean };
    readonly output: Record<string, never>;
  };
  readonly "network.prune": {
    readonly input: { readonly filters: Filters };
    readonly output: { readonly deleted: readonly string[] };
  };
  readonly "network.doctor": { readonly input: Record<string, never>; readonly output: readonly Finding[] };
  readonly "network.ports": {
    readonly input: Record<string, never>;
    readonly output: readonly PortReport[];
  };
};
