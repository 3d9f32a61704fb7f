import { Fault } from "#errors";

/** Source: Docker Engine API, POST /volumes/create, `Name`. */
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
const LONGEST_NAME = 255;

/** Docker's mark of a volume that nobody named. */
export const ANONYMOUS_LABEL = "com.docker.volume.anonymous";

export function isVolumeName(name: string): boolean {
  return NAME.test(name) && name.length <= LONGEST_NAME;
}

/** Throws `invalid` in Docker's words. */
export function checkVolumeName(name: string): string {
  if (isVolumeName(name)) return name;
  throw new Fault(
    "invalid",
    `"${name.slice(0, LONGEST_NAME)}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
  );
}

/** Throws `invalid`. */
export function checkSnapshotName(name: string): string {
  if (NAME.test(name) && name.length <= LONGEST_NAME) return name;
  throw new Fault(
    "invalid",
    `"${name.slice(0, LONGEST_NAME)}" cannot name a snapshot: use letters, digits, "_", "." and "-", two at least, and begin with a letter or digit`,
  );
}

export function noSuchVolume(name: string): Fault {
  return new Fault("not_found", `get ${name.slice(0, LONGEST_NAME)}: no such volume`);
}

/** Of an anonymous volume. */
export function randomName(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");
}
