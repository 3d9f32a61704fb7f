import type { HostSpec } from "#container";
import { didYouMean, Fault } from "#errors";
import {
  type Capability,
  defaultAppArmorProfile,
  defaultSeccomp,
  isAppArmorEnabled,
  resolveSeccomp,
  type SeccompProfile,
} from "#libcontainer";

/** What `--security-opt` comes to. */
export interface SecurityOptions {
  /** `default` is what the engine's settings say, and the built-in profile where they say nothing. */
  readonly seccomp:
    | { readonly kind: "default" | "builtin" | "unconfined" }
    | { readonly kind: "custom"; readonly json: string };
  /** Absent: the default profile, where the host has it. */
  readonly apparmor?: string;
  /** Absent: as the engine's settings say. */
  readonly noNewPrivileges?: boolean;
  readonly isSystemUnconfined: boolean;
  readonly isCgroupWritable: boolean;
  readonly warnings: readonly string[];
}

/** Longest part of an option that is repeated in a message: a seccomp profile comes whole. */
const SHOWN = 64;

/** Source: docker run reference, "Security configuration". Throws `invalid`, naming the option. */
export function parseSecurityOptions(options: readonly string[]): SecurityOptions {
  const found: { -readonly [Key in keyof SecurityOptions]: SecurityOptions[Key] } = {
    seccomp: { kind: "default" },
    isSystemUnconfined: false,
    isCgroupWritable: false,
    warnings: [],
  };
  for (const option of options) {
    const { key, value } = split(option);
    if (key === "seccomp") found.seccomp = seccompOf(value);
    else if (key === "apparmor") found.apparmor = value;
    else if (key === "no-new-privileges") found.noNewPrivileges = claim(value, option);
    else if (key === "systempaths" && value === "unconfined") found.isSystemUnconfined = true;
    else if (key === "writable-cgroups") found.isCgroupWritable = claim(value, option);
    else if (key === "label") found.warnings = [LABEL_WARNING];
    else
      throw new Fault(
        "invalid",
        `invalid --security-opt 2: "${option.slice(0, SHOWN)}"${meant(option, key)}`,
      );
  }
  return found;
}

const KEYS = ["seccomp", "apparmor", "no-new-privileges", "systempaths", "writable-cgroups", "label"];

const meant = (option: string, key: string): string =>
  key === "systempaths" ? didYouMean(option, ["systempaths=unconfined"]) : didYouMean(key, KEYS);

const LABEL_WARNING = "SELinux labels are not supported on this host. Label discarded.";

/** `key=value`, in old clients `key:value`, or the key alone. */
function split(option: string): { readonly key: string; readonly value: string } {
  const at = option.search(/[=:]/);
  return at < 0 ? { key: option, value: "" } : { key: option.slice(0, at), value: option.slice(at + 1) };
}

function seccompOf(value: string): SecurityOptions["seccomp"] {
  if (value === "unconfined") return { kind: "unconfined" };
  return value === "" || value === "builtin" ? { kind: "builtin" } : { kind: "custom", json: value };
}

function claim(value: string, option: string): boolean {
  if (value === "" || value === "true" || value === "1") return true;
  if (value === "false" || value === "0") return false;
  throw new Fault("invalid", `invalid --security-opt 2: "${option.slice(0, SHOWN)}"`);
}

/** The filter of a container with these capabilities; undefined means none. Throws `invalid` for a profile that cannot be used. */
export function seccompProfile(
  { privileged, securityOptions }: HostSpec,
  capabilities: readonly Capability[],
  usual: SecurityOptions["seccomp"] = { kind: "builtin" },
): SeccompProfile | undefined {
  const { seccomp: asked } = parseSecurityOptions(securityOptions);
  if (privileged && asked.kind !== "custom") return undefined;
  const seccomp = asked.kind === "default" ? usual : asked;
  if (seccomp.kind === "custom") return resolveSeccomp(seccomp.json, new Set(capabilities));
  if (seccomp.kind === "unconfined") return undefined;
  return defaultSeccomp(capabilities);
}

/** The AppArmor profile; undefined means none, and always where the kernel has no AppArmor. */
export function apparmorProfile({ privileged, securityOptions }: HostSpec): string | undefined {
  const { apparmor } = parseSecurityOptions(securityOptions);
  if (!isAppArmorEnabled() || apparmor === "unconfined") return undefined;
  if (apparmor !== undefined && apparmor !== "") return apparmor;
  return privileged ? undefined : defaultAppArmorProfile();
}
