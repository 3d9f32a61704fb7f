import { z } from "zod";
import { didYouMean, Fault } from "#errors";
import type { Graph } from "#graph";
import type { StorageDefaults } from "#jobs";
import { parseSize } from "#volume";

/** Which driver has which options. Source: Docker's dockerd reference, "Options per storage driver". */
const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  overlay2: ["size"],
  erofs: ["size"],
  "fuse-overlayfs": ["size"],
  btrfs: ["size", "min_space"],
};
/** Options of Docker's that have no effect here, and why. */
const NEEDLESS: Readonly<Record<string, string>> = {
  "overlay2.override_kernel_check": "the kernel is tried, never judged by its version",
};

export interface StorageOption {
  readonly driver: string;
  readonly name: string;
  readonly value: string;
}

/** `overlay2.size=10G`, each. */
export const STORAGE_OPTIONS = z
  .array(
    z.string().transform((text, context): StorageOption => {
      const [, driver = "", name = "", value = ""] = /^([^.=]+)\.([^=]+)=(.*)$/.exec(text) ?? [];
      const reason = faultOf({ driver, name, value });
      if (reason !== undefined) context.addIssue(`"${text.slice(0, 100)}" ${reason}`);
      return { driver, name, value };
    }),
  )
  .default([]);

function faultOf({ driver, name, value }: StorageOption): string | undefined {
  const asked = `${driver}.${name}`;
  if (Object.hasOwn(NEEDLESS, asked)) return `is not needed: ${NEEDLESS[asked]}`;
  const known = Object.hasOwn(OPTIONS, driver) ? OPTIONS[driver] : undefined;
  if (known?.includes(name) !== true) {
    const all = Object.entries(OPTIONS).flatMap(([of, names]) => names.map((one) => `${of}.${one}`));
    return `is no option of a storage driver; there are ${all.join(", ")}${didYouMean(asked, all)}`;
  }
  try {
    parseSize(value);
    return undefined;
  } catch {
    return "has no size; write 10G or 512m";
  }
}

/** What they mean to containers. */
export function storageDefaults(options: readonly StorageOption[]): StorageDefaults {
  const given = (wanted: string) => options.findLast(({ name }) => name === wanted)?.value;
  const [size, minimum] = [given("size"), given("min_space")];
  return {
    ...(size !== undefined && parseSize(size) > 0 && { size }),
    ...(minimum !== undefined && { minimumBytes: parseSize(minimum) }),
  };
}

/** Throws `invalid` for an option of another driver than the one in use, and for a limit that it cannot keep. */
export async function checkStorageOptions(
  options: readonly StorageOption[],
  driver: Pick<Graph["driver"], "name" | "limitable">,
): Promise<void> {
  const strange = options.find((option) => option.driver !== driver.name);
  if (strange !== undefined)
    throw new Fault(
      "invalid",
      `Cannot start: the storage option ${strange.driver}.${strange.name} is set, and the storage driver is ${driver.name}; leave it out, or start with --storage-driver ${strange.driver}`,
    );
  if (storageDefaults(options).size === undefined) return;
  const verdict = await driver.limitable();
  if (!verdict.usable)
    throw new Fault(
      "invalid",
      `Cannot start: ${driver.name}.size cannot be kept to in ${verdict.reason}; leave it out, or change that`,
    );
}
