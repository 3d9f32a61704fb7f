import { release } from "node:os";
import { z } from "zod";
import { Fault, sentenceOf } from "#errors";
import type { Capability } from "../plan.ts";
import type { SeccompProfile } from "../spec.ts";
import { actionValue } from "./actions.ts";
import { defaultProfile, type ProfileHost } from "./profile.ts";

/** A value of an argument, up to 64 bits. */
const Wide = z.union([z.bigint(), z.number().int().nonnegative().transform(BigInt)]);
const Names = z.array(z.string().max(128)).max(4096).nullish();

const Condition = z.object({ caps: Names, arches: Names, minKernel: z.string().nullish() }).nullish();

/** Source: Docker's documentation, "Seccomp security profiles for Docker"; OCI runtime specification 1.2, config-linux.md, "Seccomp". */
const DockerProfile = z.object({
  defaultAction: z.string(),
  defaultErrnoRet: z.number().int().min(0).max(0xffff).nullish(),
  architectures: Names,
  archMap: z.array(z.object({ architecture: z.string(), subArchitectures: Names })).nullish(),
  flags: Names,
  listenerPath: z.string().nullish(),
  syscalls: z
    .array(
      z.object({
        name: z.string().nullish(),
        names: Names,
        action: z.string(),
        errnoRet: z.number().int().min(0).max(0xffff).nullish(),
        args: z
          .array(
            z.object({
              index: z.number().int().min(0).max(5),
              value: Wide,
              valueTwo: Wide.nullish(),
              op: z.string(),
            }),
          )
          .nullish(),
        includes: Condition,
        excludes: Condition,
      }),
    )
    .max(4096)
    .nullish(),
});
type DockerProfile = z.infer<typeof DockerProfile>;
type DockerRule = NonNullable<DockerProfile["syscalls"]>[number];

/** The longest profile that is read, in characters: Docker's own has 12,000. */
const LONGEST = 1024 * 1024;

/**
 * A profile in Docker's format, resolved for one container: rules that depend on capabilities, architecture or
 * kernel are kept or left out. Throws `invalid`, naming what is wrong.
 */
export function resolveSeccomp(
  json: string,
  capabilities: ReadonlySet<Capability>,
  host: ProfileHost = thisHost(),
): SeccompProfile {
  const profile = parse(json);
  if (profile.listenerPath)
    throw new Fault(
      "invalid",
      "Cannot use the seccomp profile: listenerPath hands calls to another program, which is not supported",
    );
  const architectures = architecturesOf(profile, host);
  actionValue(profile.defaultAction);
  return {
    defaultAction: profile.defaultAction,
    defaultErrno: profile.defaultErrnoRet ?? 1,
    architectures,
    ...(profile.flags ? { flags: profile.flags } : {}),
    syscalls: (profile.syscalls ?? [])
      .filter((rule) => applies(rule, capabilities, host))
      .filter((rule) => rule.action !== profile.defaultAction || !sameErrno(rule, profile))
      .flatMap(rulesOf),
  };
}

/** Numbers beyond 2^53 keep every digit. */
function parse(json: string): DockerProfile {
  if (json.length > LONGEST)
    throw new Fault("invalid", `Cannot use the seccomp profile: it is longer than ${LONGEST} characters`);
  try {
    const keepDigits = (_: string, value: unknown, context?: { readonly source?: string }) =>
      typeof value === "number" && !Number.isSafeInteger(value) && /^[0-9]+$/.test(context?.source ?? "")
        ? BigInt(context?.source ?? 0)
        : value;
    return DockerProfile.parse(JSON.parse(json, keepDigits));
  } catch (cause) {
    const reason =
      cause instanceof z.ZodError ? z.prettifyError(cause).replaceAll("\n", " ") : sentenceOf(cause);
    throw new Fault("invalid", `Decoding seccomp profile failed: ${reason}`, { cause });
  }
}

