import type { ContainerSpec } from "#container";
import { didYouMean, Fault } from "#errors";
import type { EngineSettings } from "../rooms.ts";

/** The engine's own, and the name of the house for it. */
export const OWN_RUNTIME = "native";
const OWN_NAMES = [OWN_RUNTIME, "bunker"];
/** What clients that copy the settings of Docker's containers name: its default, which stands for ours unless one is called so. */
const DOCKERS_DEFAULT = ["runc", "io.containerd.runc.v2"];

type RuntimeSettings = Pick<EngineSettings, "runtimes" | "defaultRuntime">;

/** The name under which a runtime is known here; undefined for one that is not. */
export function runtimeNamed(name: string, runtimes: RuntimeSettings["runtimes"]): string | undefined {
  if (Object.hasOwn(runtimes, name)) return name;
  return OWN_NAMES.includes(name) || DOCKERS_DEFAULT.includes(name) ? OWN_RUNTIME : undefined;
}

/** The runtime that was asked for, the default where none was. Throws `invalid`: another would isolate otherwise. */
export function settleRuntime(spec: ContainerSpec, settings: RuntimeSettings): ContainerSpec {
  const { runtimes, defaultRuntime } = settings;
  const asked = spec.host.runtime;
  const runtime = runtimeNamed(asked === "" ? defaultRuntime : asked, runtimes);
  if (runtime !== undefined) return { ...spec, host: { ...spec.host, runtime } };
  const known = [OWN_RUNTIME, ...Object.keys(runtimes)];
  throw new Fault(
    "invalid",
    `unknown or invalid runtime name: ${asked.slice(0, 100)}; there is ${known.join(", ")}; more are named in the daemon's settings, --add-runtime NAME=PATH${didYouMean(asked, [...known, ...DOCKERS_DEFAULT])}`,
  );
}
