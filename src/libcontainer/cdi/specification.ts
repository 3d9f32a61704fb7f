import { z } from "zod";

/** Source: Container Device Interface 1.0, "Kind" and "CDI Devices". */
const KIND = /^[A-Za-z]([A-Za-z0-9_.-]*[A-Za-z0-9])?\/[A-Za-z]([A-Za-z0-9_-]*[A-Za-z0-9])?$/;
const DEVICE = /^[A-Za-z0-9]([A-Za-z0-9_.:-]*[A-Za-z0-9])?$/;
const Path = z.string().startsWith("/");
const Id = z.number().int().min(0).max(0xffff_ffff);

const Edits = z.object({
  env: z.array(z.string().regex(/^[^=\0]+=[^\0]*$/)).default([]),
  deviceNodes: z
    .array(
      z.object({
        path: Path,
        hostPath: Path.optional(),
        type: z.enum(["b", "c", "u", "p"]).optional(),
        major: Id.optional(),
        minor: Id.optional(),
        fileMode: z.number().int().min(0).max(0o7777).optional(),
        permissions: z
          .string()
          .regex(/^[rwm]{0,3}$/)
          .optional(),
        uid: Id.optional(),
        gid: Id.optional(),
      }),
    )
    .default([]),
  mounts: z
    .array(
      z.object({
        hostPath: z.string(),
        containerPath: Path,
        type: z.string().optional(),
        options: z.array(z.string()).default([]),
      }),
    )
    .default([]),
  hooks: z
    .array(
      z.object({
        hookName: z.enum([
          "prestart",
          "createRuntime",
          "createContainer",
          "startContainer",
          "poststart",
          "poststop",
        ]),
        path: Path,
        args: z.array(z.string()).default([]),
        env: z.array(z.string()).default([]),
        timeout: z.number().int().positive().optional(),
      }),
    )
    .default([]),
  additionalGids: z.array(Id).default([]),
  intelRdt: z.unknown().optional(),
  netDevices: z.array(z.unknown()).default([]),
});

const NOTHING = Edits.parse({});

/** One file of a vendor's: what its devices change in a container. Source: Container Device Interface 1.0. */
export const CdiFile = z.object({
  cdiVersion: z.string(),
  kind: z.string().regex(KIND, "a kind is like vendor.com/class"),
  devices: z
    .array(z.object({ name: z.string().regex(DEVICE), containerEdits: Edits.default(NOTHING) }))
    .min(1),
  /** With any of the devices, once. */
  containerEdits: Edits.default(NOTHING),
});
export type CdiFile = z.infer<typeof CdiFile>;
export type CdiEdits = z.infer<typeof Edits>;
