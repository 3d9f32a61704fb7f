import type { ContainerSpec, DeviceRequestSpec } from "#container";
import { Fault } from "#errors";
import { type CdiFound, findCdiDevices, injectCdiDevices, type RuntimeSpec } from "#libcontainer";

/** Docker's name for the devices of a request that speaks of them by their full names. */
const BY_NAME = "cdi";
/** Who may be asked for GPUs, in this order where the request names nobody. */
const GPU_VENDORS: Readonly<Record<string, string>> = { nvidia: "nvidia.com/gpu", amd: "amd.com/gpu" };

/** Refuses requests that nothing here could fulfil on any host. Throws `invalid` and `unsupported`, in Docker's words. */
export function checkDeviceRequests({ deviceRequests = [] }: ContainerSpec["host"]): void {
  for (const request of deviceRequests) {
    if (request.driver === BY_NAME) {
      if (request.deviceIds.length === 0 || request.count !== 0)
        throw new Fault("invalid", "invalid CDI device request: it names its devices, and has no count");
    } else if (!isForGpus(request)) throw noDriver(request);
    else if (request.count !== 0 && request.deviceIds.length > 0)
      throw new Fault("invalid", "cannot set both Count and DeviceIDs on device request");
  }
}

const isForGpus = ({ driver, capabilities }: DeviceRequestSpec): boolean =>
  (driver === "" || Object.hasOwn(GPU_VENDORS, driver)) && capabilities.some((all) => all.includes("gpu"));

function noDriver({ driver, capabilities }: DeviceRequestSpec, why = ""): Fault {
  const wanted = capabilities.map((all) => `[${all.join(" ")}]`).join(" ");
  const sentence = `could not select device driver "${driver.slice(0, 100)}" with capabilities: [${wanted.slice(0, 200)}]`;
  return new Fault("unsupported", `${sentence}${why}`);
}

/**
 * The specification with the devices that the container asked for by purpose or CDI name, as the vendors' files on this
 * host describe them now. `directories` is undefined where CDI is switched off. Throws `invalid` naming what is not there.
 */
export function withRequestedDevices(
  spec: RuntimeSpec,
  { deviceRequests = [] }: ContainerSpec["host"],
  directories: readonly string[] | undefined,
): RuntimeSpec {
  if (deviceRequests.length === 0) return spec;
  if (directories === undefined)
    throw new Fault(
      "unsupported",
      "Cannot give the container its devices: CDI is switched off (features.cdi)",
    );
  const found = findCdiDevices(directories);
  const names = [...new Set(deviceRequests.flatMap((request) => namesOf(request, found, directories)))];
  const missing = names.filter((name) => !found.devices.has(name));
  if (missing.length > 0) {
    const told = found.problems.length === 0 ? "" : ` (${found.problems.join("; ").slice(0, 1000)})`;
    throw new Fault(
      "invalid",
      `CDI device injection failed: unresolvable CDI devices ${missing.join(", ").slice(0, 500)}${told}; there are ${[...found.devices.keys()].join(", ").slice(0, 500) || "none"} in ${directories.join(", ")}`,
    );
  }
  return injectCdiDevices(
    spec,
    names.flatMap((name) => found.devices.get(name) ?? []),
  );
}

function namesOf(
  request: DeviceRequestSpec,
  { devices }: CdiFound,
  directories: readonly string[],
): readonly string[] {
  if (request.driver === BY_NAME) return request.deviceIds;
  const all = [...devices.values()];
  const kinds = request.driver === "" ? Object.values(GPU_VENDORS) : [GPU_VENDORS[request.driver] ?? ""];
  const kind = kinds.find((one) => all.some((device) => device.kind === one));
  if (kind === undefined)
    throw noDriver(
      request,
      `: no file in ${directories.join(", ")} describes a GPU; its vendor's tool writes one (nvidia-ctk cdi generate)`,
    );
  if (request.deviceIds.length > 0) return request.deviceIds.map((id) => `${kind}=${id}`);
  if (request.count >= 0) {
    // One more than there are is missed as well as a billion.
    const length = Math.min(request.count, all.length + 1);
    return Array.from({ length }, (_, at) => `${kind}=${at}`);
  }
  const whole = `${kind}=all`;
  return devices.has(whole) ? [whole] : all.filter((one) => one.kind === kind).map(({ name }) => name);
}
