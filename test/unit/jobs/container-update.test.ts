import { describe, expect, test } from "bun:test";
import { openHouse, started } from "./house.ts";

describe("renaming", () => {
  test("is said with the old name, and refuses the same one", async () => {
    await using house = await openHouse();
    const { id } = await house.create({}, {}, "before");
    await house.run("container.rename", { ref: "before", name: "after" });
    expect(house.containers.find("after").id).toBe(id);
    expect(house.run("container.rename", { ref: id, name: "after" })).rejects.toThrow("same name");
    expect(house.run("container.rename", { ref: id, name: "" })).rejects.toThrow("may be empty");
  });
});

describe("updating", () => {
  test("keeps what is not mentioned, and a policy of what lives once", async () => {
    await using house = await openHouse();
    const { id } = await started(house, { resources: { memory: 64e6, cpuShares: 5 } });
    await house.run("container.update", {
      ref: id,
      resources: { cpuShares: 7 },
      restartPolicy: { name: "always", maximumRetryCount: 0 },
    });
    expect(house.containers.find(id).spec.host).toMatchObject({
      resources: { memory: 64e6, cpuShares: 7 },
      restartPolicy: { name: "always" },
    });
    const once = await house.create({ autoRemove: true });
    const update = {
      ref: once.id,
      resources: {},
      restartPolicy: { name: "always", maximumRetryCount: 0 },
    } as const;
    expect(house.run("container.update", update)).rejects.toThrow("AutoRemove is enabled");
  });
});
