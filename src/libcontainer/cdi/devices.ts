import { readdirSync, readFileSync, statSync } from "node:fs";
import { Fault, sentenceOf } from "#errors";
import { type CdiEdits, CdiFile } from "./specification.ts";

/** Vendors' files are small; what is bigger is something else. */
const GREATEST_FILE_BYTES = 4 * 1024 * 1024;
const MOST_FILES = 1000;

export interface CdiDevice {
  /** `vendor.com/class=name` */
  readonly name: string;
  readonly kind: string;
  readonly edits: CdiEdits;
  /** Of the file that it comes from, for all of its devices together. */
  readonly common: CdiEdits;
  readonly path: string;
}

export interface CdiFound {
  /** By full name. */
  readonly devices: ReadonlyMap<string, CdiDevice>;
  /** Files that could not be used, each with the reason. */
  readonly problems: readonly string[];
}

/**
 * The devices that vendors' files in these folders describe. A later folder counts more than an earlier one; two files
 * of one folder that describe the same device make it unusable. Source: Container Device Interface 1.0.
 */
export function findCdiDevices(directories: readonly string[]): CdiFound {
  const devices = new Map<string, CdiDevice>();
  const problems: string[] = [];
  for (const directory of directories) {
    const { here, twice } = devicesOf(directory, problems);
    for (const [name, device] of here) devices.set(name, device);
    for (const [name, paths] of twice) {
      devices.delete(name);
      problems.push(`${name} is described by ${paths.join(" and ")}`);
    }
  }
  return { devices, problems };
}

function devicesOf(directory: string, problems: string[]) {
  const here = new Map<string, CdiDevice>();
  const twice = new Map<string, readonly string[]>();
  for (const path of filesOf(directory)) {
    const file = read(path, problems);
    if (file === undefined) continue;
    const { kind, containerEdits: common } = file;
    for (const { name, containerEdits: edits } of file.devices) {
      const full = `${kind}=${name}`;
      const other = here.get(full);
      if (other !== undefined) twice.set(full, [other.path, path]);
      here.set(full, { name: full, kind, edits, common, path });
    }
  }
  return { here, twice };
}

function filesOf(directory: string): readonly string[] {
  try {
    const names = readdirSync(directory).filter((name) => /\.(json|yaml)$/.test(name));
    return names
      .sort()
      .slice(0, MOST_FILES)
      .map((name) => `${directory}/${name}`);
  } catch {
    return [];
  }
}

function read(path: string, problems: string[]): CdiFile | undefined {
  try {
    if (statSync(path).size > GREATEST_FILE_BYTES) throw new Fault("invalid", "it is too big");
    const text = readFileSync(path, "utf8");
    return CdiFile.parse(path.endsWith(".json") ? JSON.parse(text) : Bun.YAML.parse(text));
  } catch (thrown) {
    problems.push(`${path}: ${sentenceOf(thrown)}`);
    return undefined;
  }
}
