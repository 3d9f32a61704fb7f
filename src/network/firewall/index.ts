/** The rules of the host's firewall that carry, confine and translate what containers say. */
export { openFirewall } from "./choose.ts";
export { diagnoseFirewall } from "./diagnose.ts";
export { Firewall } from "./firewall.ts";
export type * from "./state.ts";
