import { type ContainerSpec, parseSignal } from "#container";
import { Fault } from "#errors";

/**
 * Refuses what would be written down and then have no effect, and a stop signal that could never be sent. Throws
 * `unsupported` and `invalid`.
 */
export function refuseUnheeded({ host, stopSignal }: ContainerSpec): void {
  if (stopSignal) parseSignal(stopSignal);
  if (Object.keys(host.storageOptions).length > 0)
    throw new Fault(
      "unsupported",
      "Cannot create the container: --storage-opt is not supported, the storage drivers set no quota",
    );
}
