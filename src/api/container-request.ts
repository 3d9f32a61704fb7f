import { z } from "zod";
import { HostConfigBody } from "./host-config.ts";
import { Count, dictionary, Flag, Integer, KeySet, list, Text, Words } from "./lenient.ts";

export const HealthcheckBody = z.object({
  Test: list(z.string()),
  Interval: Count,
  Timeout: Count,
  StartPeriod: Count,
  StartInterval: Count,
  Retries: Count,
});

export const EndpointBody = z.object({
  IPAMConfig: z.object({ IPv4Address: Text, IPv6Address: Text, LinkLocalIPs: list(z.string()) }).nullish(),
  Links: list(z.string()),
  Aliases: list(z.string()),
  MacAddress: Text,
  DriverOpts: dictionary(Text),
  /** Since API 1.48. */
  GwPriority: Count,
});
export type EndpointBody = z.infer<typeof EndpointBody>;

/** Body of POST /containers/create. Source: Docker Engine API 1.56. */
export const ContainerCreateBody = z.object({
  Image: Text,
  Cmd: Words,
  Entrypoint: Words,
  Env: list(z.string()),
  User: Text,
  WorkingDir: Text,
  Hostname: Text,
  Domainname: Text,
  Labels: dictionary(Text),
  ExposedPorts: KeySet,
  Volumes: KeySet,
  Tty: Flag,
  OpenStdin: Flag,
  StdinOnce: Flag,
  AttachStdin: Flag,
  AttachStdout: Flag,
  AttachStderr: Flag,
  NetworkDisabled: Flag,
  Shell: list(z.string()),
  OnBuild: list(z.string()),
  ArgsEscaped: Flag,
  /** Below API 1.44 the address of the one endpoint was given here; since 1.52 it is nothing. */
  MacAddress: Text,
  StopSignal: Text,
  StopTimeout: Integer.nullish(),
  Healthcheck: HealthcheckBody.nullish(),
  HostConfig: HostConfigBody.nullish().transform((config) => config ?? HostConfigBody.parse({})),
  NetworkingConfig: z
    .object({
      EndpointsConfig: dictionary(EndpointBody.nullish().transform((e) => e ?? EndpointBody.parse({}))),
    })
    .nullish(),
});
export type ContainerCreateBody = z.infer<typeof ContainerCreateBody>;

/** Body of POST /commit: what the image's settings shall be; what is not given is the container's. */
export const CommitBody = z.object({
  Cmd: Words,
  Entrypoint: Words,
  Env: list(z.string()),
  User: Text,
  WorkingDir: Text,
  Labels: dictionary(Text),
  ExposedPorts: KeySet,
  Volumes: KeySet,
  StopSignal: Text,
  Healthcheck: HealthcheckBody.nullish(),
});
export type CommitBody = z.infer<typeof CommitBody>;

/** Body of POST /containers/{id}/exec. */
export const ExecCreateBody = z.object({
  Cmd: Words,
  Env: list(z.string()),
  User: Text,
  WorkingDir: Text,
  Tty: Flag,
  Privileged: Flag,
  AttachStdin: Flag,
  AttachStdout: Flag,
  AttachStderr: Flag,
  DetachKeys: Text,
  ConsoleSize: z.tuple([Integer, Integer]).nullish(),
});
export type ExecCreateBody = z.infer<typeof ExecCreateBody>;

/** Body of POST /exec/{id}/start. */
export const ExecStartBody = z.object({
  Detach: Flag,
  Tty: z.boolean().nullish(),
  ConsoleSize: z.tuple([Integer, Integer]).nullish(),
});

/** Body of POST /bunker/volumes/{name}/clone, and of snapshots to be made or restored. */
export const VolumeNameBody = z.object({ Name: Text });

/** Body of POST /volumes/create. */
export const VolumeCreateBody = z.object({
  Name: Text,
  Driver: Text,
  DriverOpts: dictionary(Text),
  Labels: dictionary(Text),
});
