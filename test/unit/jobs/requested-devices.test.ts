import { describe, expect, test } from "bun:test";
import type { DeviceRequestSpec } from "#container";
import { checkDeviceRequests, withRequestedDevices } from "../../../src/jobs/container/requested-devices.ts";
import { specOf } from "../../fakes/containers.ts";
import { scratch } from "../../fakes/scratch.ts";
import { bindRoot, processSpec, runtimeSpec } from "../../fixtures/runtime-spec.ts";

const request = (some: Partial<DeviceRequestSpec>): DeviceRequestSpec => ({
  driver: "",
  count: 0,
  deviceIds: [],
  capabilities: [["gpu"]],
  options: {},
  ...some,
});
const host = (some: Partial<DeviceRequestSpec>) => specOf({}, { deviceRequests: [request(some)] }).host;
const plain = runtimeSpec("box", bindRoot("/"), { process: processSpec(["true"], { env: [] }) });

describe("a request for devices", () => {
  test.each([
    [{ driver: "cdi" }, "names its devices"],
    [{ driver: "cdi", deviceIds: ["a.b/c=d"], count: 1 }, "has no count"],
    [{ driver: "other" }, 'could not select device driver "other" with capabilities: [[gpu]]'],
    [
      { capabilities: [["tpu", "fast"]] },
      'could not select device driver "" with capabilities: [[tpu fast]]',
    ],
    [{ count: 1, deviceIds: ["0"] }, "cannot set both Count and DeviceIDs"],
  ])("is refused: %j", (some, says) => {
    expect(() => checkDeviceRequests(host(some))).toThrow(says);
  });

  test.each([
    [{ count: -1 }, ["G0=", "G1="]],
    [{ count: 1 }, ["G0="]],
    [{ deviceIds: ["1"], driver: "amd" }, ["G1="]],
    [{ driver: "cdi", deviceIds: ["amd.com/gpu=1", "amd.com/gpu=1"] }, ["G1="]],
  ])("%j is these devices of the first vendor", async (some, env) => {
    await using place = await scratch();
    const device = (name: string) => ({ name, containerEdits: { env: [`G${name}=`] } });
    const file = { cdiVersion: "0.6.0", kind: "amd.com/gpu", devices: [device("0"), device("1")] };
    await Bun.write(`${place.path}/amd.json`, JSON.stringify(file));
    checkDeviceRequests(host(some));
    expect(withRequestedDevices(plain, host(some), [place.path]).process.env).toEqual(env);
    expect(() => withRequestedDevices(plain, host(some), undefined)).toThrow("switched off");
  });

  test("for more than there are names the first that is missing, however many are asked for", async () => {
    await using place = await scratch();
    const file = { cdiVersion: "0.6.0", kind: "amd.com/gpu", devices: [{ name: "0" }] };
    await Bun.write(`${place.path}/amd.json`, JSON.stringify(file));
    const asked = host({ count: Number.MAX_SAFE_INTEGER });
    expect(() => withRequestedDevices(plain, asked, [place.path])).toThrow(
      "unresolvable CDI devices amd.com/gpu=1; there are",
    );
  });

  test("finds nothing where no vendor has left a file", () => {
    expect(() => withRequestedDevices(plain, host({ count: 1 }), ["/nosuch"])).toThrow(
      "no file in /nosuch describes a GPU",
    );
  });
});
