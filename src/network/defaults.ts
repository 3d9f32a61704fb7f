import { readFileSync } from "node:fs";
import { Fault } from "#errors";
import type { Network } from "./driver.ts";
import { randomId } from "./endpoint.ts";

/** Those that every daemon has, by driver; `bridge` unless the bridge's name is `none`. */
export const DEFAULT_NETWORKS = ["bridge", "host", "none"];
/** Theirs are nobody else's to make, and nobody's to remove. */
export const PREDEFINED_NETWORKS: readonly string[] = [...DEFAULT_NETWORKS, "default"];
/** `--bridge none`: this daemon has no bridge of its own; networks that users make have theirs. */
export const NO_BRIDGE = "none";
/** It becomes a part of rules and of paths: nothing that means something there. */
const BRIDGE_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$/;
/** Docker shows the driver of the network `none` so. */
export const DRIVER_SHOWN: Readonly<Record<string, string>> = { none: "null" };

/** The option by which the daemon's own bridge is told from others, as in Docker. */
export const DEFAULT_BRIDGE = "com.docker.network.bridge.default_bridge";

export function requireBridgeName(name: string): void {
  if (!BRIDGE_NAME.test(name))
    throw new Fault(
      "invalid",
      `Cannot use --bridge ${name}: a link's name has at most 15 letters, digits, dots, dashes and underscores`,
    );
}

/** No link ever has it. One for each state directory. */
export function standInName(stateDirectory: string): string {
  const hash = new Bun.CryptoHasher("sha256").update(stateDirectory).digest("hex");
  return `none-${hash.slice(0, 8)}`;
}

export function defaultNetwork(name: string): Network {
  return {
    id: randomId(),
    name,
    driver: DRIVER_SHOWN[name] ?? name,
    created: Date.now(),
    scope: "local",
    ipam: { driver: name === "bridge" ? "default" : "null", options: {}, pools: [] },
    options: name === "bridge" ? { [DEFAULT_BRIDGE]: "true" } : {},
    labels: {},
    isInternal: false,
    isAttachable: false,
    isIpv4: true,
    isIpv6: false,
  };
}

/** Whether any interface has an IPv6 address. Format: proc(5), /proc/net/if_inet6. */
export function hostHasIpv6(): boolean {
  try {
    return readFileSync("/proc/net/if_inet6", "utf8").length > 0;
  } catch {
    return false;
  }
}
