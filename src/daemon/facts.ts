import { release } from "node:os";
import type { ServerFacts } from "#server";

declare const BUNKER_VERSION: string | undefined;
declare const BUNKER_COMMIT: string | undefined;
declare const BUNKER_BUILT: string | undefined;

/** Go's names, which every client of the API expects. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/** What build.ts wrote into the executable, and what the kernel says. */
export const FACTS: ServerFacts = {
  version: typeof BUNKER_VERSION === "string" ? BUNKER_VERSION : "development",
  gitCommit: typeof BUNKER_COMMIT === "string" ? BUNKER_COMMIT : "",
  buildTime: typeof BUNKER_BUILT === "string" ? BUNKER_BUILT : "",
  kernelVersion: release(),
  architecture: ARCHITECTURES[process.arch] ?? process.arch,
};
