import { Fault } from "#errors";
import { findLink, type Netlink } from "#host";
import type { NetlinkStep } from "#oci";

/** Sends a step of the host's namespace from this process. Throws `internal` with the step's purpose. */
export function performOnHost(netlink: Netlink, step: NetlinkStep): void {
  perform(netlink, step);
}

/** As performOnHost, in the namespace of the socket; `child` is a descriptor of the container's namespace. */
export function perform(netlink: Netlink, step: NetlinkStep, child?: number): void {
  const message = step.message.slice();
  const view = new DataView(message.buffer);
  for (const patch of step.patches)
    view.setUint32(patch.offset, patchValue(netlink, step, { patch, child }), true);
  netlink.do(step.purpose, message, step.tolerate);
}

function patchValue(
  netlink: Netlink,
  { purpose }: NetlinkStep,
  { patch, child }: { readonly patch: NetlinkStep["patches"][number]; readonly child: number | undefined },
): number {
  if (patch.kind === "netns") {
    if (child !== undefined) return child;
    throw new Fault("internal", `Cannot ${purpose}: only the launcher knows the child's namespace`);
  }
  const link = findLink(netlink, patch.name);
  if (link === undefined) throw new Fault("internal", `Cannot ${purpose}: there is no link ${patch.name}`);
  return link.index;
}
