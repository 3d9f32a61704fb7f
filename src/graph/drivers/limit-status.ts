import type { Verdict } from "../driver.ts";

/** The row of `info` that tells whether containers can be given a size. */
export const limitStatus = (limitable: Verdict): readonly [string, string] => [
  "Container Size Limits",
  limitable.usable ? "true" : `false: ${limitable.reason}`,
];
