/** Giving subnets and addresses, by subject. */
export * from "./ipam/default.ts";
export * from "./ipam/null.ts";
export * from "./ipam/pools.ts";
export * from "./ipam/range.ts";
export * from "./ipam/taken.ts";
