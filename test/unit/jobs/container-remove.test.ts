import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { openHouse, started, status } from "./house.ts";

describe("removing", () => {
  test("takes everything away, anonymous volumes when asked", async () => {
    await using house = await openHouse();
    const { id, directory } = await house.create({ binds: ["named:/n"] }, { volumes: ["/anon"] });
    await house.run("container.remove", { ref: id, force: false, volumes: true, link: false });
    expect(house.containers.list()).toEqual([]);
    expect(house.driver.layers.size).toBe(0);
    expect(existsSync(directory)).toBe(false);
    expect(house.rooms.volumes.list().map(({ name }) => name)).toEqual(["named"]);
    expect(house.rooms.volumes.usersOf("named")).toEqual([]);
    expect(await house.happened()).toEqual(["create", "volume destroy", "destroy"]);
  });

  test("what runs is refused without force", async () => {
    await using house = await openHouse();
    const { id } = await started(house, {}, {}, "web");
    expect(
      house.run("container.remove", { ref: id, force: false, volumes: false, link: false }),
    ).rejects.toThrow(
      'cannot remove container "/web": container is running: stop the container before removing or force remove',
    );
    expect(status(house, id)).toBe("running");
  });

  test("with force kills it first", async () => {
    await using house = await openHouse();
    const { id, process } = await started(house);
    const wait = await house.run("container.wait", { ref: id, condition: "removed" });
    await house.run("container.remove", { ref: id, force: true, volumes: false, link: false });
    expect(process.signals).toEqual([9]);
    expect(await wait.result).toEqual({ code: 137 });
    expect(house.networks.held.size).toBe(0);
  });

  test("by many at once succeeds for one (C7)", async () => {
    await using house = await openHouse();
    const { id } = await started(house);
    const results = await Promise.allSettled(
      [1, 2, 3, 4].map(() =>
        house.run("container.remove", { ref: id, force: true, volumes: false, link: false }),
      ),
    );
    expect(results.filter(({ status }) => status === "fulfilled").length).toBe(1);
    for (const one of results)
      if (one.status === "rejected")
        expect(one.reason.message).toBe(`removal of container ${id} is already in progress`);
  });

  test("of itself at its end (--rm) does not disturb a removal by force", async () => {
    await using house = await openHouse();
    const { id } = await started(house, { autoRemove: true });
    await house.run("container.remove", { ref: id, force: true, volumes: false, link: false });
    expect(house.containers.list()).toEqual([]);
    expect(house.complaints).toEqual([]);
  });

  test("that fails leaves it dead, and may be tried again", async () => {
    await using house = await openHouse();
    const { id } = await house.create();
    house.driver.removeFailure = new Error("device busy");
    const request = { ref: id, force: false, volumes: false, link: false };
    expect(house.run("container.remove", request)).rejects.toThrow("device busy; remove it again");
    await house.run("container.remove", request).catch(() => {});
    expect(status(house, id)).toBe("dead");
    house.driver.removeFailure = undefined;
    await house.run("container.remove", request);
    expect(house.containers.list()).toEqual([]);
  });

  test("comes by itself after the end of what is to live once, with its volumes", async () => {
    await using house = await openHouse();
    const { id, process } = await started(house, { autoRemove: true }, { volumes: ["/anon"] });
    const wait = await house.run("container.wait", { ref: id, condition: "removed" });
    process.end({ code: 4 });
    expect(await wait.result).toEqual({ code: 4 });
    expect(house.containers.list()).toEqual([]);
    expect(house.rooms.volumes.list()).toEqual([]);
    expect((await house.happened()).slice(-3)).toEqual(["die", "volume destroy", "destroy"]);
  });
});
