export { type NamedNetwork, type NameEntry, NameTable } from "./names.ts";
export { type Outlook, Resolver, type ResolverOptions, type ResolverRequest } from "./resolver.ts";
export { EMBEDDED_SERVER, type Upstream, upstreamsOf } from "./upstream.ts";
