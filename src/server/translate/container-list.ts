import { type ContainerSummary, isAtLeast } from "#api";
import type { ContainerView } from "#jobs";
import { toHealthSummary, toStatusText } from "./container-state.ts";
import { toMounts } from "./mounts.ts";
import { exposedPorts, toNetworks } from "./network-settings.ts";
import { toSeconds } from "./time.ts";

/** One row of GET /containers/json. Source: Docker Engine API 1.56, ContainerSummary. */
export function toContainerSummary(
  view: ContainerView,
  { now, version }: { readonly now: Date; readonly version: string },
): ContainerSummary {
  const { container } = view;
  const { networkMode, annotations } = container.spec.host;
  return {
    Id: container.id,
    Names: [`/${container.name}`, ...(view.linkedNames ?? [])],
    Image: view.imageName,
    ImageID: container.imageId,
    Command: commandLine(container.path, container.args),
    Created: toSeconds(container.created),
    Ports: toPortSummaries(view),
    ...(view.sizeRw !== undefined && { SizeRw: view.sizeRw }),
    ...(view.sizeRootFs !== undefined && { SizeRootFs: view.sizeRootFs }),
    Labels: container.effective.labels,
    State: container.state.status,
    Status: toStatusText(container, now),
    ...(isAtLeast(version, "1.52") && { Health: toHealthSummary(container) }),
    HostConfig: {
      NetworkMode: networkMode === "default" ? "bridge" : networkMode,
      ...(isAtLeast(version, "1.46") && Object.keys(annotations).length > 0 && { Annotations: annotations }),
    },
    NetworkSettings: { Networks: briefNetworks(view, version) },
    Mounts: toMounts(container.mounts),
  };
}

/** Of each network what the container has there, and little of what was asked. Source: Docker's own rows. */
function briefNetworks(view: ContainerView, version: string) {
  const rows = Object.entries(toNetworks(view, version)).map(([name, { IPAMConfig, ...endpoint }]) => {
    const { LinkLocalIPs: _, ...addresses } = IPAMConfig ?? {};
    const unsaid = { Links: null, Aliases: null, DriverOpts: null };
    const brief = { ...endpoint, ...unsaid, ...("DNSNames" in endpoint && { DNSNames: null }) };
    return [name, { ...brief, IPAMConfig: IPAMConfig === null ? null : addresses }] as const;
  });
  return Object.fromEntries(rows);
}

/** Arguments with a space in them are quoted, as `docker ps` shows them. */
function commandLine(path: string, args: readonly string[]): string {
  return [path, ...args.map((word) => (word.includes(" ") ? `'${word}'` : word))].join(" ");
}

function toPortSummaries(view: ContainerView): ContainerSummary["Ports"] {
  const { container, ports } = view;
  if (!["running", "paused"].includes(container.state.status)) return [];
  const published = ports.flatMap(({ containerPort, protocol, hostAddress, hostPort }) =>
    (hostAddress === "" ? ["0.0.0.0", "::"] : [hostAddress]).map((IP) => ({
      IP,
      PrivatePort: containerPort,
      PublicPort: hostPort,
      Type: protocol,
    })),
  );
  const isPublished = (port: string) => ports.some((p) => `${p.containerPort}/${p.protocol}` === port);
  const exposed = exposedPorts(view)
    .filter((port) => !isPublished(port))
    .map((port) => ({ PrivatePort: Number.parseInt(port, 10), Type: port.split("/")[1] ?? "tcp" }));
  return [...exposed, ...published];
}
