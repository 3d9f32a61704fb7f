import { Fault } from "#errors";
import { findLink, type Netlink } from "#host";
import type { NetlinkStep } from "#oci";

/** Sends a step of the host's namespace from this process. Throws `internal` with the step's purpose. */
export function performOnHost(netlink: Netlink, step: NetlinkStep): void {
  const message = step.message.slice();
  const view = new DataView(message.buffer);
  for (const patch of step.patches) {
    if (patch.kind !== "index")
      throw new Fault("internal", `Cannot ${step.purpose}: only the launcher knows the child's namespace`);
    const link = findLink(netlink, patch.name);
    if (link === undefined)
      throw new Fault("internal", `Cannot ${step.purpose}: there is no link ${patch.name}`);
    view.setUint32(patch.offset, link.index, true);
  }
  netlink.do(step.purpose, message, step.tolerate);
}
