import { rm, stat, writeFile } from "node:fs/promises";

/** In the container's folder while it stands still for a job of ours, and for nobody else. */
const MARK = "frozen";

/** Says that the container is about to be frozen for a while. Disposed when it goes on. */
export async function markFrozen(directory: string): Promise<AsyncDisposable> {
  await writeFile(`${directory}/${MARK}`, "");
  return { [Symbol.asyncDispose]: () => rm(`${directory}/${MARK}`, { force: true }) };
}

/** Whether a daemon that died had frozen it and could not let it go on; the mark is taken away. */
export async function wasLeftFrozen(directory: string): Promise<boolean> {
  const path = `${directory}/${MARK}`;
  const isMarked = await stat(path).then(
    () => true,
    () => false,
  );
  if (isMarked) await rm(path, { force: true });
  return isMarked;
}