/** Docker's words for node's architectures. */
const NATIVE: Readonly<Record<string, { readonly go: string; readonly seccomp: string }>> = {
  x64: { go: "amd64", seccomp: "SCMP_ARCH_X86_64" },
  arm64: { go: "arm64", seccomp: "SCMP_ARCH_AARCH64" },
};

function architecturesOf(profile: DockerProfile, host: ProfileHost): readonly string[] {
  if (profile.architectures?.length && profile.archMap?.length)
    throw new Fault(
      "invalid",
      "Cannot use the seccomp profile: it has both architectures and archMap, and only one is allowed",
    );
  const native = NATIVE[host.architecture]?.seccomp;
  const entry = profile.archMap?.find(({ architecture }) => architecture === native);
  if (entry !== undefined) return [entry.architecture, ...(entry.subArchitectures ?? [])];
  return profile.architectures ?? [];
}

function applies(
  { includes, excludes }: DockerRule,
  capabilities: ReadonlySet<Capability>,
  host: ProfileHost,
): boolean {
  const native = NATIVE[host.architecture]?.go ?? host.architecture;
  const holds = (name: string) => (capabilities as ReadonlySet<string>).has(name);
  if (excludes?.arches?.includes(native) || excludes?.caps?.some(holds)) return false;
  if (excludes?.minKernel && isKernelAtLeast(excludes.minKernel, host)) return false;
  if (includes?.arches?.length && !includes.arches.includes(native)) return false;
  if (includes?.caps?.length && !includes.caps.every(holds)) return false;
  return !includes?.minKernel || isKernelAtLeast(includes.minKernel, host);
}

function isKernelAtLeast(text: string, { kernel }: ProfileHost): boolean {
  const match = /^([0-9]+)\.([0-9]+)$/.exec(text);
  if (match === null)
    throw new Fault("invalid", `Cannot use the seccomp profile: "${text}" is no kernel version like 4.8`);
  const [major, minor] = [Number(match[1]), Number(match[2])];
  return kernel[0] > major || (kernel[0] === major && kernel[1] >= minor);
}

function sameErrno(rule: DockerRule, profile: DockerProfile): boolean {
  return (rule.errnoRet ?? 1) === (profile.defaultErrnoRet ?? 1);
}

/** Conditions on different arguments must all hold; several on one argument are alternatives, as in every OCI runtime. */
function rulesOf(rule: DockerRule): SeccompProfile["syscalls"] {
  actionValue(rule.action);
  const names = [...(rule.name ? [rule.name] : []), ...(rule.names ?? [])];
  if (rule.name && rule.names?.length)
    throw new Fault(
      "invalid",
      "Cannot use the seccomp profile: a rule has both name and names, and only one is allowed",
    );
  const args = (rule.args ?? []).map(({ index, value, valueTwo, op }) => ({
    index,
    value,
    valueTwo: valueTwo ?? 0n,
    op,
  }));
  const isUnique = new Set(args.map(({ index }) => index)).size === args.length;
  const base = { names, action: rule.action, ...(rule.errnoRet == null ? {} : { errno: rule.errnoRet }) };
  return isUnique ? [{ ...base, args }] : args.map((arg) => ({ ...base, args: [arg] }));
}

/** This machine, as profiles ask about it. */
export function thisHost(): ProfileHost {
  const [, major = "0", minor = "0"] = /^([0-9]+)\.([0-9]+)/.exec(release()) ?? [];
  return { architecture: process.arch, kernel: [Number(major), Number(minor)] };
}

/** So many capability sets keep their profile; each compiled one takes a few kB. */
const MOST_DEFAULTS = 64;
const defaults = new Map<string, SeccompProfile>();

/** The default profile for these capabilities: one object for equal sets, which is compiled once. */
export function defaultSeccomp(capabilities: readonly Capability[]): SeccompProfile {
  const key = capabilities.toSorted().join();
  const known = defaults.get(key);
  if (known !== undefined) return known;
  if (defaults.size >= MOST_DEFAULTS) defaults.clear();
  const profile = defaultProfile(new Set(capabilities), thisHost());
  defaults.set(key, profile);
  return profile;
}
