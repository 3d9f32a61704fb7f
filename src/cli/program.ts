declare const BUNKER_VERSION: string;

/** The version that this program was built as; run from its sources it has none. */
export const CLIENT_VERSION = typeof BUNKER_VERSION === "undefined" ? "development" : BUNKER_VERSION;
