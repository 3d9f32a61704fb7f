import { describe, expect, test } from "bun:test";
import { Fault } from "#errors";
import { openHouse, started, status } from "./house.ts";

describe("pausing", () => {
  test("and going on change the status, and only then", async () => {
    await using house = await openHouse();
    const { id, process } = await started(house);
    await house.run("container.pause", { ref: id });
    expect([await process.isPaused(), status(house, id)]).toEqual([true, "paused"]);
    expect(house.run("container.pause", { ref: id })).rejects.toThrow("is already paused");
    await house.run("container.unpause", { ref: id });
    expect([await process.isPaused(), status(house, id)]).toEqual([false, "running"]);
    expect(house.run("container.unpause", { ref: id })).rejects.toThrow("is not paused");
  });

  test("what does not run is refused", async () => {
    await using house = await openHouse();
    const { id } = await house.create();
    expect(house.run("container.pause", { ref: id })).rejects.toThrow(`Container ${id} is not running`);
  });
});

describe("pausing what ends meanwhile", () => {
  const steps = ["pause", "unpause"] as const;
  test.each(steps)("%s says that it does not run", async (step) => {
    await using house = await openHouse();
    const { id, process } = await started(house);
    if (step === "unpause") await house.run("container.pause", { ref: id });
    const gone = async () => {
      process.end();
      throw new Fault("internal", "Cannot write to its group");
    };
    process.pause = gone;
    process.resume = gone;
    const turning = house.run(`container.${step}`, { ref: id });
    expect(turning).rejects.toThrow(`Container ${id} is not running`);
  });
});
