import type { CommitBody, ContainerCreateBody } from "#api";
import { Fault } from "#errors";
import type { ContainerSpec, ImageSettings } from "#jobs";
import { toAskedNetworks } from "./asked-networks.ts";
import { toHostSpec } from "./host-spec.ts";
import { toExposedPorts } from "./ports.ts";

interface CreateContext {
  readonly version: string;
  readonly platform: string | undefined;
}

/** Body of POST /containers/create in the engine's words. Throws `invalid` naming what cannot be meant. */
export function toContainerSpec(body: ContainerCreateBody, context: CreateContext): ContainerSpec {
  if (body.Image === "") throw new Fault("invalid", "Cannot create the container: no image was named");
  const host = toHostSpec(body.HostConfig);
  return {
    image: body.Image,
    ...(context.platform && { platform: context.platform }),
    ...entrypointOf(body),
    ...(body.Cmd !== undefined && { command: body.Cmd }),
    env: body.Env.filter(namesVariable),
    user: body.User,
    workingDirectory: body.WorkingDir,
    hostname: body.Hostname,
    domainname: body.Domainname,
    labels: body.Labels,
    exposedPorts: toExposedPorts([...body.ExposedPorts, ...Object.keys(host.portBindings)]),
    volumes: body.Volumes,
    tty: body.Tty,
    openStdin: body.OpenStdin,
    stdinOnce: body.StdinOnce,
    attachStdin: body.AttachStdin,
    attachStdout: body.AttachStdout,
    attachStderr: body.AttachStderr,
    networkDisabled: body.NetworkDisabled,
    ...(body.Shell.length > 0 && { shell: body.Shell }),
    ...(body.OnBuild.length > 0 && { onBuild: body.OnBuild }),
    ...(body.ArgsEscaped && { argsEscaped: true }),
    ...(body.StopSignal !== "" && { stopSignal: body.StopSignal }),
    ...(typeof body.StopTimeout === "number" && { stopTimeoutSeconds: body.StopTimeout }),
    ...healthcheckOf(body),
    host,
    networks: toAskedNetworks(body, { version: context.version, networkMode: host.networkMode }),
  };
}

/** Body of POST /commit in the engine's words. */
export function toImageSettings(body: CommitBody): ImageSettings {
  return {
    ...entrypointOf(body),
    ...(body.Cmd !== undefined && { command: body.Cmd }),
    env: body.Env.filter(namesVariable),
    user: body.User,
    workingDirectory: body.WorkingDir,
    labels: body.Labels,
    exposedPorts: toExposedPorts(body.ExposedPorts),
    volumes: body.Volumes,
    ...(body.StopSignal !== "" && { stopSignal: body.StopSignal }),
    ...healthcheckOf(body),
  };
}

/** `--entrypoint ""` arrives as one empty word, and clears the image's. */
function entrypointOf({ Entrypoint }: Pick<ContainerCreateBody, "Entrypoint">) {
  if (Entrypoint === undefined) return {};
  return { entrypoint: Entrypoint.length === 1 && Entrypoint[0] === "" ? [] : Entrypoint };
}

function namesVariable(text: string): boolean {
  if (text === "" || text.startsWith("="))
    throw new Fault("invalid", `Invalid environment variable: "${text.slice(0, 100)}"`);
  return true;
}

function healthcheckOf({ Healthcheck }: Pick<ContainerCreateBody, "Healthcheck">) {
  if (Healthcheck == null) return {};
  const { Test, Interval, Timeout, StartPeriod, StartInterval, Retries } = Healthcheck;
  return {
    healthcheck: {
      test: Test,
      interval: Interval,
      timeout: Timeout,
      startPeriod: StartPeriod,
      startInterval: StartInterval,
      retries: Retries,
    },
  };
}
