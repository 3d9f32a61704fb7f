import { describe, expect, test } from "bun:test";
import { openHouse, started, status } from "./house.ts";

describe("stopping", () => {
  test("sends the stop signal, waits for the end, and then says so", async () => {
    await using house = await openHouse();
    const { id, process } = await started(house, {}, { stopSignal: "SIGQUIT" });
    process.deadly = [3];
    expect(await house.run("container.stop", { ref: id })).toEqual({ changed: true });
    expect(process.signals).toEqual([3]);
    expect(house.containers.find(id)).toMatchObject({
      isManuallyStopped: true,
      state: { status: "exited", exitCode: 131 },
    });
    expect(await house.happened()).toEqual([
      "create",
      "network connect",
      "start",
      "kill",
      "network disconnect",
      "die",
      "stop",
    ]);
    expect(house.networks.held.size).toBe(0);
    expect(house.exec.forgotten).toEqual([id]);
  });

  test("kills at once with a time of 0", async () => {
    await using house = await openHouse();
    const { id, process } = await started(house);
    await house.run("container.stop", { ref: id, timeoutSeconds: 0 });
    expect(process.signals).toEqual([9]);
  });

  test("kills what does not obey when its time is up, and a kill need not wait for that", async () => {
    await using house = await openHouse();
    const { id, process } = await started(house);
    process.deadly = [9];
    const stopping = house.run("container.stop", { ref: id, timeoutSeconds: -1 });
    await house.run("container.kill", { ref: id, signal: "KILL" });
    expect(await stopping).toEqual({ changed: true });
    expect(process.signals).toEqual([15, 9]);
  });

  test("thaws what is paused", async () => {
    await using house = await openHouse();
    const { id, process } = await started(house);
    await house.run("container.pause", { ref: id });
    await house.run("container.stop", { ref: id });
    expect(process.signals).toEqual([15]);
    expect(status(house, id)).toBe("exited");
  });

  test("ends what was paused at the moment of its death", async () => {
    await using house = await openHouse();
    const { id, process } = await started(house);
    const frozen = Promise.withResolvers<void>();
    process.signal = async (number) => {
      process.signals.push(number);
      setImmediate(() => frozen.resolve(house.run("container.pause", { ref: id }).then(() => undefined)));
    };
    await house.run("container.kill", { ref: id, signal: "KILL" });
    await frozen.promise;
    expect([process.signals, status(house, id)]).toEqual([[9], "exited"]);
  });

  test("what does not run changes nothing", async () => {
    await using house = await openHouse();
    const { id } = await house.create();
    expect(await house.run("container.stop", { ref: id })).toEqual({ changed: false });
  });

  test("ends the policy's restarts, also between two lives", async () => {
    await using house = await openHouse();
    const { id, process } = await started(house, { restartPolicy: { name: "always", maximumRetryCount: 0 } });
    process.end({ code: 1 });
    await house.rooms.monitor.committed(id);
    expect(status(house, id)).toBe("restarting");
    expect(await house.run("container.stop", { ref: id })).toEqual({ changed: true });
    expect(status(house, id)).toBe("exited");
  });
});

describe("killing", () => {
  test("with another signal than the stop signal is no stop by a person", async () => {
    await using house = await openHouse();
    const { id, process } = await started(house);
    await house.run("container.kill", { ref: id, signal: "HUP" });
    expect(process.signals).toEqual([1]);
    expect(house.containers.find(id).isManuallyStopped).toBe(false);
    await house.run("container.kill", { ref: id, signal: "TERM" });
    expect(house.containers.find(id).isManuallyStopped).toBe(true);
  });

  test("what does not run, or with no signal, is refused", async () => {
    await using house = await openHouse();
    const { id } = await house.create({}, {}, "web");
    expect(house.run("container.kill", { ref: "web", signal: "KILL" })).rejects.toThrow(
      `cannot kill container: web: container ${id} is not running`,
    );
    expect(house.run("container.kill", { ref: id, signal: "SIGNOPE" })).rejects.toThrow(
      "Invalid signal: SIGNOPE",
    );
  });
});

describe("restarting", () => {
  test("stops and starts, and keeps a container that is to live once", async () => {
    await using house = await openHouse();
    const { id, process } = await started(house, { autoRemove: true });
    await house.run("container.restart", { ref: id });
    expect(process.signals).toEqual([15]);
    expect(house.exec.processes.length).toBe(2);
    expect(status(house, id)).toBe("running");
    expect((await house.happened()).slice(-4)).toEqual(["stop", "network connect", "start", "restart"]);
  });

  test("starts what does not run", async () => {
    await using house = await openHouse();
    const { id } = await house.create();
    await house.run("container.restart", { ref: id });
    expect(status(house, id)).toBe("running");
  });
});
