import { z } from "zod";

const StringMap = z.record(z.string(), z.string()).readonly();

/** One of HostConfig.Mounts as it was asked for; what is empty is left out. */
export const MountReply = z.object({
  Type: z.string(),
  Source: z.string().optional(),
  Target: z.string(),
  ReadOnly: z.boolean().optional(),
  Consistency: z.string().optional(),
  BindOptions: z
    .object({
      Propagation: z.string().optional(),
      NonRecursive: z.boolean().optional(),
      CreateMountpoint: z.boolean().optional(),
      ReadOnlyNonRecursive: z.boolean().optional(),
      ReadOnlyForceRecursive: z.boolean().optional(),
      /** These two are this engine's own. */
      IDMapping: z.object({ Source: z.string().optional(), User: z.string().optional() }).optional(),
      IdMap: z.string().optional(),
    })
    .optional(),
  VolumeOptions: z
    .object({
      NoCopy: z.boolean().optional(),
      Labels: StringMap.optional(),
      DriverConfig: z.object({ Name: z.string().optional(), Options: StringMap.optional() }).optional(),
      Subpath: z.string().optional(),
    })
    .optional(),
  ImageOptions: z.object({ Subpath: z.string().optional() }).optional(),
  TmpfsOptions: z
    .object({
      SizeBytes: z.number().optional(),
      Mode: z.number().optional(),
      Options: z.array(z.array(z.string()).readonly()).readonly().optional(),
    })
    .optional(),
});
export type MountReply = z.infer<typeof MountReply>;
