import { describe, expect, test } from "bun:test";
import { Fault } from "#errors";
import { recoverContainers } from "#jobs";
import type { NetworkRequest } from "#network";
import { openHouse, started } from "./house.ts";

const ENDPOINT = { aliases: [], links: [], linkLocalAddresses: [], gatewayPriority: 0, driverOptions: {} };
const REQUEST: NetworkRequest = {
  name: "front",
  driver: "bridge",
  options: {},
  labels: { tier: "web" },
  isInternal: false,
  isAttachable: false,
  isIpv4: true,
  isIpv6: false,
  ipam: { driver: "", options: {}, pools: [] },
};

type House = Awaited<ReturnType<typeof openHouse>>;
const networksOf = (house: House, id: string) => Object.keys(house.containers.find(id).spec.networks);

describe("connecting", () => {
  test("a container that runs joins at once and for good, and says so", async () => {
    await using house = await openHouse();
    await house.run("network.create", REQUEST);
    const { id } = await started(house);
    await house.run("network.connect", { ref: "front", container: id, endpoint: ENDPOINT });
    expect(networksOf(house, id)).toEqual(["bridge", "front"]);
    expect(house.networks.endpoints(id).endpoints.map((one) => one.networkName)).toEqual(["bridge", "front"]);
    expect((await house.happened()).slice(-1)).toEqual(["network connect"]);
    await house.run("network.disconnect", { ref: "bridge", container: id, force: false });
    expect(networksOf(house, id)).toEqual(["front"]);
    expect(house.networks.endpoints(id).endpoints.map((one) => one.networkName)).toEqual(["front"]);
    expect((await house.happened()).slice(-1)).toEqual(["network disconnect"]);
  });

  test("of one that does not run only the record changes, and its next start asks for all", async () => {
    await using house = await openHouse();
    await house.run("network.create", REQUEST);
    const { id } = await house.create();
    const endpoint = { ...ENDPOINT, aliases: ["www"], gatewayPriority: 5 };
    await house.run("network.connect", { ref: "front", container: id, endpoint });
    expect(house.networks.endpoints(id).endpoints).toEqual([]);
    await house.run("container.start", { ref: id });
    expect(house.networks.requests.at(-1)?.endpoints).toMatchObject([
      { network: "bridge" },
      { network: "front", aliases: ["www"], gatewayPriority: 5 },
    ]);
  });

  test("that fails leaves record and events as they were", async () => {
    await using house = await openHouse();
    await house.run("network.create", REQUEST);
    const { id } = await started(house);
    house.networks.connectFailure = new Fault("conflict", "Address already in use");
    const connecting = house.run("network.connect", { ref: "front", container: id, endpoint: ENDPOINT });
    expect(connecting).rejects.toThrow("already in use");
    await connecting.catch(() => undefined);
    expect(networksOf(house, id)).toEqual(["bridge"]);
    expect((await house.happened()).filter((word) => word === "network connect").length).toBe(1);
  });

  test("is undone when it cannot be written down", async () => {
    await using house = await openHouse();
    await house.run("network.create", REQUEST);
    const { id } = await started(house);
    house.db.sql.run(
      "CREATE TRIGGER full BEFORE UPDATE ON container BEGIN SELECT RAISE(FAIL, 'disk full'); END",
    );
    const connecting = house.run("network.connect", { ref: "front", container: id, endpoint: ENDPOINT });
    expect(await connecting.catch((thrown: Error) => thrown.message)).toContain("disk full");
    expect(house.networks.endpoints(id).endpoints.map((one) => one.networkName)).toEqual(["bridge"]);
    house.db.sql.run("DROP TRIGGER full");
  });

  test("twice is refused, and so is what has no network of its own", async () => {
    await using house = await openHouse();
    await house.run("network.create", REQUEST);
    const connect = (container: string, ref = "front") =>
      house.run("network.connect", { ref, container, endpoint: ENDPOINT });
    const { id, name } = await house.create();
    await connect(id);
    expect(connect(id)).rejects.toThrow(`endpoint with name ${name} already exists in network front`);
    const hosted = await house.create({ networkMode: "host" });
    expect(connect(hosted.id)).rejects.toThrow("host network");
    const alone = await house.create({ networkMode: "none" });
    expect(connect(alone.id)).rejects.toThrow("private (none) mode");
    const sharing = await house.create({ networkMode: `container:${id}` });
    expect(connect(sharing.id)).rejects.toThrow("sharing network namespace");
    expect(connect(id, "host")).rejects.toThrow("host network");
    expect(connect(id, "nowhere")).rejects.toThrow("network nowhere not found");
    expect(connect("nobody")).rejects.toThrow("No such container: nobody");
    const off = house.run("network.disconnect", { ref: "front", container: sharing.id, force: false });
    expect(off).rejects.toThrow("sharing network namespace");
  });

  test("off what it is not on is refused", async () => {
    await using house = await openHouse();
    await house.run("network.create", REQUEST);
    const { id } = await house.create();
    expect(house.run("network.disconnect", { ref: "front", container: id, force: false })).rejects.toThrow(
      `container ${id} is not connected to network front`,
    );
  });
});

