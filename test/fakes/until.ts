const PATIENCE_MILLISECONDS = 10_000;

/** Waits for what comes by itself, and fails when it does not. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + PATIENCE_MILLISECONDS; !(await isSo()); await Bun.sleep(2))
    if (Date.now() > deadline) throw new Error(`It did not come to be so: ${isSo}`);
}
