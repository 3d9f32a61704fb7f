import { describe, expect, test } from "bun:test";
import { restContainers } from "../../../src/jobs/container/rest.ts";
import { openHouse, started } from "./house.ts";

describe("containers that stop with the daemon", () => {
  test("have their stop signal and their time, are not started again, and are not marked as stopped by a person", async () => {
    await using house = await openHouse();
    const { id, process } = await started(
      house,
      { restartPolicy: { name: "always", maximumRetryCount: 0 } },
      { stopSignal: "SIGQUIT" },
    );
    process.deadly = [3];
    await restContainers(house.rooms);
    expect(process.signals).toEqual([3]);
    expect(house.containers.find(id)).toMatchObject({
      isManuallyStopped: false,
      restartCount: 0,
      state: { status: "exited", exitCode: 131 },
    });
  });

  test("are waited for no longer than the daemon's time, and for ever where a container's own has no end", async () => {
    await using house = await openHouse();
    const { id, process } = await started(house, {}, { stopTimeoutSeconds: -1 });
    process.deadly = [9];
    const settings = { ...house.rooms.settings, shutdownTimeoutSeconds: 0 };
    const resting = restContainers({ ...house.rooms, settings });
    await house.run("container.kill", { ref: id, signal: "KILL" });
    await resting;
    expect([process.signals, house.containers.find(id).state.status]).toEqual([[15, 9], "exited"]);
  });
});
