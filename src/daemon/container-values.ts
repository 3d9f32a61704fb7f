import { z } from "zod";

/** Switches that Docker knows of, and why they cannot be turned here; the others are nobody's. */
const FIXED_FEATURES: Readonly<Record<string, string>> = {
  buildkit: "there is no builder",
  "containerd-snapshotter": "images are kept by this engine itself, and never by containerd",
  "containerd-migration": "images are kept by this engine itself, and never by containerd",
  "time-namespaces": "containers have time namespaces wherever the kernel has them",
};

const Switch = z.union([z.boolean(), z.enum(["true", "false"]).transform((word) => word === "true")]);

/** What containers get from the engine's settings. Source: Docker's dockerd reference, "Daemon configuration file". */
export const CONTAINER_VALUES = {
  "cdi-spec-dirs": z
    .array(z.union([z.literal(""), z.string().startsWith("/")]))
    .default(["/etc/cdi", "/var/run/cdi"]),
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
