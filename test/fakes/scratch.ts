import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";

export interface Scratch extends AsyncDisposable {
  readonly path: string;
}

/** A directory of the test's own, gone when the test is. */
export async function scratch(directory = tmpdir()): Promise<Scratch> {
  const path = await mkdtemp(`${directory}/bunker-test-`);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
