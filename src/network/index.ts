/**
 * Owns networks, endpoints, addresses, published ports and the rules that carry them.
 * Refuses to know images and processes: a container here is an id, a name and a namespace.
 * Called by `jobs`; `daemon` names its drivers.
 */
export type * from "./driver.ts";
