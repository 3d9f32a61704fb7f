import { z } from "zod";
import { selfCommand } from "#host";
import { DigestText } from "#oci";
import { failureOf, killer } from "./child.ts";
import { WHOLE } from "./input.ts";

const Verified = z.object({
  diffId: DigestText,
  differences: z.array(z.string()),
  entries: z.number(),
});
/** How a tree compares with the archive that it was made of. */
export type Verified = z.infer<typeof Verified>;

/**
 * Compares a tree with a layer's archive, compressed or not: names, kinds, looks and content. In a child process that has
 * the tree as its root. Throws `invalid` for an archive that is damaged.
 */
export async function verify({
  directory,
  archive,
  signal,
}: {
  readonly directory: string;
  /** An open file and its length. */
  readonly archive: { readonly descriptor: number; readonly size: number };
  readonly signal: AbortSignal;
}): Promise<Verified> {
  signal.throwIfAborted();
  const child = Bun.spawn(selfCommand(["internal:archive", "verify", directory]), {
    stdio: [Buffer.from(`${archive.size}\n${WHOLE}\n`), "pipe", "pipe", archive.descriptor],
    env: {},
  });
  using _killed = killer(child, signal);
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  signal.throwIfAborted();
  if (code !== 0) throw failureOf(child, stderr);
  return Verified.parse(JSON.parse(stdout));
}
