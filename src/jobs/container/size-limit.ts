import { Fault } from "#errors";
import type { Graph } from "#graph";
import { parseSize } from "#volume";

export interface StorageDefaults {
  /** What containers are bounded to that do not ask themselves, as it is asked for: `10G`. */
  readonly size?: string;
  /** No container may ask for less. */
  readonly minimumBytes?: number;
}

/**
 * The most bytes that a container may write beside its image, by its storage options; undefined where there is no
 * bound. Throws `invalid`.
 */
export function sizeLimitOf(options: Readonly<Record<string, string>>): number | undefined {
  let bytes = 0;
  for (const [key, value] of Object.entries(options)) {
    if (key.toLowerCase() !== "size")
      throw new Fault(
        "invalid",
        `Unknown option ${key.slice(0, 80)}: a container's only storage option is size, as in size=10G`,
      );
    bytes = parseSize(value);
  }
  return bytes === 0 ? undefined : bytes;
}

/** The same, and that it can be kept to here. Throws `invalid` with what to do about it. */
export async function checkedSizeLimit(
  options: Readonly<Record<string, string>>,
  driver: Pick<Graph["driver"], "limitable">,
  { minimumBytes = 0 }: StorageDefaults = {},
): Promise<number | undefined> {
  const bytes = sizeLimitOf(options);
  if (bytes === undefined) return undefined;
  if (bytes < minimumBytes)
    throw new Fault(
      "invalid",
      `Cannot limit the container's size to ${bytes} bytes: the daemon's btrfs.min_space is ${minimumBytes}`,
    );
  const verdict = await driver.limitable();
  if (verdict.usable) return bytes;
  throw new Fault(
    "invalid",
    `Cannot limit the container's size to ${bytes} bytes (--storage-opt size): ${verdict.reason}`,
  );
}
