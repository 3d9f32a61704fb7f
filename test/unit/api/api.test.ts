import { describe, expect, test } from "bun:test";
import {
  ContainerCreateBody,
  compareVersions,
  isAtLeast,
  LogsQuery,
  QueryFlag,
  QueryInteger,
  QueryTime,
} from "#api";

describe("API versions", () => {
  test.each([
    ["1.9", "1.10", -1],
    ["1.41", "1.41", 0],
    ["1.56", "1.24", 1],
    ["2.0", "1.99", 1],
    ["nonsense", "1.24", -1],
  ])("%p against %p is %p", (a, b, sign) => {
    expect(Math.sign(compareVersions(a, b))).toBe(sign);
  });

  test("a field that came with a version is there from it on", () => {
    expect(["1.41", "1.42", "1.43"].map((version) => isAtLeast(version, "1.42"))).toEqual([
      false,
      true,
      true,
    ]);
  });
});

describe("a query parameter", () => {
  test.each([
    [undefined, false],
    ["", false],
    ["0", false],
    ["false", false],
    ["No", false],
    ["none", false],
    ["1", true],
    ["true", true],
    ["True", true],
    ["anything", true],
  ])("%p as a truth value is %p", (text, value) => {
    expect(QueryFlag.parse(text)).toBe(value);
  });

  test.each([
    [undefined, undefined],
    ["", undefined],
    ["0", 0],
    ["-1", -1],
    ["10", 10],
  ])("%p as a number is %p", (text, value) => {
    expect(QueryInteger.parse(text)).toBe(value);
  });

  test.each(["ten", "1.5", "1e3", "0x10", "99999999999999999999"])("%p is no number", (text) => {
    expect(QueryInteger.safeParse(text).success).toBe(false);
  });

  test.each([
    ["1700000000", 1_700_000_000_000_000_000n],
    ["1700000000.5", 1_700_000_000_500_000_000n],
    ["1700000000.123456789", 1_700_000_000_123_456_789n],
    ["0", undefined],
    ["", undefined],
    [undefined, undefined],
  ])("%p as a time is %p nanoseconds", (text, value) => {
    expect(QueryTime.parse(text)).toBe(value);
  });

  test.each(["yesterday", "1700000000.1234567890", "1,5", "2024-01-01T00:00:00Z"])(
    "%p is no time",
    (text) => {
      expect(QueryTime.safeParse(text).success).toBe(false);
    },
  );

  test("unknown parameters are passed over", () => {
    expect(LogsQuery.parse({ stdout: "1", novelty: "x" })).toMatchObject({ stdout: true, stderr: false });
  });
});

describe("the body of create", () => {
  test("takes null for every empty thing and passes over what it does not know", () => {
    const body = ContainerCreateBody.parse({
      Image: "httpd",
      Cmd: null,
      Env: null,
      Labels: null,
      ExposedPorts: null,
      Volumes: null,
      HostConfig: { Binds: null, PortBindings: { "80/tcp": null }, RestartPolicy: null, Novelty: 1 },
      NetworkingConfig: { EndpointsConfig: { bridge: null } },
      Novelty: {},
    });
    expect(body.Cmd).toBeUndefined();
    expect(body.Env).toEqual([]);
    expect(body.HostConfig.PortBindings).toEqual({ "80/tcp": [] });
    expect(body.NetworkingConfig?.EndpointsConfig.bridge).toMatchObject({ Aliases: [], Links: [] });
  });

  test("takes one word where a list of words belongs", () => {
    const body = ContainerCreateBody.parse({ Cmd: "ls", Entrypoint: ["/bin/sh", "-c"] });
    expect([body.Cmd, body.Entrypoint]).toEqual([["ls"], ["/bin/sh", "-c"]]);
  });

  test.each([
    { Env: "A=b" },
    { Env: [1] },
    { Tty: "yes" },
    { Labels: ["a"] },
    { HostConfig: [] },
    { HostConfig: { Memory: "1g" } },
    { HostConfig: { Memory: 1.5 } },
    { HostConfig: { Memory: 1e30 } },
    { Cmd: { a: 1 } },
    { StopTimeout: "10" },
  ])("refuses %j", (body) => {
    expect(ContainerCreateBody.safeParse(body).success).toBe(false);
  });

  test("takes numbers as far as int64 goes", () => {
    const body = ContainerCreateBody.parse(
      JSON.parse('{"HostConfig":{"Memory":9223372036854775807,"MemorySwap":-1}}'),
    );
    expect(body.HostConfig).toMatchObject({ Memory: 2 ** 63, MemorySwap: -1 });
  });
});
