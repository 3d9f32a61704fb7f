import { Fault, sentenceOf } from "#errors";
import { fs } from "../lazy-fs.ts";
import type { Session } from "../session.ts";
import { checkOutput } from "./local.ts";

/** An archive to standard output, or to a file that appears when it is whole. */
export async function writeOutput(
  session: Session,
  { path, open }: { readonly path: string; readonly open: () => Promise<AsyncIterable<Uint8Array>> },
): Promise<void> {
  if (path === "") {
    for await (const piece of await open()) session.console.out(piece);
    return;
  }
  checkOutput(path);
  const bytes = await open();
  const side = `${path}.${crypto.randomUUID()}.part`;
  const descriptor = told(path, () => fs().openSync(side, "wx", 0o600));
  try {
    for await (const piece of bytes) told(path, () => writeAll(descriptor, piece));
    fs().closeSync(descriptor);
    told(path, () => fs().renameSync(side, path));
  } catch (thrown) {
    fs().rmSync(side, { force: true });
    throw thrown;
  }
}

function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += fs().writeSync(descriptor, bytes, at, bytes.length - at);
}

function told<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (cause) {
    throw new Fault("internal", `Cannot write ${path}: ${sentenceOf(cause)}`, { cause });
  }
}
