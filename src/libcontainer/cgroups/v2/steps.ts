import type { HostStep } from "../../plan.ts";
import type { Resources } from "../../spec.ts";
import type { Cgroups } from "../detect.ts";
import { compileDeviceFilter } from "../device-filter.ts";
import { settings } from "./settings.ts";

/** Makes a container's one group, writes what was asked for, attaches the device filter, joins it. */
export function stepsV2(
  cgroups: Cgroups & { readonly version: 2 },
  options: { readonly path: string; readonly resources: Resources },
): readonly HostStep[] {
  const directory = `${cgroups.mountpoint}/${options.path}`;
  const filter = compileDeviceFilter(options.resources.devices);
  return [
    { op: "cgroup", path: directory },
    ...settings(options.resources).map(
      ({ file, value, isOptional }): HostStep => ({
        op: "write",
        path: `${directory}/${file}`,
        value,
        ...(isOptional ? { optional: true } : {}),
      }),
    ),
    ...(filter === undefined ? [] : [{ op: "device-filter", path: directory, program: filter } as const]),
    { op: "cgroup-join", path: directory },
  ];
}
