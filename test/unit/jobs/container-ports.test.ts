import { describe, expect, test } from "bun:test";
import type { HostSpec } from "#container";
import { portRequests } from "../../../src/jobs/container/ports.ts";
import { recordOf, specOf } from "../../fakes/containers.ts";

function requests(host: Partial<HostSpec>, exposedPorts: readonly string[] = []) {
  const record = recordOf("a", { spec: specOf({}, host) });
  return portRequests({ ...record, effective: { ...record.effective, exposedPorts } }).map(
    ({ containerPort, protocol, hostAddress, hostPort, hostPortEnd }) =>
      `${hostAddress}:${hostPort}-${hostPortEnd}:${containerPort}/${protocol}`,
  );
}

const bind = (key: string, hostPort: string, hostIp = "") => ({
  portBindings: { [key]: [{ hostIp, hostPort }] },
});

describe("published ports", () => {
  const cases = [
    ["a fixed one", bind("80/tcp", "8020"), [":8020-8020:80/tcp"]],
    ["one without a protocol", bind("80", "8020"), [":8020-8020:80/tcp"]],
    ["one to be chosen", bind("80/tcp", ""), [":0-0:80/tcp"]],
    ["one of a range", bind("80/tcp", "8000-8010"), [":8000-8010:80/tcp"]],
    ["an address", bind("53/udp", "53", "127.0.0.1"), ["127.0.0.1:53-53:53/udp"]],
    ["an IPv6 address in brackets", bind("80/tcp", "80", "[::1]"), ["::1:80-80:80/tcp"]],
    ["two ranges side by side", bind("80-81/tcp", "90-91"), [":90-90:80/tcp", ":91-91:81/tcp"]],
    ["no binding at all", { portBindings: { "80/tcp": [] } }, [":0-0:80/tcp"]],
  ] as const;
  for (const [name, host, expected] of cases)
    test(name, () => {
      expect(requests(host)).toEqual([...expected]);
    });

  test("all exposed ones, unless they are bound", () => {
    const host = { ...bind("80/tcp", "8020"), publishAllPorts: true };
    expect(requests(host, ["80/tcp", "443/tcp", "90-91/udp"])).toEqual([
      ":8020-8020:80/tcp",
      ":0-0:443/tcp",
      ":0-0:90/udp",
      ":0-0:91/udp",
    ]);
    expect(requests({}, ["443/tcp"])).toEqual([]);
  });

  for (const [host, words] of [
    [bind("80/tcp", "70000"), "invalid port specification"],
    [bind("80/tcp", "90-80"), "invalid port specification"],
    [bind("x/tcp", "80"), "invalid port specification"],
    [bind("80/http", "80"), "invalid proto: http"],
    [bind("80/tcp/x", "80"), "invalid proto"],
    [bind("80/tcp", "-1"), "invalid port specification"],
    [bind("80-82/tcp", "90-91"), "invalid ranges"],
    [bind("80/tcp", "80", "nohost"), "invalid IP address"],
  ] as const)
    test(`refuses ${JSON.stringify(host.portBindings)}`, () => {
      expect(() => requests(host)).toThrow(words);
    });
});
