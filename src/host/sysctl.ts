import { readFileSync, writeFileSync } from "node:fs";
import { Fault, sentenceOf } from "#errors";

/** Parts of the key separated by slashes: names of links may contain dots. */
const pathOf = (key: string): string => `/proc/sys/${key}`;

/** `net/ipv4/ip_forward` → its value, or undefined when this kernel has no such setting. */
export function readSysctl(key: string): string | undefined {
  try {
    return readFileSync(pathOf(key), "utf8").trim();
  } catch {
    return undefined;
  }
}

/** Writes only what is not so already. Throws `internal` when it cannot be written. */
export function writeSysctl(key: string, value: string): void {
  if (readSysctl(key) === value) return;
  try {
    writeFileSync(pathOf(key), value);
  } catch (error) {
    throw new Fault("internal", `Cannot set ${key} to ${value}: ${sentenceOf(error)}`, { cause: error });
  }
}
