import { z } from "zod";
import { DigestText } from "#oci";

/** What an unpacker says of an archive when it is done. */
export const Unpacked = z.object({
  /** Of the uncompressed archive. */
  diffId: DigestText,
  /** Bytes of the uncompressed archive. */
  expanded: z.number(),
  /** Bytes of file data written. */
  bytes: z.number(),
  entries: z.number(),
});
export type Unpacked = Readonly<z.infer<typeof Unpacked>>;

/** The same of an archive that somebody else may hash. */
export const UnpackAnswer = Unpacked.partial({ diffId: true });
export type UnpackAnswer = Readonly<z.infer<typeof UnpackAnswer>>;
