import { z } from "zod";
import { DigestText } from "./manifest.ts";

const Words = z.array(z.string()).nullish();

/** Source: OCI image specification 1.1, config.md; Docker's additions Healthcheck, Shell, OnBuild. */
export const ImageConfig = z.looseObject({
  architecture: z.string(),
  os: z.string(),
  variant: z.string().optional(),
  created: z.string().nullish(),
  author: z.string().optional(),
  config: z
    .looseObject({
      User: z.string().optional(),
      ExposedPorts: z.record(z.string(), z.unknown()).nullish(),
      Env: Words,
      Entrypoint: Words,
      Cmd: Words,
      Volumes: z.record(z.string(), z.unknown()).nullish(),
      WorkingDir: z.string().optional(),
      Labels: z.record(z.string(), z.string()).nullish(),
      StopSignal: z.string().optional(),
      Shell: Words,
    })
    .nullish(),
  rootfs: z.object({
    type: z.literal("layers"),
    diff_ids: z
      .array(DigestText)
      .nullish()
      .transform((ids) => ids ?? []),
  }),
  history: z
    .array(
      z.looseObject({
        created: z.string().nullish(),
        created_by: z.string().optional(),
        author: z.string().optional(),
        comment: z.string().optional(),
        empty_layer: z.boolean().optional(),
      }),
    )
    .nullish(),
});
export type ImageConfig = z.infer<typeof ImageConfig>;
