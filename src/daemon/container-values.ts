import { readFileSync, statSync } from "node:fs";
import { z } from "zod";
import { didYouMean, Fault, sentenceOf } from "#errors";
import { findProgram } from "#host";
import type { ContainerDefaults } from "#jobs";
import { RLIMIT_NAMES, resolveSeccomp, rlimitNumber } from "#libcontainer";
import { OWN_RUNTIME, RUNTIMES } from "./runtime-values.ts";

/** Switches that Docker knows of, and why they cannot be turned here; the others are nobody's. */
const FIXED_FEATURES: Readonly<Record<string, string>> = {
  buildkit: "there is no builder",
  "containerd-snapshotter": "images are kept by this engine itself, and never by containerd",
  "containerd-migration": "images are kept by this engine itself, and never by containerd",
  "time-namespaces": "containers have time namespaces wherever the kernel has them",
};

const Switch = z.union([z.boolean(), z.enum(["true", "false"]).transform((word) => word === "true")]);

const nameOf = (input: unknown): string => (input as { readonly Name: string }).Name;

const Ulimit = z
  .strictObject({ Name: z.string(), Soft: z.number().int().min(-1), Hard: z.number().int().min(-1) })
  .refine(({ Name }) => rlimitNumber(Name) !== undefined, {
    error: ({ input }) => `there is no such limit${didYouMean(nameOf(input), RLIMIT_NAMES)}`,
  })
  .refine(({ Soft, Hard }) => Hard < 0 || (Soft >= 0 && Soft <= Hard), {
    error: "the soft limit is above the hard one",
  });

/** What containers get from the engine's settings. Source: Docker's dockerd reference, "Daemon configuration file". */
export const CONTAINER_VALUES = {
  "cdi-spec-dirs": z
    .array(z.union([z.literal(""), z.string().startsWith("/")]))
    .default(["/etc/cdi", "/var/run/cdi"]),
  "default-runtime": z.string().min(1).default(OWN_RUNTIME),
  runtimes: RUNTIMES,
  "default-cgroupns-mode": z.enum(["private", "host"]).default("private"),
  "default-ipc-mode": z.enum(["private", "shareable"]).default("private"),
  "default-ulimits": z.record(z.string(), Ulimit).default({}),
  "seccomp-profile": z.string().min(1).default("builtin"),
  "userns-remap": z.string().default(""),
  "init-path": z.string().min(1).optional(),
  features: z
    .record(z.string(), Switch)
    .superRefine((features, context) => {
      for (const [name, isOn] of Object.entries(features)) {
        if (name === "cdi" || !isOn) continue;
        const why = FIXED_FEATURES[name] ?? "there is no such feature";
        context.addIssue(`${name.slice(0, 100)} cannot be switched on: ${why}`);
      }
    })
    .default({}),
};

const Values = z.object(CONTAINER_VALUES);

/** Where CDI files are looked for; nothing when CDI is switched off. */
export function cdiSettings(config: z.infer<typeof Values>): {
  readonly cdiDirectories: readonly string[] | undefined;
} {
  const directories = config["cdi-spec-dirs"].filter((directory) => directory !== "");
  return {
    cdiDirectories: config.features.cdi === false || directories.length === 0 ? undefined : directories,
  };
}

/** What is read from the host once, at the start. Throws `invalid` for a profile or a program that cannot be used. */
export function fixedDefaults(
  config: z.infer<typeof Values>,
): Pick<ContainerDefaults, "initPath" | "seccomp" | "ulimits"> {
  const init = config["init-path"];
  return {
    seccomp: seccompOf(config["seccomp-profile"]),
    ulimits: Object.values(config["default-ulimits"]).map(({ Name, Soft, Hard }) => ({
      name: Name,
      soft: Soft,
      hard: Hard,
    })),
    ...(init === undefined ? {} : { initPath: programAt(init) }),
  };
}

function seccompOf(profile: string): NonNullable<ContainerDefaults["seccomp"]> {
  if (profile === "builtin" || profile === "unconfined") return { kind: profile };
  try {
    const json = readFileSync(profile, "utf8");
    resolveSeccomp(json, new Set());
    return { kind: "custom", json };
  } catch (thrown) {
    throw new Fault("invalid", `Cannot use the seccomp profile ${profile}: ${sentenceOf(thrown)}`, {
      cause: thrown,
    });
  }
}

function programAt(path: string): string {
  const found = path.startsWith("/") ? path : findProgram(path);
  try {
    if ((statSync(found ?? path).mode & 0o111) === 0) throw new Fault("invalid", "it is no program");
    return found ?? path;
  } catch (thrown) {
    throw new Fault("invalid", `Cannot use the init ${path}: ${sentenceOf(thrown)}`, { cause: thrown });
  }
}
