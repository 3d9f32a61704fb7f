import { Fault, sentenceOf } from "#errors";
import { tryReadSetting, writeSetting } from "./files.ts";
import { parseCount } from "./statistics.ts";
import type { Setting } from "./v1/settings.ts";

const MEMORY = "memory.limit_in_bytes";
const MEMORY_AND_SWAP = "memory.memsw.limit_in_bytes";

/**
 * Writes settings into groups that are in use. `directory` answers undefined where a controller is not mounted.
 * Throws `invalid` with the kernel's reason, naming file and value.
 */
export function writeSettings(
  settings: readonly Setting[],
  directory: (controller: string) => string | undefined,
): void {
  for (const setting of inWritableOrder(settings, directory("memory"))) {
    const path = directory(setting.controller);
    if (path === undefined) continue;
    const file = `${path}/${setting.file}`;
    if (setting.isOptional && tryReadSetting(file) === undefined) continue;
    try {
      writeSetting(file, setting.value);
    } catch (cause) {
      throw new Fault("invalid", `Cannot update the container: ${sentenceOf(cause)}`, { cause });
    }
  }
}

/** On v1 memory may never exceed memory with swap, so the latter goes first when memory rises above what it is now. */
function inWritableOrder(settings: readonly Setting[], memory: string | undefined): readonly Setting[] {
  const wanted = settings.find(({ file }) => file === MEMORY);
  const both = settings.find(({ file }) => file === MEMORY_AND_SWAP);
  if (wanted === undefined || both === undefined || memory === undefined) return settings;
  const current = parseCount(tryReadSetting(`${memory}/${MEMORY_AND_SWAP}`)) ?? Number.POSITIVE_INFINITY;
  const isRaised = Number(wanted.value) > current || Number(wanted.value) < 0;
  return isRaised ? [both, ...settings.filter((setting) => setting !== both)] : settings;
}
