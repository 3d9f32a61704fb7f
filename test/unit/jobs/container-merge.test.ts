import { describe, expect, test } from "bun:test";
import type { ContainerSpec } from "#container";
import type { ImageConfig } from "#oci";
import { mergeConfig, mergeEnvironment } from "../../../src/jobs/container/merge.ts";
import { specOf } from "../../fakes/containers.ts";

const ID = "0123456789abcdef";

function image(config: NonNullable<ImageConfig["config"]>): ImageConfig {
  return { architecture: "amd64", os: "linux", config, rootfs: { type: "layers", diff_ids: [] } };
}

function merge(spec: Partial<Omit<ContainerSpec, "host">>, config: NonNullable<ImageConfig["config"]>) {
  return mergeConfig(ID, specOf(spec), image(config));
}

describe("entrypoint and command", () => {
  const both = { Entrypoint: ["/entry"], Cmd: ["image"] };
  const cases = [
    ["come from the image", {}, both, ["/entry"], ["image"]],
    ["a command replaces the image's", { command: ["mine"] }, both, ["/entry"], ["mine"]],
    ["an entrypoint drops the image's command", { entrypoint: ["/mine"] }, both, ["/mine"], []],
    ["both are one's own", { entrypoint: ["/mine"], command: ["x"] }, both, ["/mine"], ["x"]],
    ["an empty word clears the entrypoint", { entrypoint: [""], command: ["x"] }, both, [], ["x"]],
    ["an empty list clears the entrypoint only", { entrypoint: [] }, both, [], ["image"]],
    ["an empty command is none", { command: [] }, both, ["/entry"], ["image"]],
  ] as const;
  for (const [name, spec, config, entrypoint, command] of cases)
    test(name, () => {
      expect(
        merge(spec, { ...config, Entrypoint: [...config.Entrypoint], Cmd: [...config.Cmd] }),
      ).toMatchObject({
        entrypoint: [...entrypoint],
        command: [...command],
      });
    });

  for (const [spec, config] of [
    [{}, {}],
    [{ entrypoint: [""] }, { Cmd: ["image"] }],
    [{}, { Entrypoint: null, Cmd: null }],
  ] as const)
    test(`${JSON.stringify(spec)} on ${JSON.stringify(config)} is no command`, () => {
      expect(() => merge(spec, config as never)).toThrow("no command specified");
    });
});

describe("the environment", () => {
  const cases = [
    [["A=1"], ["B=2"], ["A=1", "B=2"]],
    [["A=1"], ["A=2", "B=3"], ["A=1", "B=3"]],
    [["A"], ["A=2"], ["A"]],
    [["A=x=y"], ["A=2"], ["A=x=y"]],
    [[], ["PATH=/bin"], ["PATH=/bin"]],
  ] as const;
  for (const [own, theirs, expected] of cases)
    test(`${own} over ${theirs} is ${expected}`, () => {
      expect(mergeEnvironment(own, theirs)).toEqual([...expected]);
    });
});

describe("the rest of the image's settings", () => {
  test("stand where the request says nothing", () => {
    const merged = merge(
      {},
      {
        Cmd: ["x"],
        User: "www",
        WorkingDir: "/srv",
        StopSignal: "SIGWINCH",
        ExposedPorts: { "80/tcp": {} },
        Volumes: { "/data": {} },
        Labels: { a: "1" },
      },
    );
    expect(merged).toMatchObject({
      user: "www",
      workingDirectory: "/srv",
      stopSignal: "SIGWINCH",
      exposedPorts: ["80/tcp"],
      volumes: ["/data"],
      labels: { a: "1" },
      hostname: "0123456789ab",
    });
  });

  test("give way to the request, and add to its lists", () => {
    const merged = merge(
      {
        user: "0",
        workingDirectory: "/w",
        stopSignal: "KILL",
        hostname: "box",
        exposedPorts: ["81/tcp"],
        volumes: ["/v"],
        labels: { a: "2", b: "3" },
      },
      {
        Cmd: ["x"],
        User: "www",
        WorkingDir: "/srv",
        StopSignal: "TERM",
        ExposedPorts: { "80/tcp": {} },
        Labels: { a: "1" },
      },
    );
    expect(merged).toMatchObject({
      user: "0",
      workingDirectory: "/w",
      stopSignal: "KILL",
      hostname: "box",
      exposedPorts: ["81/tcp", "80/tcp"],
      volumes: ["/v"],
      labels: { a: "2", b: "3" },
    });
  });

  test("a health check's command may be the image's with times of one's own", () => {
    const merged = merge(
      { healthcheck: { test: [], interval: 5 } },
      { Cmd: ["x"], Healthcheck: { Test: ["CMD", "true"], Interval: 9, Retries: 2 } },
    );
    expect(merged.healthcheck).toEqual({ test: ["CMD", "true"], interval: 5, retries: 2 });
  });
});
