import { describe, expect, test } from "bun:test";
import type { ContainerSpec } from "#container";
import { resolverOf, withDefaults } from "../../../src/jobs/container/defaults.ts";

const DEFAULTS = {
  cgroupnsMode: "private",
  ipcMode: "private",
  shmSizeBytes: 1024,
  noNewPrivileges: false,
  init: true,
  log: { type: "json-file", options: { "max-size": "10m" } },
  dns: ["192.0.2.1"],
  dnsSearch: ["example.org"],
  dnsOptions: [],
} as const;

function asked(host: Record<string, unknown>): ContainerSpec {
  const none = {
    shmSizeBytes: 0,
    ulimits: [],
    logConfig: { type: "", options: {} },
    dns: [],
    dnsSearch: [],
    dnsOptions: [],
  };
  return { host: { ...none, ...host } } as unknown as ContainerSpec;
}

describe("the daemon's defaults", () => {
  test("fill what the request leaves open", () => {
    expect(withDefaults(asked({}), DEFAULTS).host).toMatchObject({
      shmSizeBytes: 1024,
      init: true,
      logConfig: { type: "json-file", options: { "max-size": "10m" } },
    });
  });

  test("give way to what was asked for", () => {
    const logConfig = { type: "json-file", options: { "max-size": "1m" } };
    expect(withDefaults(asked({ shmSizeBytes: 7, init: false, logConfig }), DEFAULTS).host).toMatchObject({
      shmSizeBytes: 7,
      init: false,
      logConfig,
    });
  });

  test("bound a container's size that asks for no other", () => {
    const bounded = { ...DEFAULTS, storage: { size: "10G" } };
    const optionsOf = (storageOptions: Record<string, string>) =>
      withDefaults(asked({ storageOptions }), bounded).host.storageOptions;
    expect(optionsOf({})).toEqual({ size: "10G" });
    expect(optionsOf({ Size: "0" })).toEqual({ size: "0" });
  });

  test("add limits that the container does not set itself", () => {
    const limits = (name: string, most: number) => ({ name, soft: most, hard: most });
    const limited = { ...DEFAULTS, ulimits: [limits("nofile", 1), limits("nproc", 2)] };
    expect(withDefaults(asked({ ulimits: [limits("nofile", 9)] }), limited).host.ulimits).toEqual([
      limits("nofile", 9),
      limits("nproc", 2),
    ]);
  });

  test("do not hand one log driver's options to another", () => {
    const { logConfig } = withDefaults(asked({ logConfig: { type: "none", options: {} } }), DEFAULTS).host;
    expect(logConfig).toEqual({ type: "none", options: {} });
  });

  test("name servers are the container's own, else the daemon's", () => {
    expect(resolverOf(asked({}), DEFAULTS).dns).toEqual(["192.0.2.1"]);
    expect(resolverOf(asked({ dns: ["198.51.100.1"] }), DEFAULTS)).toMatchObject({
      dns: ["198.51.100.1"],
      dnsSearch: ["example.org"],
    });
  });
});
