import { didYouMean, Fault } from "#errors";
import type { Network, Networks } from "#network";

/** Those that every engine has. */
export const PREDEFINED: readonly string[] = ["bridge", "host", "none"];

/** Throws `not_found` in Docker's words, `invalid` for a prefix of several ids. */
export function requireNetwork(networks: Pick<Networks, "find">, ref: string): Network {
  const network = networks.find(ref);
  if (network === undefined)
    throw new Fault("not_found", `network ${ref.slice(0, 256)} not found${didYouMean(ref, PREDEFINED)}`);
  return network;
}
