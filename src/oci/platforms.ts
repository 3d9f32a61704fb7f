import { didYouMean } from "#errors";
import type { Platform } from "./platform.ts";

/** What can be built and run, by operating system. Source: Go, "Installing Go from source", "Optional environment variables". */
const PLATFORMS: Readonly<Record<string, readonly string[]>> = {
  darwin: ["386", "amd64", "arm", "arm64"],
  dragonfly: ["amd64"],
  freebsd: ["386", "amd64", "arm", "arm64"],
  linux: ["386", "amd64", "arm", "arm64", "loong64", "mips64", "mips64le", "ppc64le", "riscv64", "s390x"],
  netbsd: ["386", "amd64", "arm"],
  openbsd: ["386", "amd64", "arm", "arm64"],
  plan9: ["386", "amd64"],
  solaris: ["amd64"],
  windows: ["386", "amd64", "arm", "arm64"],
};
const PAIRS = Object.entries(PLATFORMS).flatMap(([os, all]) => all.map((one) => `${os}/${one}`));

type Pair = Pick<Platform, "os" | "architecture">;

/** Whether such a platform is anywhere. */
export const isKnownPlatform = ({ os, architecture }: Pair): boolean =>
  PAIRS.includes(`${os}/${architecture}`);

/** Which one was probably meant, to go behind a sentence that refuses a platform; nothing for one that is known. */
export const meantPlatform = ({ os, architecture }: Pair): string =>
  didYouMean(`${os}/${architecture}`, PAIRS);
