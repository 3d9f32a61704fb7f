import type { ContainerSpec } from "#container";
import { Fault } from "#errors";

/** What clients that copy the settings of Docker's containers name: its default, which stands for ours. */
const DOCKERS_DEFAULT = "runc";

/** The exec driver that was asked for, the first where none was. Throws `invalid`: another would isolate otherwise. */
export function settleRuntime(spec: ContainerSpec, execDrivers: readonly string[]): ContainerSpec {
  const { runtime } = spec.host;
  const [first = ""] = execDrivers;
  if (execDrivers.includes(runtime)) return spec;
  if (runtime === "" || runtime === DOCKERS_DEFAULT)
    return { ...spec, host: { ...spec.host, runtime: first } };
  throw new Fault(
    "invalid",
    `unknown or invalid runtime name: ${runtime.slice(0, 100)}; there is ${execDrivers.join(", ")}`,
  );
}
