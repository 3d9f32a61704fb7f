import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { specOf } from "../../fakes/containers.ts";
import { addImage, openHouse } from "./house.ts";

type House = Awaited<ReturnType<typeof openHouse>>;

/** What a failed create must not leave. */
async function left(house: House): Promise<unknown> {
  const folders = existsSync(join(house.root, "containers"))
    ? await readdir(join(house.root, "containers"))
    : [];
  return {
    folders,
    layers: [...house.driver.layers],
    rows: house.containers.list().length,
    edges: house.db.edges.all("container-name").length,
    volumes: house.rooms.volumes.list().map(({ name }) => name),
    users: house.rooms.volumes.list().flatMap(({ name }) => house.rooms.volumes.usersOf(name)),
  };
}

const NOTHING = { folders: [], layers: [], rows: 0, edges: 0, volumes: [], users: [] };

describe("creating a container", () => {
  test("makes record, layer, folder and volumes, and says so", async () => {
    await using house = await openHouse();
    const container = await house.create({ binds: ["data:/data"] }, { volumes: ["/anon"] }, "web");
    expect(container).toMatchObject({
      name: "web",
      path: "/bin/sh",
      args: [],
      driver: "fake",
      state: { status: "created" },
    });
    expect(await house.driver.has(container.layer as never)).toBe(true);
    expect(existsSync(container.directory)).toBe(true);
    expect(container.mounts.map(({ destination, isAnonymous }) => [destination, isAnonymous])).toEqual([
      ["/data", false],
      ["/anon", true],
    ]);
    expect(house.rooms.volumes.usersOf("data")).toEqual([container.id]);
    expect(await house.happened()).toEqual(["create"]);
  });

  test("of a missing image names it as Docker does", async () => {
    await using house = await openHouse();
    expect(house.create({}, { image: "httpd" })).rejects.toThrow("No such image: httpd:latest");
    expect(house.create({}, { image: "localhost:5000/a/b:1" })).rejects.toThrow(
      "No such image: localhost:5000/a/b:1",
    );
    await house.create({}, { image: "httpd" }).catch(() => {});
    expect(await left(house)).toEqual(NOTHING);
  });

  test("with the host's network warns of ports that nobody will publish", async () => {
    await using house = await openHouse();
    const portBindings = { "80/tcp": [{ hostIp: "", hostPort: "8020" }] };
    const warnings = async (networkMode: string) => {
      const spec = specOf({ image: "busybox" });
      const host = { ...spec.host, networkMode, portBindings };
      return (await house.run("container.create", { spec: { ...spec, host } })).warnings;
    };
    expect(await warnings("host")).toEqual(["Published ports are discarded when using host network mode"]);
    expect(await warnings("bridge")).toEqual([]);
  });

  test("for another platform than the image's says which it is", async () => {
    await using house = await openHouse();
    expect(house.create({}, { platform: "linux/s390x" })).rejects.toThrow(
      "does not match the specified platform (linux/s390x)",
    );
    await house.create({}, { platform: "linux/s390x" }).catch(() => {});
  });

  const refused = [
    ["a name that is none", {}, {}, "a/b", "Invalid container name (a/b)"],
    ["no command", {}, { image: "empty" }, undefined, "no command specified"],
    [
      "--rm with a restart policy",
      { autoRemove: true, restartPolicy: { name: "always", maximumRetryCount: 0 } },
      {},
      undefined,
      "can't create 'AutoRemove' container with restart policy",
    ],
    ["two mounts at one place", { binds: ["/a:/x", "/b:/x"] }, {}, undefined, "Duplicate mount point: /x"],
    [
      "a malformed port",
      { portBindings: { "80/tcp": [{ hostIp: "", hostPort: "x" }] } },
      {},
      undefined,
      "port",
    ],
    ["an unknown network", { networkMode: "nowhere" }, {}, undefined, "network nowhere not found"],
    [
      "an unknown container's network",
      { networkMode: "container:no" },
      {},
      undefined,
      "No such container: no",
    ],
    [
      "an unknown log driver",
      { logConfig: { type: "fluentd", options: {} } },
      {},
      undefined,
      "no log driver named",
    ],
    [
      "a log size that is none",
      { logConfig: { type: "json-file", options: { "max-size": "big" } } },
      {},
      undefined,
      "invalid value for max-size",
    ],
  ] as const;
  for (const [what, host, spec, name, words] of refused)
    test(`refuses ${what}, and leaves nothing`, async () => {
      await using house = await openHouse();
      addImage(house.images, "empty", {});
      const failure = await house.create(host, spec, name).catch((thrown) => thrown);
      expect(failure.message).toContain(words);
      expect(await left(house)).toEqual(NOTHING);
    });

  test("under a name that is taken names the owner, and leaves nothing (C7)", async () => {
    await using house = await openHouse();
    const results = await Promise.allSettled(
      Array.from({ length: 8 }, () => house.create({ binds: ["data:/d"] }, {}, "web")),
    );
    const [winner] = results.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    const failures = results.flatMap((one) => (one.status === "rejected" ? [one.reason.message] : []));
    expect(failures).toEqual(
      Array(7).fill(
        `Conflict. The container name "/web" is already in use by container "${winner?.id}". You have to remove (or rename) that container to be able to reuse that name.`,
      ),
    );
    expect(await left(house)).toMatchObject({ rows: 1, layers: [winner?.id], users: [winner?.id] });
  });
});

describe("a create that fails half-way leaves nothing (F13)", () => {
  const breakages: readonly (readonly [string, (house: House) => void])[] = [
    ["at the layer", (house) => void Object.assign(house.driver, { createFailure: new Error("broken") })],
    [
      "at a volume",
      ({ rooms }) => {
        rooms.volumes.create = () => {
          throw new Error("broken");
        };
      },
    ],
    [
      "at holding a volume",
      ({ rooms }) => {
        rooms.volumes.hold = () => {
          throw new Error("broken");
        };
      },
    ],
    [
      "at the record",
      ({ containers }) => {
        containers.create = () => {
          throw new Error("broken");
        };
      },
    ],
  ];
  for (const [where, breakIt] of breakages)
    test(where, async () => {
      await using house = await openHouse();
      breakIt(house);
      const failure = await house.create({ binds: ["data:/d"] }, { volumes: ["/v"] }, "web").catch((e) => e);
      expect(failure.message).toBe("broken");
      expect(await left(house)).toEqual(NOTHING);
      expect(house.containers.reserve("x", "web").name).toBe("web");
    });

  test("when it is cancelled before the commit", async () => {
    await using house = await openHouse();
    const controller = new AbortController();
    const { hold } = house.rooms.volumes;
    house.rooms.volumes.hold = (...args) => {
      controller.abort();
      hold.apply(house.rooms.volumes, args);
    };
    const input = { spec: specOf({}, { binds: ["data:/d"] }) };
    const failure = await house.run("container.create", input, { signal: controller.signal }).catch((e) => e);
    expect(failure.kind).toBe("cancelled");
    expect(await left(house)).toEqual(NOTHING);
  });
});
