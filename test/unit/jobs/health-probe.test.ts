import { describe, expect, test } from "bun:test";
import { Fault } from "#errors";
import { prober } from "../../../src/jobs/container/health-probe.ts";
import { settled } from "../../fakes/clock.ts";
import { openHouse, started } from "./house.ts";

/** Docker's frame of standard output. */
function frame(text: string): Buffer {
  const content = Buffer.from(text);
  const header = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(content.length, 4);
  return Buffer.concat([header, content]);
}

async function checked(args: readonly string[] = ["check", "it"]) {
  const house = await openHouse();
  const { id, process } = await started(house, {}, { user: "33", env: ["A=b"] });
  const begin = (how: Parameters<typeof prober>[1] = process) =>
    prober(house.rooms, how)(house.containers.find(id), args);
  return {
    id,
    process,
    begin,
    happened: async () => (await house.happened()).filter((action) => action.startsWith("exec_")),
    [Symbol.asyncDispose]: () => house[Symbol.asyncDispose](),
  };
}

describe("a check in a container", () => {
  test("is a command of its own there, which ends with all that it began", async () => {
    await using it = await checked();
    const check = it.begin();
    await settled();
    const [exec] = it.process.execs;
    exec?.output.write(frame("fine"));
    exec?.end(3);
    expect(await check.ended).toBe(3);
    expect(check.said()).toBe("fine");
    expect(exec?.request).toMatchObject({ endsWhole: true, stdin: false, privileged: false });
    expect(exec?.request.process).toMatchObject({ args: ["check", "it"], user: "33", terminal: false });
    expect(exec?.request.process.env).toContain("A=b");
    expect(await it.happened()).toEqual(["exec_create: check it", "exec_start: check it", "exec_die"]);
  });

  test("is killed where it stands, and has ended when nothing of it is left", async () => {
    await using it = await checked();
    const check = it.begin();
    await settled();
    const [exec] = it.process.execs;
    exec?.output.write(frame("so far"));
    await settled();
    check.kill();
    expect(await check.ended).toBe(137);
    expect(exec?.signals).toEqual([9]);
    expect(check.said()).toBe("so far");
  });

  test("killed before it runs never does", async () => {
    await using it = await checked();
    const waiting = Promise.withResolvers<void>();
    const check = it.begin({
      exec: async (request) => {
        await waiting.promise;
        return it.process.exec(request);
      },
    });
    check.kill();
    waiting.resolve();
    expect(check.ended).rejects.toThrow();
    await check.ended.catch(() => {});
    expect(it.process.execs[0]).toMatchObject({ isDisposed: true, signals: [] });
  });

  test("that floods is not listened to any more, and its end is still heard", async () => {
    await using it = await checked();
    const check = it.begin();
    await settled();
    const [exec] = it.process.execs;
    exec?.output.write(frame("y".repeat(10_000)));
    await settled();
    expect(exec?.output.destroyed).toBe(true);
    exec?.end(0);
    expect(await check.ended).toBe(0);
    expect(check.said()).toBe(`${"y".repeat(4096)}...`);
  });

  test("that cannot be run says why", async () => {
    await using it = await checked();
    it.process.execFailure = new Fault("invalid", "no such program");
    expect(it.begin().ended).rejects.toThrow("no such program");
    await using none = await checked([]);
    expect(none.begin().ended).rejects.toThrow("No exec command specified");
  });
});

describe("a container with a check", () => {
  const healthcheck = { test: ["CMD", "true"], interval: 3600 * 1_000_000_000 };

  test("is starting with each life, rests unhealthy, and is listed by it", async () => {
    await using house = await openHouse();
    const { id, process } = await started(house, {}, { healthcheck });
    const state = () => house.containers.find(id).state.health;
    const listed = async (word: string) =>
      (
        await house.run("container.list", { all: true, limit: 0, size: false, filters: { health: [word] } })
      ).map(({ container }) => container.id);
    expect(state()).toEqual({ status: "starting", failingStreak: 0, log: [] });
    expect(await listed("starting")).toEqual([id]);
    expect(await listed("none")).toEqual([]);
    process.end({ code: 0 });
    await house.rooms.monitor.committed(id);
    expect(state()?.status).toBe("unhealthy");
    await house.run("container.start", { ref: id });
    expect(state()?.status).toBe("starting");
    await house.run("container.pause", { ref: id });
    expect(await listed("unhealthy")).toEqual([id]);
  });

  test("counts its restarts anew when a person restarts it", async () => {
    await using house = await openHouse();
    const { id } = await started(house);
    house.containers.change(id, (one) => ({ ...one, restartCount: 4 }));
    await house.run("container.restart", { ref: id });
    expect(house.containers.find(id).restartCount).toBe(0);
  });
});
