import { selfCommand } from "#host";
import { failureOf, killer, QUICK_START } from "./child.ts";
import { expand } from "./expand.ts";
import { Unpacked } from "./unpacked.ts";
import type { WhiteoutStyle } from "./whiteouts.ts";

/** `erofs`: no tree is made, but a file with an image of what overlay would get, named EROFS_IMAGE. */
export type UnpackStyle = WhiteoutStyle | "erofs";

export interface UnpackRequest {
  readonly directory: string;
  readonly whiteouts: UnpackStyle;
  readonly bytes: AsyncIterable<Uint8Array>;
  readonly signal?: AbortSignal;
}

/**
 * Applies an archive, compressed or not, to a directory, in a child process that has it as its root. Throws
 * `invalid` for archives that are damaged or reach out; the directory then holds whatever was there by then.
 */
export async function unpack({ directory, whiteouts, bytes, signal }: UnpackRequest): Promise<Unpacked> {
  signal?.throwIfAborted();
  const child = Bun.spawn(selfCommand(["internal:archive", "unpack", directory, whiteouts]), {
    stdio: ["pipe", "pipe", "pipe"],
    env: QUICK_START,
  });
  using _killed = killer(child, signal);
  let sendFailure: unknown;
  feed(child, bytes).catch((thrown) => {
    sendFailure ??= thrown;
    child.kill("SIGKILL");
  });
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  signal?.throwIfAborted();
  if (code === 0) return Unpacked.parse(JSON.parse(stdout));
  throw code !== 1 && sendFailure !== undefined ? sendFailure : failureOf(child, stderr);
}

async function feed(
  child: Bun.Subprocess<"pipe", "pipe", "pipe">,
  bytes: AsyncIterable<Uint8Array>,
): Promise<void> {
  for await (const chunk of expand(bytes)) {
    if (child.exitCode !== null) return;
    child.stdin.write(chunk);
    await child.stdin.flush();
  }
  await child.stdin.end();
}
