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
