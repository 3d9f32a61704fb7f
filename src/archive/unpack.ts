import { z } from "zod";
import { selfCommand } from "#host";
import type { Digest } from "#oci";
import { DigestText } from "#oci";
import { failureOf, killer, QUICK_START } from "./child.ts";
import { expand } from "./expand.ts";
import { lines, WHOLE } from "./input.ts";
import type { WhiteoutStyle } from "./whiteouts.ts";

/** `erofs`: no tree is made, but a file with an image of what overlay would get, named EROFS_IMAGE. */
export type UnpackStyle = WhiteoutStyle | "erofs";

export interface UnpackRequest {
  readonly directory: string;
  readonly whiteouts: UnpackStyle;
  readonly input: UnpackInput;
  readonly signal?: AbortSignal;
  /** Compressed bytes consumed so far. */
  readonly report?: (consumed: number) => void;
}

export type UnpackInput =
  /** An open file that may still grow: the iterable tells how many bytes are there, and ends when it is whole. */
  | { readonly kind: "file"; readonly descriptor: number; readonly growth: AsyncIterable<number> }
  | { readonly kind: "stream"; readonly bytes: AsyncIterable<Uint8Array> };

export interface Unpacked {
  /** Of the uncompressed archive. */
  readonly diffId: Digest;
  /** Bytes of the uncompressed archive. */
  readonly expanded: number;
  /** Bytes of file data written. */
  readonly bytes: number;
  readonly entries: number;
}

const Message = z.union([
  z.object({ consumed: z.number() }),
  z.object({ diffId: DigestText, expanded: z.number(), bytes: z.number(), entries: z.number() }),
]);

/**
 * Applies an archive, compressed or not, to a directory, in a child process that has it as its root. Throws
 * `invalid` for archives that are damaged or reach out; the directory then holds whatever was there by then.
 */
export async function unpack(request: UnpackRequest): Promise<Unpacked> {
  const { input, signal } = request;
  signal?.throwIfAborted();
  const child = spawn(request);
  using _killed = killer(child, signal);
  let sendFailure: unknown;
  feed(child, input).catch((thrown) => {
    sendFailure ??= thrown;
    child.kill("SIGKILL");
  });
  const [result, stderr, code] = await Promise.all([
    listen(child.stdout, request.report),
    child.stderr.text(),
    child.exited,
  ]);
  signal?.throwIfAborted();
  if (code === 0 && result !== undefined) return result;
  throw code !== 1 && sendFailure !== undefined ? sendFailure : failureOf(child, stderr);
}

function spawn({ directory, whiteouts, input }: UnpackRequest): Child {
  const command = selfCommand(["internal:archive", "unpack", directory, whiteouts, input.kind]);
  const env = QUICK_START;
  if (input.kind === "stream") return Bun.spawn(command, { stdio: ["pipe", "pipe", "pipe"], env });
  return Bun.spawn(command, { stdio: ["pipe", "pipe", "pipe", input.descriptor], env });
}

type Child = Bun.Subprocess<"pipe", "pipe", "pipe">;

async function feed(child: Child, input: UnpackInput): Promise<void> {
  if (input.kind === "stream") {
    for await (const chunk of expand(input.bytes)) {
      if (child.exitCode !== null) return;
      child.stdin.write(chunk);
      await child.stdin.flush();
    }
  } else {
    for await (const available of input.growth) {
      if (child.exitCode !== null) return;
      child.stdin.write(`${available}\n`);
      await child.stdin.flush();
    }
    child.stdin.write(`${WHOLE}\n`);
  }
  await child.stdin.end();
}

async function listen(
  stdout: ReadableStream<Uint8Array>,
  report: ((consumed: number) => void) | undefined,
): Promise<Unpacked | undefined> {
  let result: Unpacked | undefined;
  for await (const line of lines(stdout)) {
    const message = Message.parse(JSON.parse(line));
    if ("consumed" in message) report?.(message.consumed);
    else result = message;
  }
  return result;
}
