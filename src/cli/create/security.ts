import type { HostConfigBody } from "#client";
import { didYouMean, Fault } from "#errors";
import { readText } from "./environment.ts";

/**
 * The values of `--security-opt`, with a seccomp profile's file read and put in its place: the daemon may be elsewhere.
 * `systempaths=unconfined` becomes empty lists of masked and read-only paths.
 * @throws Fault `invalid`
 */
export function securityOptions(
  options: readonly string[],
): Pick<HostConfigBody, "SecurityOpt" | "MaskedPaths" | "ReadonlyPaths"> {
  const kept = options.map(inlined).filter((option) => option !== "systempaths=unconfined");
  const isUnmasked = kept.length < options.length;
  return {
    ...(kept.length > 0 ? { SecurityOpt: kept } : {}),
    ...(isUnmasked ? { MaskedPaths: [], ReadonlyPaths: [] } : {}),
  };
}

function inlined(option: string): string {
  const [, key = "", separator, value = ""] = /^([^=:]*)([=:])?(.*)$/s.exec(option) ?? [];
  if (separator === undefined && option !== "no-new-privileges")
    throw new Fault(
      "invalid",
      `Invalid --security-opt: ${JSON.stringify(option)}${didYouMean(option, ["no-new-privileges"])}`,
    );
  if (key !== "seccomp" || ["unconfined", "builtin"].includes(value)) return option;
  return `seccomp=${profile(value)}`;
}

function profile(path: string): string {
  let text: string;
  try {
    text = readText(path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Fault("invalid", `opening seccomp profile (${path}) failed: ${reason}`, { cause });
  }
  try {
    return JSON.stringify(JSON.parse(text));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Fault("invalid", `compacting json for seccomp profile (${path}) failed: ${reason}`, { cause });
  }
}
