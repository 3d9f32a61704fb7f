import { type ContainerInspect, isAtLeast } from "#api";
import type { ContainerSpec, ContainerView } from "#jobs";
import { toContainerState } from "./container-state.ts";
import { toHostConfig } from "./host-config.ts";
import { toMounts } from "./mounts.ts";
import { toNetworkSettings } from "./network-settings.ts";

/** GET /containers/{id}/json. Source: Docker Engine API 1.56, ContainerInspectResponse. */
export function toContainerInspect(view: ContainerView, version: string): ContainerInspect {
  const { container } = view;
  return {
    Id: container.id,
    Created: container.created,
    Path: container.path,
    Args: container.args,
    State: toContainerState(container),
    Image: container.imageId,
    ResolvConfPath: view.files?.resolvConf ?? "",
    HostnamePath: view.files?.hostname ?? "",
    HostsPath: view.files?.hosts ?? "",
    LogPath: container.logPath,
    Name: `/${container.name}`,
    RestartCount: container.restartCount,
    Driver: container.driver,
    Platform: "linux",
    MountLabel: "",
    ProcessLabel: "",
    AppArmorProfile: view.appArmorProfile ?? "",
    ExecIDs: view.execIds.length === 0 ? null : view.execIds,
    HostConfig: toHostConfig(view, version),
    GraphDriver: { Name: container.driver, Data: view.graphData ?? null },
    ...(view.sizeRw !== undefined && { SizeRw: view.sizeRw }),
    ...(view.sizeRootFs !== undefined && { SizeRootFs: view.sizeRootFs }),
    Mounts: toMounts(container.mounts),
    Config: toConfig(view, version),
    NetworkSettings: toNetworkSettings(view, version),
  };
}

/** Config: what image and request together came to. */
function toConfig({ container, imageName }: ContainerView, version: string): ContainerInspect["Config"] {
  const { spec, effective } = container;
  const macAddress = isAtLeast(version, "1.52") ? undefined : ownMacAddress(spec);
  return {
    Hostname: effective.hostname,
    Domainname: spec.domainname,
    User: effective.user,
    AttachStdin: spec.attachStdin,
    AttachStdout: spec.attachStdout,
    AttachStderr: spec.attachStderr,
    ...(effective.exposedPorts.length > 0 && { ExposedPorts: toSet(effective.exposedPorts) }),
    Tty: spec.tty,
    OpenStdin: spec.openStdin,
    StdinOnce: spec.stdinOnce,
    Env: effective.env,
    Cmd: effective.command.length === 0 ? null : effective.command,
    ...(effective.healthcheck !== undefined && { Healthcheck: toHealthcheck(effective.healthcheck) }),
    Image: spec.image || imageName,
    Volumes: effective.volumes.length === 0 ? null : toSet(effective.volumes),
    WorkingDir: effective.workingDirectory,
    Entrypoint: effective.entrypoint.length === 0 ? null : effective.entrypoint,
    ...(spec.networkDisabled && { NetworkDisabled: true }),
    ...(macAddress !== undefined && { MacAddress: macAddress }),
    ...((spec.onBuild !== undefined || !isAtLeast(version, "1.52")) && { OnBuild: spec.onBuild ?? null }),
    ...(spec.shell !== undefined && { Shell: spec.shell }),
    ...(spec.argsEscaped && { ArgsEscaped: true }),
    Labels: effective.labels,
    ...(effective.stopSignal !== "" && { StopSignal: effective.stopSignal }),
    ...(spec.stopTimeoutSeconds !== undefined && { StopTimeout: spec.stopTimeoutSeconds }),
  };
}

/** What was asked for on the network of the mode. */
function ownMacAddress({ networks, host }: ContainerSpec): string | undefined {
  return networks[host.networkMode === "default" ? "bridge" : host.networkMode]?.macAddress;
}

function toHealthcheck(check: NonNullable<ContainerSpec["healthcheck"]>) {
  return {
    Test: check.test,
    ...(check.interval && { Interval: check.interval }),
    ...(check.timeout && { Timeout: check.timeout }),
    ...(check.startPeriod && { StartPeriod: check.startPeriod }),
    ...(check.startInterval && { StartInterval: check.startInterval }),
    ...(check.retries && { Retries: check.retries }),
  };
}

function toSet(keys: readonly string[]): Record<string, Record<string, never>> {
  return Object.fromEntries(keys.map((key) => [key, {}]));
}
