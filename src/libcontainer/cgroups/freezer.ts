import { Fault } from "#errors";
import { readSetting, tryReadSetting, writeSetting } from "./files.ts";
import { parseFlat } from "./statistics.ts";

/** How a hierarchy stops and wakes the processes of one group. */
export interface Freezer {
  readonly file: string;
  readonly freeze: string;
  readonly thaw: string;
  /** Whether all processes stand still now. */
  isFrozen(): boolean;
}

/** Source: Linux, Documentation/admin-guide/cgroup-v1/freezer-subsystem.rst. */
export function freezerV1(directory: string): Freezer {
  const file = `${directory}/freezer.state`;
  return { file, freeze: "FROZEN", thaw: "THAWED", isFrozen: () => tryReadSetting(file) === "FROZEN" };
}

/** Source: Linux, Documentation/admin-guide/cgroup-v2.rst, "cgroup.freeze". */
export function freezerV2(directory: string): Freezer {
  const events = `${directory}/cgroup.events`;
  return {
    file: `${directory}/cgroup.freeze`,
    freeze: "1",
    thaw: "0",
    isFrozen: () => parseFlat(tryReadSetting(events)).get("frozen") === 1n,
  };
}

/** A process in an uninterruptible sleep freezes when it wakes; after this long the group is thawed again. */
const PATIENCE_MILLISECONDS = 10_000;
const FIRST_PAUSE_MILLISECONDS = 1;
const LONGEST_PAUSE_MILLISECONDS = 50;

/** Resolves once every process stands still. Throws `unavailable` when one does not, and thaws the others. */
export async function freeze(freezer: Freezer): Promise<void> {
  const deadline = performance.now() + PATIENCE_MILLISECONDS;
  writeSetting(freezer.file, freezer.freeze);
  for (
    let pause = FIRST_PAUSE_MILLISECONDS;
    !freezer.isFrozen();
    pause = Math.min(pause * 2, LONGEST_PAUSE_MILLISECONDS)
  ) {
    readSetting(freezer.file); // Throws when the group has gone, so that nobody waits for it.
    if (performance.now() > deadline) {
      writeSetting(freezer.file, freezer.thaw);
      throw new Fault(
        "unavailable",
        `Cannot pause: a process of ${freezer.file} did not stop within ${PATIENCE_MILLISECONDS / 1000} seconds`,
      );
    }
    await Bun.sleep(pause);
    // v1 stays "freezing" for ever when a process forked at the wrong moment, unless it is told again.
    writeSetting(freezer.file, freezer.freeze);
  }
}

/** Wakes all processes. */
export function thaw(freezer: Freezer): void {
  writeSetting(freezer.file, freezer.thaw);
}
