import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { Fault, sentenceOf } from "#errors";

/** The whole of a group's file, without the last newline. Throws when it is not there. */
export function readSetting(path: string): string {
  return readFileSync(path, "utf8").trimEnd();
}

/** Undefined when the kernel has no such file, or the group has gone. */
export function tryReadSetting(path: string): string | undefined {
  try {
    return readSetting(path);
  } catch {
    return undefined;
  }
}

/** One write(2), as the kernel wants it. Throws `internal` naming the file. */
export function writeSetting(path: string, value: string): void {
  try {
    writeFileSync(path, value, { flag: "r+" });
  } catch (cause) {
    throw new Fault("internal", `Cannot write "${value}" to ${path}: ${sentenceOf(cause)}`, { cause });
  }
}

/** False when the kernel has no such file, or refuses. */
export function tryWriteSetting(path: string, value: string): boolean {
  try {
    writeFileSync(path, value, { flag: "r+" });
    return true;
  } catch {
    return false;
  }
}

/** Makes one group; true when it was not there before. Throws `internal`. */
export function makeGroup(path: string): boolean {
  if (existsSync(path)) return false;
  try {
    mkdirSync(path, { mode: 0o755 });
    return true;
  } catch (cause) {
    if (existsSync(path)) return false;
    throw new Fault("internal", `Cannot make the control group ${path}: ${sentenceOf(cause)}`, { cause });
  }
}

/** `bunker`, `bunker/a`, … of `bunker/a/b`: every level of a relative path, from the top. */
export function levelsOf(path: string): readonly string[] {
  const parts = path.split("/").filter((part) => part !== "");
  return parts.map((_, index) => parts.slice(0, index + 1).join("/"));
}
