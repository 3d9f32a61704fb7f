import type { Container, ContainerSpec, Containers } from "#container";
import { Fault } from "#errors";
import { isAlive } from "#host";
import type { NetworkMode, Networks } from "#network";
import { settleNetworks } from "./endpoints.ts";

const PREFIX = "container:";

interface CreateNeeds {
  readonly containers: Pick<Containers, "find">;
  readonly networks: Pick<Networks, "find">;
}

/** Checks the modes that share a namespace, and puts the other container's full id into them. */
export function settleModes(needs: CreateNeeds, spec: ContainerSpec): ContainerSpec {
  const { host } = spec;
  const settle = (mode: string) =>
    mode.startsWith(PREFIX) ? PREFIX + needs.containers.find(otherRef(mode)).id : mode;
  const networkMode = settle(host.networkMode);
  if (isContainerMode(networkMode)) refuseConflicts(spec);
  return {
    ...spec,
    networks: isContainerMode(networkMode) ? {} : settleNetworks(needs.networks, spec),
    ...namesOfOther(needs, networkMode),
    host: { ...host, networkMode, pidMode: settle(host.pidMode), ipcMode: settle(host.ipcMode) },
  };
}

/** Who shares a network goes by the name that its hosts file knows. */
function namesOfOther(
  needs: CreateNeeds,
  mode: string,
): Partial<Pick<ContainerSpec, "hostname" | "domainname">> {
  if (!isContainerMode(mode)) return {};
  const { effective, spec } = needs.containers.find(otherRef(mode));
  return { hostname: effective.hostname, domainname: spec.domainname };
}

/** Source: docker run reference, "Network: container". What belongs to the namespace is its first owner's to say. */
function refuseConflicts({ hostname, host, networks }: ContainerSpec): void {
  const isSet = (value: boolean, words: string) => {
    if (value)
      throw new Fault("invalid", `conflicting options: ${words} and the container type network mode`);
  };
  if (hostname !== "") throw new Fault("invalid", "conflicting options: hostname and the network mode");
  isSet(host.links.length > 0, "links");
  isSet(host.dns.length > 0, "dns");
  isSet(host.extraHosts.length > 0, "custom host-to-IP mapping");
  isSet(Object.keys(host.portBindings).length > 0 || host.publishAllPorts, "port publishing");
  isSet(
    Object.values(networks).some(({ macAddress }) => macAddress !== undefined && macAddress !== ""),
    "mac-address",
  );
}

export function isContainerMode(mode: string): boolean {
  return mode.startsWith(PREFIX);
}

interface StartNeeds {
  readonly containers: Pick<Containers, "find">;
}

/** The network to be joined at this start. Throws `conflict` when it is that of a container that does not run. */
export function networkMode(needs: StartNeeds, { spec }: Pick<Container, "spec">): NetworkMode {
  const mode = spec.networkDisabled ? "none" : spec.host.networkMode;
  if (mode === "host") return { kind: "host" };
  if (mode === "none") return { kind: "none" };
  if (isContainerMode(mode)) return { kind: "container", ...runningOther(needs, mode, "network") };
  return { kind: "networks" };
}

/** The running container whose namespace is shared. */
export function runningOther(
  needs: StartNeeds,
  mode: string,
  subject: string,
): { readonly id: string; readonly pid: number } {
  const { id, name, state } = needs.containers.find(otherRef(mode));
  if (state.status === "running" || state.status === "paused") return { id, pid: state.pid };
  throw new Fault(
    "conflict",
    `cannot join ${subject} namespace of a non running container: container ${name} is ${state.status}; start it first`,
  );
}

/** As runningOther, and throws `invalid` unless that container has offered its IPC namespace to others. */
export function sharingOther(needs: StartNeeds, mode: string): { readonly id: string; readonly pid: number } {
  const other = runningOther(needs, mode, "IPC");
  const { name, spec } = needs.containers.find(other.id);
  if (["shareable", "host"].includes(spec.host.ipcMode)) return other;
  throw new Fault(
    "invalid",
    `cannot join the IPC namespace of container ${name}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`,
  );
}

/** A container whose namespace another joins, as its process was when the joining began. */
export interface Donor {
  readonly name: string;
  readonly pid: number;
  readonly startTicks: string;
  /** Of its user namespace, if it has one of its own or shares one. */
  readonly ids?: Container["state"]["ids"];
}

export function donorsOf(needs: StartNeeds, { spec }: Pick<Container, "spec">): readonly Donor[] {
  const { networkMode: network, pidMode, ipcMode } = spec.host;
  const modes = [spec.networkDisabled ? "" : network, pidMode, ipcMode].filter(isContainerMode);
  return modes.map((mode) => {
    const { name, state } = needs.containers.find(otherRef(mode));
    const { pid, startTicks, ids } = state;
    return { name, pid, startTicks, ...(ids && { ids }) };
  });
}

/**
 * To be asked once the namespaces have been joined: they are found by pid, and a pid that was given again meanwhile
 * would have led into a stranger's. Throws `conflict`.
 */
export function requireAlive(donors: readonly Donor[]): void {
  const ended = donors.find(({ pid, startTicks }) => !isAlive(pid, startTicks));
  if (ended !== undefined)
    throw new Fault(
      "conflict",
      `cannot join a namespace of container ${ended.name}: it has ended meanwhile; start it first`,
    );
}

function otherRef(mode: string): string {
  const ref = mode.slice(PREFIX.length);
  if (ref === "")
    throw new Fault("invalid", `invalid container format ${mode}: expected container:<name|id>`);
  return ref;
}
