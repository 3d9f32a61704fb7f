/** Steps of rtnetlink, by subject: what the launcher or this process is to ask the kernel for. */
export * from "./steps/addresses.ts";
export * from "./steps/bridge-ports.ts";
export * from "./steps/links.ts";
export * from "./steps/routes.ts";
export { macBytes } from "./steps/step.ts";
