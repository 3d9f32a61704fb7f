import { readFileSync } from "node:fs";
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
  const cgroups = detectCgroups();
  const unified = cgroups.version === 1 ? cgroups.unified : undefined;
  if (unified === undefined || readFileSync(`${unified}/cgroup.controllers`, "utf8").trim() === "")
    return kind;
  const reason = "it refuses hosts with controllers in both versions of cgroups";
  return { ...kind, probe: async () => ({ usable: false, reason }) };
}
