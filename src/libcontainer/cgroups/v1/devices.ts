import { DEFAULT_DEVICE_RULES } from "../../devices.ts";
import type { DeviceRule } from "../../spec.ts";

export interface DeviceWrite {
  readonly file: "devices.allow" | "devices.deny";
  readonly value: string;
}

/** What a container's rules cost: nothing where a parent group has them already, else one write a rule. */
export type DeviceAccess =
  | { readonly kind: "all" }
  | { readonly kind: "confined" }
  | { readonly kind: "listed"; readonly writes: readonly DeviceWrite[] };

export function deviceAccess(rules: readonly DeviceRule[]): DeviceAccess {
  const writes = deviceWrites(rules);
  if (writes.every(({ file, value }) => file === "devices.allow" && value === "a")) return { kind: "all" };
  const isDefault =
    writes.length === CONFINED_WRITES.length &&
    writes.every(({ file, value }, index) => {
      const other = CONFINED_WRITES[index];
      return other?.file === file && other.value === value;
    });
  return isDefault ? { kind: "confined" } : { kind: "listed", writes };
}

/** Source: Linux, Documentation/admin-guide/cgroup-v1/devices.rst. */
export function deviceWrites(rules: readonly DeviceRule[]): readonly DeviceWrite[] {
  return rules.map((rule) => ({
    file: rule.allow ? "devices.allow" : "devices.deny",
    value:
      rule.type === "a" && rule.major === undefined
        ? "a"
        : `${rule.type} ${rule.major ?? "*"}:${rule.minor ?? "*"} ${rule.access}`,
  }));
}

export const CONFINED_WRITES: readonly DeviceWrite[] = deviceWrites(DEFAULT_DEVICE_RULES);
