import { describe, expect, test } from "bun:test";
import { advance, Containers, Monitor, type RestartPolicy } from "#container";
import { GraphDB } from "#graphdb";
import { FakeTimeline, settled } from "../../fakes/clock.ts";
import { recordOf, specOf } from "../../fakes/containers.ts";
import { FakeProcess } from "../../fakes/exec.ts";

const ID = "a".repeat(64);
const SECOND = 1000;
const stamp = (time: bigint) => new Date(Number(time / 1_000_000n)).toISOString();

/** A container whose every life ends when the test says so, and is followed by what its policy wants. */
function house(restartPolicy: RestartPolicy) {
  const containers = new Containers(new GraphDB(":memory:"));
  using reserved = containers.reserve(ID, "web");
  const clock = new FakeTimeline();
  containers.create(recordOf(ID, { name: reserved.name, spec: specOf({}, { restartPolicy }) }));
  const monitor = new Monitor<FakeProcess>({ containers, clock, announce: () => {}, complain: () => {} });
  const processes: FakeProcess[] = [];
  const begin = async () => {
    const process = new FakeProcess(ID, processes.length + 1);
    processes.push(process);
    containers.change(ID, (one) => ({
      ...one,
      isManuallyStopped: false,
      state: { ...one.state, status: advance(one.state.status, "start"), startedAt: stamp(clock.now()) },
    }));
    monitor.adopt(ID, process, {
      owned: { [Symbol.asyncDispose]: async () => {} },
      after: { settled: async () => {}, restart: begin, remove: async () => {} },
    });
  };
  return {
    containers,
    clock,
    monitor,
    begin,
    get now() {
      return containers.find(ID);
    },
    get lives() {
      return processes.length;
    },
    /** Lives for so long and ends with this code; returns the delay until the next life, or undefined when there is none. */
    async live(milliseconds: number, code: number): Promise<number | undefined> {
      await clock.advance(milliseconds);
      processes.at(-1)?.end({ code, time: clock.now() });
      for (let round = 0; round < 5; round++) await settled();
      const [delay] = clock.waiting;
      return delay;
    },
  };
}

type Life = readonly [milliseconds: number, code: number];

describe("a container that ends again and again", () => {
  const quick: Life = [0, 1];
  const fine: Life = [0, 0];
  const doubling = [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000];
  const policy = (name: RestartPolicy["name"], maximumRetryCount = 0) => ({ name, maximumRetryCount });

  test.each([
    [
      "F7: is started with delays that double, to a minute",
      policy("always"),
      Array(12).fill(quick),
      doubling,
    ],
    ["whatever its code is", policy("always"), [fine, quick, [0, 255]], [100, 200, 400]],
    ["and so is unless-stopped", policy("unless-stopped"), [fine, quick], [100, 200]],
    [
      "anew after ten seconds of life",
      policy("always"),
      [quick, quick, [10 * SECOND, 0], quick],
      [100, 200, 100, 200],
    ],
    ["but not after less", policy("always"), [quick, quick, [9999, 0], quick], [100, 200, 400, 800]],
    [
      "F7: on failure so often as was said",
      policy("on-failure", 3),
      [quick, quick, quick, quick],
      [100, 200, 400, undefined],
    ],
    ["on failure without end", policy("on-failure"), [quick, quick, quick, quick], [100, 200, 400, 800]],
    ["on failure until it succeeds", policy("on-failure", 5), [quick, fine], [100, undefined]],
    [
      "a long life does not make good for failures",
      policy("on-failure", 2),
      [quick, [60 * SECOND, 1], quick],
      [100, 100, undefined],
    ],
    ["never, when nothing was asked", policy("no"), [quick], [undefined]],
  ] as const)("%s", async (_what, restartPolicy, given, delays) => {
    const it = house(restartPolicy);
    await it.begin();
    const seen: (number | undefined)[] = [];
    for (const [milliseconds, code] of given as readonly Life[]) {
      const delay = await it.live(milliseconds, code);
      seen.push(delay);
      if (delay !== undefined) await it.clock.advance(delay);
    }
    expect(seen).toEqual([...delays]);
    const again = seen.filter((delay) => delay !== undefined).length;
    expect([it.lives, it.now.restartCount]).toEqual([again + 1, again]);
    expect(it.now.state.status).toBe(seen.at(-1) === undefined ? "exited" : "running");
  });

  test.each(["always", "unless-stopped", "on-failure"] as const)(
    "F7: %s: stopped in its delay it rests at once, and begins anew when a person starts it",
    async (name) => {
      const it = house(policy(name));
      await it.begin();
      await it.live(0, 1);
      await it.clock.advance(100);
      expect(await it.live(0, 1)).toBe(200);
      expect(it.monitor.cancelRestart(ID)).toBe(true);
      expect([it.clock.waiting.length, it.now.state.status]).toEqual([0, "exited"]);
      await it.clock.advance(60 * SECOND);
      expect(it.lives).toBe(2);
      it.monitor.forgetDelays(ID);
      await it.begin();
      expect(await it.live(0, 1)).toBe(100);
    },
  );

  test.each(["always", "unless-stopped", "on-failure"] as const)(
    "%s: stopped while it runs it is left to rest",
    async (name) => {
      const it = house(policy(name));
      await it.begin();
      it.containers.change(ID, (one) => ({ ...one, isManuallyStopped: true }));
      expect(await it.live(SECOND, 137)).toBeUndefined();
      expect(it.now).toMatchObject({ restartCount: 0, state: { status: "exited", exitCode: 137 } });
    },
  );

  test("heeds a policy that has changed while it ran", async () => {
    const it = house(policy("no"));
    await it.begin();
    it.containers.change(ID, (one) => ({
      ...one,
      spec: { ...one.spec, host: { ...one.spec.host, restartPolicy: policy("always") } },
    }));
    expect(await it.live(SECOND, 0)).toBe(100);
  });
});
