declare const BUNKER_VERSION: string;
declare const BUNKER_COMMIT: string;
declare const BUNKER_BUILT: string;

/** The version that this program was built as; run from its sources it has none. */
export const CLIENT_VERSION = typeof BUNKER_VERSION === "undefined" ? "development" : BUNKER_VERSION;

/** Short hash of the commit that this program was built from; empty where that is not known. */
export const CLIENT_COMMIT = typeof BUNKER_COMMIT === "undefined" ? "" : BUNKER_COMMIT;

/** When that commit was made, in RFC 3339; empty where that is not known. */
export const CLIENT_BUILT = typeof BUNKER_BUILT === "undefined" ? "" : BUNKER_BUILT;

/** What this program answers to: as a link called docker it speaks and behaves as docker. */
export type ProgramName = "bunker" | "docker";

/** The name that somebody ran this program by, as in `/usr/local/bin/docker`. */
export function programName(called: string): ProgramName {
  return called.slice(called.lastIndexOf("/") + 1) === "docker" ? "docker" : "bunker";
}
