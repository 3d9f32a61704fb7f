import { describe, expect, test } from "bun:test";
import { type Afterlife, Containers, Monitor } from "#container";
import { GraphDB } from "#graphdb";
import { FakeTimers, recordOf, specOf } from "../../fakes/containers.ts";
import { FakeProcess } from "../../fakes/exec.ts";

const ID = "a".repeat(64);

function house(host: Parameters<typeof specOf>[1] = {}) {
  const containers = new Containers(new GraphDB(":memory:"));
  using reserved = containers.reserve(ID, "web");
  const spec = specOf({}, host);
  containers.create(
    recordOf(ID, {
      name: reserved.name,
      spec,
      state: { status: "running", startedAt: "2026-01-02T03:04:05.000000000Z" },
    }),
  );
  const log: string[] = [];
  const clock = new FakeTimers();
  const done = { settled: Promise.withResolvers<void>(), removed: Promise.withResolvers<void>() };
  const monitor = new Monitor<FakeProcess>({
    containers,
    clock,
    announce: ({ state }, action, attributes) =>
      log.push([action, state.status, ...Object.values(attributes ?? {})].join(" ")),
    complain: (sentence) => log.push(sentence),
  });
  const after: Afterlife = {
    settled: async () => {
      log.push("settled");
      done.settled.resolve();
    },
    restart: async () => {
      log.push("restart");
    },
    remove: async () => {
      log.push("remove");
      done.removed.resolve();
    },
  };
  const owned = {
    [Symbol.asyncDispose]: async () => {
      log.push(`given back ${containers.get(ID)?.state.status}`);
    },
  };
  const process = new FakeProcess(ID, 1);
  monitor.adopt(ID, process, { owned, after });
  return { containers, monitor, process, log, clock, done, after };
}

const END = { time: 1_767_323_050_000_000_000n };
const now = (containers: Containers) => containers.find(ID);

describe("the end of a container", () => {
  test("comes in order: given back, committed, waiters, die, cleared, removed", async () => {
    const { containers, monitor, process, log, done } = house({ autoRemove: true });
    const waiting = monitor
      .wait(now(containers), "next-exit")
      .result.then(({ code }) => log.push(`waiter ${code} ${now(containers).state.status}`));
    process.end({ code: 3, ...END });
    await done.removed.promise;
    await waiting;
    expect(log.filter((line) => !line.startsWith("waiter"))).toEqual([
      "given back running",
      "die exited 3 5",
      "settled",
      "remove",
    ]);
    expect(log).toContain("waiter 3 exited");
    expect(log.indexOf("waiter 3 exited")).toBeLessThan(log.indexOf("remove"));
  });

  test("is on record with code, time and no pid", async () => {
    const { containers, monitor, process } = house();
    process.end({ code: 137, outOfMemory: true, ...END });
    await monitor.committed(ID);
    expect(now(containers).state).toMatchObject({
      status: "exited",
      exitCode: 137,
      outOfMemory: true,
      pid: 0,
      finishedAt: "2026-01-02T03:04:10.000000000Z",
    });
  });

  test("goes on when giving back fails, and says what failed", async () => {
    const { monitor, log, after } = house();
    const other = new FakeProcess(ID, 2);
    const owned = { [Symbol.asyncDispose]: () => Promise.reject(new Error("rules")) };
    monitor.adopt(ID, other, { owned, after });
    other.end({ code: 0 });
    await monitor.committed(ID);
    expect(log[0]).toBe("Cannot give back what container web held");
  });

  test("is believed when it cannot be written, and its exit record stays", async () => {
    const { containers, monitor, process, log } = house();
    containers.change = () => {
      throw new Error("disk full");
    };
    process.end({ code: 9, ...END });
    await monitor.committed(ID);
    await Bun.sleep(0);
    expect(now(containers).state).toMatchObject({ status: "exited", exitCode: 9 });
    expect(log).toEqual([
      "given back running",
      `Cannot write down the end of container ${ID}`,
      "die exited 9 5",
    ]);
  });

  test("out of memory is said before it", async () => {
    const { process, log, done } = house();
    process.end({ code: 137, outOfMemory: true, ...END });
    await done.settled.promise;
    expect(log.slice(1, 3)).toEqual(["oom exited", "die exited 137 5"]);
  });

  test("does not remove it while a restart keeps it", async () => {
    const { monitor, process, log, done } = house({ autoRemove: true });
    using _kept = monitor.keep(ID);
    process.end();
    await done.settled.promise;
    await monitor.committed(ID);
    expect(log).not.toContain("remove");
  });
});

