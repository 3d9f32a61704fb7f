import { release } from "node:os";
import type { ServerFacts } from "#server";
import type { Config } from "./config.ts";

declare const BUNKER_VERSION: string | undefined;
declare const BUNKER_COMMIT: string | undefined;
declare const BUNKER_BUILT: string | undefined;

/** Go's names, which every client of the API expects. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/** What clients are told of this build and this daemon. */
export const serverFacts = (config: Pick<Config, "experimental" | "min-api-version">): ServerFacts => ({
  ...FACTS,
  isExperimental: config.experimental,
  minimumApiVersion: config["min-api-version"],
});

/** What build.ts wrote into the executable, and what the kernel says. */
export const FACTS: ServerFacts = {
  version: typeof BUNKER_VERSION === "string" ? BUNKER_VERSION : "development",
  gitCommit: typeof BUNKER_COMMIT === "string" ? BUNKER_COMMIT : "",
  buildTime: typeof BUNKER_BUILT === "string" ? BUNKER_BUILT : "",
  kernelVersion: release(),
  architecture: ARCHITECTURES[process.arch] ?? process.arch,
};