describe("creating a container", () => {
  test("on several networks keeps what was asked of each, by their names", async () => {
    await using house = await openHouse();
    const { id: networkId } = await house.run("network.create", REQUEST);
    const { id } = await house.create(
      { networkMode: networkId },
      { networks: { bridge: { ...ENDPOINT, gatewayPriority: 1 } } },
    );
    expect(networksOf(house, id).sort()).toEqual(["bridge", "front"]);
  });

  test.each<[Parameters<House["create"]>, string]>([
    [[{ networkMode: "nowhere" }], "network nowhere not found"],
    [[{}, { networks: { nowhere: ENDPOINT } }], "network nowhere not found"],
    [[{}, { networks: { bridge: { ...ENDPOINT, aliases: ["x"] } } }], "network-scoped alias"],
    [
      [{}, { networks: { bridge: { ...ENDPOINT, ipv4Address: "172.17.0.9" } } }],
      "user defined networks only",
    ],
    [
      [{ networkMode: "front" }, { networks: { front: { ...ENDPOINT, ipv4Address: "10.0.0.9" } } }],
      "user configured subnets",
    ],
    [[{ networkMode: "host" }, { networks: { front: ENDPOINT } }], "host network"],
    [[{ networkMode: "none" }, { networks: { front: ENDPOINT } }], "private (none) mode"],
  ])("%#", async (asked, words) => {
    await using house = await openHouse();
    await house.run("network.create", REQUEST);
    expect(house.create(...asked)).rejects.toThrow(words);
  });
});

describe("removing", () => {
  test("prune takes what nobody is on, of those the filters mean", async () => {
    await using house = await openHouse();
    await house.run("network.create", REQUEST);
    await house.run("network.create", { ...REQUEST, name: "back", labels: {} });
    await house.run("network.create", { ...REQUEST, name: "used" });
    await started(house, { networkMode: "used" });
    const prune = (filters: Record<string, readonly string[]>) => house.run("network.prune", { filters });
    expect(await prune({ until: ["1h"] })).toEqual({ deleted: [] });
    expect(await prune({ label: ["tier=web"] })).toEqual({ deleted: ["front"] });
    expect(await prune({ "label!": ["nothing"] })).toEqual({ deleted: ["back"] });
    expect(prune({ name: ["x"] })).rejects.toThrow("invalid filter 'name'");
    expect(house.run("network.remove", { ref: "used" })).rejects.toThrow("has active endpoints");
    expect((await house.happened()).filter((word) => word.startsWith("network"))).toEqual([
      "network create",
      "network create",
      "network create",
      "network connect",
      "network prune",
      "network destroy",
      "network prune",
      "network destroy",
      "network prune",
    ]);
  });
});

test("what a killed daemon had not wholly connected goes, and what is on record stays", async () => {
  await using house = await openHouse();
  await house.run("network.create", REQUEST);
  const { id, process } = await started(house);
  await house.networks.connect(id, { ...ENDPOINT, network: "front" });
  house.exec.found.set(id, { state: "running", container: process });
  const recovery = await recoverContainers(house.rooms);
  await recovery.rejoin();
  expect(house.networks.endpoints(id).endpoints.map((one) => one.networkName)).toEqual(["bridge"]);
});

test("a new name is told to the networks", async () => {
  await using house = await openHouse();
  const { id } = await started(house);
  await house.run("container.rename", { ref: id, name: "other" });
  expect(house.networks.renamed).toEqual([[id, "other"]]);
});