describe("the restart policy", () => {
  const always = { restartPolicy: { name: "always", maximumRetryCount: 0 } } as const;

  test("starts it again after its delay, and counts", async () => {
    const { containers, process, log, clock } = house(always);
    process.end({ code: 0, time: 1_767_323_045_100_000_000n });
    await clock.asked;
    expect(now(containers)).toMatchObject({ restartCount: 1, state: { status: "restarting" } });
    expect(clock.delays).toEqual([100]);
    clock.fire();
    expect(log.at(-1)).toBe("restart");
  });

  test("is cancelled by a stop, and the container has exited then", async () => {
    const { containers, monitor, process, clock } = house(always);
    process.end({ code: 4, time: 1_767_323_045_100_000_000n });
    await clock.asked;
    const wait = monitor.wait(now(containers), "not-running");
    expect(monitor.cancelRestart(ID)).toBe(true);
    expect(await wait.result).toEqual({ code: 4 });
    expect(clock.isWaiting).toBe(false);
    expect(now(containers).state.status).toBe("exited");
    expect(monitor.cancelRestart(ID)).toBe(false);
  });

  test("lets rest what a person stopped", async () => {
    const { containers, monitor, process, clock, done } = house(always);
    containers.change(ID, (one) => ({ ...one, isManuallyStopped: true }));
    process.end();
    await monitor.committed(ID);
    await done.settled.promise;
    expect(now(containers).state.status).toBe("exited");
    expect(clock.delays).toEqual([]);
  });

  test("starts nothing once the daemon closes", async () => {
    const { monitor, process, clock } = house(always);
    process.end({ time: 1_767_323_045_100_000_000n });
    await clock.asked;
    monitor.close();
    expect(clock.isWaiting).toBe(false);
  });
});

describe("a wait", () => {
  test("for not-running is over at once for what does not run", async () => {
    const { monitor } = house();
    const record = recordOf("b", { state: { status: "exited", exitCode: 7 } });
    expect(await monitor.wait(record, "not-running").result).toEqual({ code: 7 });
    expect(await monitor.wait(recordOf("c"), "not-running").result).toEqual({ code: 0 });
  });

  test("for next-exit on a created container waits, and learns of a failed start", async () => {
    const { monitor } = house();
    const wait = monitor.wait(recordOf("b"), "next-exit");
    monitor.failed("b", { code: 127, error: "executable file not found" });
    expect(await wait.result).toEqual({ code: 127, error: "executable file not found" });
  });

  test("for removed outlasts the exit", async () => {
    const { containers, monitor, process } = house();
    const wait = monitor.wait(now(containers), "removed");
    const order: string[] = [];
    void wait.result.then(() => order.push("removed"));
    process.end({ code: 5 });
    await monitor.committed(ID);
    order.push("exited");
    monitor.removed(ID, { code: 5 });
    expect(await wait.result).toEqual({ code: 5 });
    expect(order).toEqual(["exited", "removed"]);
  });

  test("for next-exit is over when the container is removed", async () => {
    const { monitor } = house();
    const wait = monitor.wait(recordOf("b"), "next-exit");
    monitor.removed("b", { code: 0 });
    expect(await wait.result).toEqual({ code: 0 });
  });
});

test("a container that does not run has no process", () => {
  const { monitor } = house();
  expect(() => monitor.running(recordOf("b"))).toThrow("Container b is not running");
});
