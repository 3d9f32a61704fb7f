import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { GraphDB } from "#graphdb";
import { MIGRATIONS } from "../../../src/graphdb/schema.ts";
import { NetworkStore } from "../../../src/network/store.ts";
import { scratch } from "../../fakes/scratch.ts";

const BRIDGE = {
  id: "b",
  name: "bridge",
  driver: "bridge",
  created: 1,
  subnet: "172.17.0.0/16",
  gateway: "172.17.0.1",
  ipv6Subnet: "",
  options: { "com.docker.network.bridge.name": "bunker0" },
  labels: {},
  isInternal: false,
};
const NONE = { ...BRIDGE, id: "n", name: "none", driver: "null", subnet: "", gateway: "", options: {} };
const PORTS = [{ containerPort: 80, protocol: "tcp", hostAddress: "0.0.0.0", hostPort: 8020 }];
const ENDPOINT = {
  containerId: "c",
  containerName: "web",
  networkId: "b",
  directory: "/d",
  link: "veth01234567",
  endpoint: {
    networkId: "b",
    networkName: "bridge",
    endpointId: "e",
    macAddress: "02:42:ac:11:00:02",
    address: "172.17.0.2",
    prefixLength: 16,
    gateway: "172.17.0.1",
    ipv6Address: "",
    ipv6PrefixLength: 0,
    ipv6Gateway: "",
    aliases: [],
  },
  ports: PORTS,
};

test("records of a daemon that knew one network a container are what this one reads", async () => {
  await using place = await scratch();
  const path = `${place.path}/x.db`;
  const before = MIGRATIONS.findIndex((text) => text.includes("CREATE TABLE sandbox"));
  {
    using sql = new Database(path, { create: true });
    for (const migration of MIGRATIONS.slice(0, before)) sql.run(migration);
    sql.run(`PRAGMA user_version = ${before}`);
    for (const network of [BRIDGE, NONE])
      sql.run("INSERT INTO network (id, record) VALUES (?, ?)", [network.id, JSON.stringify(network)]);
    sql.run("INSERT INTO endpoint (container, network, address, record) VALUES (?, ?, ?, ?)", [
      "c",
      "b",
      "172.17.0.2",
      JSON.stringify(ENDPOINT),
    ]);
    const modes = ["default", "none", "container:c"];
    for (const networkMode of modes)
      sql.run("INSERT INTO container (id, created, record) VALUES (?, 1, ?)", [
        networkMode,
        JSON.stringify({ spec: { networks: {}, host: { networkMode } } }),
      ]);
  }
  using database = new GraphDB(path);
  const store = new NetworkStore(database);
  expect(store.get("b")).toMatchObject({
    scope: "local",
    isIpv4: true,
    isIpv6: false,
    isAttachable: false,
    ipam: {
      driver: "default",
      pools: [{ family: 4, subnet: "172.17.0.0/16", gateway: "172.17.0.1", range: "" }],
    },
    options: {
      "com.docker.network.bridge.name": "bunker0",
      "com.docker.network.bridge.default_bridge": "true",
    },
  });
  expect(store.get("n")?.ipam).toEqual({ driver: "null", options: {}, pools: [] });
  expect(store.sandbox("c")).toMatchObject({ containerName: "web", namespace: "new", ports: PORTS });
  expect(store.ofContainer("c")).toMatchObject([
    { way: { gateway: "172.17.0.1" }, endpoint: { interfaceName: "eth0", dnsNames: [], gatewayPriority: 0 } },
  ]);
  const rows = database.sql
    .query<{ id: string; record: string }, []>("SELECT id, record FROM container")
    .all();
  const networks = Object.fromEntries(
    rows.map(({ id, record }) => [id, Object.keys(JSON.parse(record).spec.networks)]),
  );
  expect(networks).toEqual({ default: ["bridge"], none: ["none"], "container:c": [] });
});
