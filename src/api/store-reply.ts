import { z } from "zod";
import { QueryFlag, QueryInteger } from "./query.ts";

/** Of GET (to look) and POST (to repair) /bunker/doctor. */
export const DoctorQuery = z.object({ quick: QueryFlag });

export const DoctorFinding = z.object({
  subject: z.string(),
  /** `broken` needs somebody, `mended` was put right, `note` is no harm. */
  verdict: z.enum(["broken", "mended", "note"]),
  sentence: z.string(),
  remedy: z.string(),
});
export type DoctorFinding = z.infer<typeof DoctorFinding>;

/** Reply of /bunker/doctor. `bytes`: of the blobs that were looked at. */
export const DoctorReport = z.object({
  checked: z.object({
    blobs: z.number(),
    layers: z.number(),
    images: z.number(),
    containers: z.number(),
    volumes: z.number(),
    bytes: z.number(),
  }),
  findings: z.array(DoctorFinding),
});
export type DoctorReport = z.infer<typeof DoctorReport>;

/** Of GET (to be told) and POST (to free) /bunker/gc. `keep` in seconds, `goal` in bytes. */
export const GarbageQuery = z.object({ all: QueryFlag, keep: QueryInteger, goal: QueryInteger });

export const GarbageItem = z.object({
  kind: z.enum(["image", "blob", "download", "side file"]),
  name: z.string(),
  bytes: z.number(),
  reason: z.string(),
});
export type GarbageItem = z.infer<typeof GarbageItem>;

/** Reply of /bunker/gc. */
export const GarbageReport = z.object({ items: z.array(GarbageItem), bytes: z.number() });
export type GarbageReport = z.infer<typeof GarbageReport>;
