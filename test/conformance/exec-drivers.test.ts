import { type ExecDriverKind, nativeKind, ociKind } from "#exec";
import { detectCgroups } from "#libcontainer";
import { requirePackages } from "../fixtures/packages.ts";
import { execDriverConformance } from "./exec-driver.ts";

await requirePackages(["crun", "runc"]);

await execDriverConformance(nativeKind);
await execDriverConformance(ociKind("runc", { path: "runc", args: [] }));
await execDriverConformance(onOneVersion(ociKind("crun", { path: "crun", args: [] })));

/** crun runs nothing on a host of version 1 whose second version has controllers as well. */
function onOneVersion(kind: ExecDriverKind): ExecDriverKind {
  const second = Bun.file("/sys/fs/cgroup/unified/cgroup.controllers");
  return {
    ...kind,
    probe: async (options) => {
      const isMixed =
        detectCgroups().version === 1 && (await second.exists()) && (await second.text()).trim();
      return isMixed
        ? { usable: false, reason: "it refuses hosts with controllers in both versions of cgroups" }
        : kind.probe(options);
    },
  };
}
