import type { Container, ContainerSpec } from "#container";
import { Fault } from "#errors";
import type { ImageConfig } from "#oci";
import type { ImageSettings } from "./types.ts";

const DEFAULT_STOP_SIGNAL = "SIGTERM";
const SHORT_ID = 12;

/** What an image configuration may say of health checks. Docker's addition; times in nanoseconds. */
interface ImageHealthcheck {
  readonly Test?: readonly string[];
  readonly Interval?: number;
  readonly Timeout?: number;
  readonly StartPeriod?: number;
  readonly StartInterval?: number;
  readonly Retries?: number;
}

/**
 * What image and request together come to. An entrypoint of one's own drops the image's command; `[""]` clears
 * the image's entrypoint. Source: docker run reference, "Overriding image defaults".
 */
export function mergeConfig(
  id: string,
  spec: ImageSettings & Partial<Pick<ContainerSpec, "hostname" | "shell">>,
  image: Pick<ImageConfig, "config">,
): Container["effective"] {
  const config = image.config ?? {};
  const { entrypoint, command } = mergeCommand(spec, config);
  if (entrypoint.length + command.length === 0) throw new Fault("invalid", "no command specified");
  const healthcheck = mergeHealth(spec.healthcheck, config.Healthcheck as ImageHealthcheck | undefined);
  return {
    env: mergeEnvironment(spec.env, config.Env ?? []),
    entrypoint,
    command,
    workingDirectory: spec.workingDirectory || config.WorkingDir || "",
    user: spec.user || config.User || "",
    exposedPorts: union(spec.exposedPorts, Object.keys(config.ExposedPorts ?? {})),
    volumes: union(spec.volumes, Object.keys(config.Volumes ?? {})),
    labels: { ...config.Labels, ...spec.labels },
    stopSignal: spec.stopSignal || config.StopSignal || DEFAULT_STOP_SIGNAL,
    hostname: spec.hostname || id.slice(0, SHORT_ID),
    ...(healthcheck !== undefined && { healthcheck }),
    ...(spec.shell !== undefined && { shell: spec.shell }),
  };
}

function mergeCommand(
  spec: Pick<ImageSettings, "entrypoint" | "command">,
  config: NonNullable<ImageConfig["config"]>,
): { readonly entrypoint: readonly string[]; readonly command: readonly string[] } {
  const own = spec.entrypoint ?? [];
  const ownCommand = spec.command ?? [];
  if (own.length > 0) {
    const isCleared = own.length === 1 && own[0] === "";
    return { entrypoint: isCleared ? [] : own, command: ownCommand };
  }
  return {
    entrypoint: spec.entrypoint === undefined ? (config.Entrypoint ?? []) : [],
    command: ownCommand.length > 0 ? ownCommand : (config.Cmd ?? []),
  };
}

/** The request's variables in their order, then those of the image that it does not mention. */
export function mergeEnvironment(own: readonly string[], image: readonly string[]): readonly string[] {
  const keys = new Set(own.map(keyOf));
  return [...own, ...image.filter((entry) => !keys.has(keyOf(entry)))];
}

function keyOf(entry: string): string {
  const equals = entry.indexOf("=");
  return equals < 0 ? entry : entry.slice(0, equals);
}

function mergeHealth(
  own: ContainerSpec["healthcheck"],
  image: ImageHealthcheck | undefined,
): ContainerSpec["healthcheck"] {
  if (image === undefined) return own;
  const { Test = [], Interval, Timeout, StartPeriod, StartInterval, Retries } = image;
  const test = own !== undefined && own.test.length > 0 ? own.test : Test;
  const merged = {
    interval: own?.interval || Interval,
    timeout: own?.timeout || Timeout,
    startPeriod: own?.startPeriod || StartPeriod,
    startInterval: own?.startInterval || StartInterval,
    retries: own?.retries || Retries,
  };
  return { test, ...Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== undefined)) };
}

function union(one: readonly string[], other: readonly string[]): readonly string[] {
  return [...new Set([...one, ...other])];
}
