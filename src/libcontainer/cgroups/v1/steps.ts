import type { HostStep } from "../../plan.ts";
import type { Resources } from "../../spec.ts";
import type { Cgroups } from "../detect.ts";
import { deviceAccess } from "./devices.ts";
import { groupPaths } from "./layout.ts";
import { settings } from "./settings.ts";

/** Makes a container's groups in every mounted hierarchy, writes what was asked for and nothing else, joins them. */
export function stepsV1(
  cgroups: Cgroups & { readonly version: 1 },
  options: { readonly path: string; readonly resources: Resources },
): readonly HostStep[] {
  const access = deviceAccess(options.resources.devices);
  const groups = groupPaths(cgroups, { path: options.path, isConfined: access.kind === "confined" });
  const directoryOf = (controller: string) =>
    groups.find(({ controllers }) => controllers.includes(controller))?.directory;
  const devices = directoryOf("devices");
  return [
    ...groups.map(({ directory }): HostStep => ({ op: "cgroup", path: directory })),
    ...settings(options.resources).flatMap((setting): HostStep[] => {
      const directory = directoryOf(setting.controller);
      if (directory === undefined) return [];
      return [
        {
          op: "write",
          path: `${directory}/${setting.file}`,
          value: setting.value,
          ...(setting.isOptional ? { optional: true } : {}),
        },
      ];
    }),
    ...(devices === undefined || access.kind !== "listed" ? [] : access.writes).map(
      ({ file, value }): HostStep => ({ op: "write", path: `${devices}/${file}`, value }),
    ),
    ...groups.map(({ directory }): HostStep => ({ op: "cgroup-join", path: directory })),
  ];
}
