import { describe, expect, test } from "bun:test";
import {
  type Check,
  type Container,
  type ContainerSpec,
  Containers,
  HealthChecks,
  healthPlan,
} from "#container";
import { GraphDB } from "#graphdb";
import { FakeTimeline, settled } from "../../fakes/clock.ts";
import { recordOf } from "../../fakes/containers.ts";

const ID = "a".repeat(64);
const SECOND = 1000;
const NS = 1_000_000_000;

type Healthcheck = NonNullable<ContainerSpec["healthcheck"]>;

/** A check that ends when the test says so. */
class FakeCheck implements Check {
  readonly #end = Promise.withResolvers<number>();
  readonly ended = this.#end.promise;
  output = "";
  kills = 0;
  /** Whether killing it ends it, as it should. */
  isStubborn = false;

  said(): string {
    return this.output;
  }

  kill(): void {
    this.kills += 1;
    if (!this.isStubborn) this.#end.resolve(137);
  }

  async end(code: number, output = ""): Promise<void> {
    this.output = output;
    this.#end.resolve(code);
    await settled();
  }

  async fail(thrown: unknown): Promise<void> {
    this.#end.reject(thrown);
    await settled();
  }
}

function house(healthcheck: Partial<Healthcheck> = {}, state: Partial<Container["state"]> = {}) {
  const containers = new Containers(new GraphDB(":memory:"));
  using reserved = containers.reserve(ID, "web");
  const record = recordOf(ID, {
    name: reserved.name,
    state: { status: "running", startedAt: "2026-01-02T03:04:05.000000000Z", ...state },
  });
  containers.create({
    ...record,
    effective: { ...record.effective, healthcheck: { test: ["CMD", "check", "it"], ...healthcheck } },
  });
  const clock = new FakeTimeline();
  const said: string[] = [];
  const checks: FakeCheck[] = [];
  const health = new HealthChecks({
    containers,
    clock,
    announce: (_container, action) => said.push(action),
    complain: (sentence) => said.push(sentence),
  });
  const watch = () =>
    health.watch(ID, (_container, args) => {
      const check = new FakeCheck();
      check.output = args.join(" ");
      checks.push(check);
      return check;
    });
  return {
    containers,
    clock,
    said,
    checks,
    health,
    watch,
    get now() {
      return containers.find(ID).state.health;
    },
    /** The check that runs. */
    get check() {
      const check = checks.at(-1);
      if (check === undefined) throw new Error("Nothing has been checked");
      return check;
    },
    /** Moves on to the next check, and ends it. */
    async answer(code: number) {
      await clock.advance(clock.waiting[0] ?? 0);
      await this.check.end(code);
    },
  };
}

describe("what is to be checked, and when", () => {
  const planOf = (healthcheck?: Healthcheck) =>
    healthPlan({ effective: { ...recordOf(ID).effective, ...(healthcheck && { healthcheck }) } });

  test.each([
    [undefined, undefined],
    [[], undefined],
    [["NONE"], undefined],
    [["CMD-SHEL", "true"], undefined],
    [
      ["CMD", "a", "b c"],
      ["a", "b c"],
    ],
    [
      ["CMD-SHELL", "a | b"],
      ["/bin/sh", "-c", "a | b"],
    ],
  ] as const)("%p runs %p", (asked, args) => {
    expect(planOf(asked && { test: asked })?.args).toEqual(args as never);
  });

  test("is Docker's where nothing was said, and in milliseconds", () => {
    expect(planOf({ test: ["CMD", "a"] })).toMatchObject({
      interval: 30_000,
      timeout: 30_000,
      startPeriod: 0,
      startInterval: 5000,
      retries: 3,
    });
    const own = { interval: NS, timeout: 2 * NS, startPeriod: 3 * NS, startInterval: NS / 1000, retries: 9 };
    expect(planOf({ test: ["CMD", "a"], ...own })).toMatchObject({
      interval: 1000,
      timeout: 2000,
      startPeriod: 3000,
      startInterval: 1,
      retries: 9,
    });
  });
});

describe("checks", () => {
  test("come an interval after the start, and an interval after the last one's end", async () => {
    const it = house({ interval: 10 * NS });
    using _watch = it.watch();
    expect(it.now).toEqual({ status: "starting", failingStreak: 0, log: [] });
    await it.clock.advance(10 * SECOND - 1);
    expect(it.checks.length).toBe(0);
    await it.clock.advance(1);
    expect(it.checks.length).toBe(1);
    await it.clock.advance(7 * SECOND);
    await it.check.end(0, "fine");
    expect(it.now).toEqual({
      status: "healthy",
      failingStreak: 0,
      log: [
        {
          start: "2026-01-02T03:04:15.000000000Z",
          end: "2026-01-02T03:04:22.000000000Z",
          exitCode: 0,
          output: "fine",
        },
      ],
    });
    expect(it.clock.waiting).toEqual([10 * SECOND]);
  });

  test("cost one timer, whether one runs or not, and none without a container that has one", async () => {
    const it = house();
    expect(it.clock.waiting).toEqual([]);
    const watch = it.watch();
    for (let round = 0; round < 3; round++) {
      expect(it.clock.waiting).toEqual([30 * SECOND]);
      await it.clock.advance(30 * SECOND);
      expect(it.clock.waiting).toEqual([30 * SECOND]);
      await it.check.end(0);
    }
    watch[Symbol.dispose]();
    expect(it.clock.waiting).toEqual([]);
    const none = house({ test: ["NONE"] });
    using _none = none.watch();
    expect(none.clock.waiting).toEqual([]);
    expect(none.now).toBeUndefined();
  });

  test.each([
    ["one failure is not enough", {}, [1], "starting", 1, []],
    ["three are", {}, [1, 1, 1], "unhealthy", 3, ["unhealthy"]],
    ["as many as asked", { retries: 1 }, [2], "unhealthy", 1, ["unhealthy"]],
    ["a success wipes them out", {}, [1, 1, 0, 1, 1], "healthy", 2, ["healthy"]],
    ["what was healthy falls ill", { retries: 2 }, [0, 1, 1], "unhealthy", 2, ["healthy", "unhealthy"]],
    ["and recovers", { retries: 1 }, [1, 1, 0], "healthy", 0, ["unhealthy", "healthy"]],
    ["every code but 0 is a failure", { retries: 3 }, [2, 127, 255], "unhealthy", 3, ["unhealthy"]],
  ] as const)("count failures: %s", async (_what, asked, codes, status, failingStreak, said) => {
    const it = house(asked);
    using _watch = it.watch();
    for (const code of codes) await it.answer(code);
    expect(it.now).toMatchObject({ status, failingStreak });
    expect(it.said).toEqual(said.map((word) => `health_status: ${word}`));
  });

  test("are frequent and forgiven in the start period, until the first success", async () => {
    const it = house({ interval: 20 * NS, startPeriod: 12 * NS, retries: 1 });
    using _watch = it.watch();
    expect(it.clock.waiting).toEqual([5 * SECOND]);
    await it.answer(1);
    expect(it.now).toMatchObject({ status: "starting", failingStreak: 0 });
    expect(it.now?.log.length).toBe(1);
    expect(it.clock.waiting).toEqual([5 * SECOND]);
    await it.answer(0);
    expect(it.clock.waiting).toEqual([20 * SECOND]);
    await it.answer(1);
    expect(it.now).toMatchObject({ status: "unhealthy", failingStreak: 1 });
  });

  test("in the start period count once it has been healthy, and are judged by when they began", async () => {
    const it = house({
      startPeriod: 100 * NS,
      startInterval: 10 * NS,
      interval: NS,
      timeout: 200 * NS,
      retries: 1,
    });
    using _watch = it.watch();
    await it.clock.advance(10 * SECOND);
    await it.clock.advance(95 * SECOND);
    await it.check.end(1);
    expect(it.now).toMatchObject({ status: "starting", failingStreak: 0 });
    await it.answer(1);
    expect(it.now).toMatchObject({ status: "unhealthy", failingStreak: 1 });
    const other = house({ startPeriod: 100 * NS, interval: NS, retries: 1 });
    using _other = other.watch();
    await other.answer(0);
    await other.answer(1);
    expect(other.now).toMatchObject({ status: "unhealthy", failingStreak: 1 });
  });

  test("leave a log of the last five", async () => {
    const it = house();
    using _watch = it.watch();
    for (let code = 0; code < 8; code++) await it.answer(code);
    expect(it.now?.log.map(({ exitCode }) => exitCode)).toEqual([3, 4, 5, 6, 7]);
  });

  test.each([
    [1.5 * NS, "Health check exceeded timeout (1.5s): so far"],
    [90 * NS, "Health check exceeded timeout (1m30s): so far"],
    [NS / 4, "Health check exceeded timeout (250ms): so far"],
    [3600 * NS, "Health check exceeded timeout (1h0m0s): so far"],
  ])("that take longer than %d ns are killed and have failed", async (timeout, output) => {
    const it = house({ interval: NS, timeout, retries: 1 });
    using _watch = it.watch();
    await it.clock.advance(SECOND);
    it.check.output = "so far";
    await it.clock.advance(timeout / 1e6);
    expect(it.check.kills).toBe(1);
    expect(it.now?.log[0]).toMatchObject({ exitCode: -1, output });
    expect(it.clock.waiting).toEqual([SECOND]);
  });

  test("are never two at a time: one that will not die holds up the next, not its verdict", async () => {
    const it = house({ interval: NS, timeout: NS, retries: 1 });
    using _watch = it.watch();
    await it.clock.advance(SECOND);
    it.check.isStubborn = true;
    await it.clock.advance(50 * SECOND);
    expect(it.checks.length).toBe(1);
    expect(it.now?.status).toBe("unhealthy");
    expect(it.clock.waiting).toEqual([]);
    await it.check.end(137);
    expect(it.now?.log.length).toBe(1);
    expect(it.clock.waiting).toEqual([SECOND]);
  });

  test("that cannot be run have failed with the reason", async () => {
    const it = house({ interval: NS, retries: 1 });
    using _watch = it.watch();
    await it.clock.advance(SECOND);
    await it.check.fail(new Error("no such program"));
    expect(it.now?.log[0]).toMatchObject({ exitCode: -1, output: "no such program" });
    expect(it.clock.waiting).toEqual([SECOND]);
  });

  test("stop while it is paused: what ran is killed and not counted", async () => {
    const it = house({ interval: NS });
    using _watch = it.watch();
    await it.answer(0);
    await it.clock.advance(SECOND);
    it.health.pause(ID);
    await settled();
    expect(it.check.kills).toBe(1);
    expect(it.now).toMatchObject({ status: "unhealthy", failingStreak: 0 });
    expect(it.now?.log.length).toBe(1);
    expect(it.clock.waiting).toEqual([]);
    it.health.resume(ID);
    await settled();
    expect(it.clock.waiting).toEqual([SECOND]);
    await it.answer(0);
    expect(it.now).toMatchObject({ status: "healthy", failingStreak: 0 });
  });

  test("go on after a pause only once the one that was killed is gone", async () => {
    const it = house({ interval: NS });
    using _watch = it.watch();
    await it.clock.advance(SECOND);
    const { check } = it;
    check.isStubborn = true;
    it.health.pause(ID);
    it.health.resume(ID);
    await settled();
    expect(it.clock.waiting).toEqual([]);
    await check.end(137);
    expect(it.clock.waiting).toEqual([SECOND]);
    expect(it.now?.log).toEqual([]);
  });

  test("of a container that is found paused begin when it goes on", async () => {
    const it = house({ interval: NS }, { status: "paused" });
    using _watch = it.watch();
    expect(it.clock.waiting).toEqual([]);
    it.health.resume(ID);
    await settled();
    expect(it.clock.waiting).toEqual([SECOND]);
  });

  test("end with the container's life", async () => {
    const it = house({ interval: NS });
    const watch = it.watch();
    await it.clock.advance(SECOND);
    watch[Symbol.dispose]();
    await settled();
    expect(it.check.kills).toBe(1);
    expect(it.now?.log).toEqual([]);
    expect(it.clock.waiting).toEqual([]);
    it.health.resume(ID);
    await settled();
    expect(it.clock.waiting).toEqual([]);
  });

  test("go on from what is on record when another daemon takes over", async () => {
    const it = house(
      { interval: NS, retries: 2 },
      { health: { status: "healthy", failingStreak: 1, log: [] } },
    );
    using _watch = it.watch();
    await it.answer(1);
    expect(it.now).toMatchObject({ status: "unhealthy", failingStreak: 2 });
  });

  test("write down what changes, and nothing else", async () => {
    const it = house();
    let writes = 0;
    const { change } = it.containers;
    it.containers.change = (...args) => {
      writes += 1;
      return change.apply(it.containers, args);
    };
    using _watch = it.watch();
    for (let round = 0; round < 4; round++) await it.answer(0);
    expect(writes).toBe(1);
    await it.answer(1);
    expect(writes).toBe(2);
    expect(it.now?.log.length).toBe(5);
  });

  test("go on when nothing can be written down", async () => {
    const it = house({ retries: 1 });
    it.containers.change = () => {
      throw new Error("disk full");
    };
    using _watch = it.watch();
    await it.answer(1);
    expect(it.now?.status).toBe("unhealthy");
    expect(it.said).toEqual(["Cannot write down the health of container web", "health_status: unhealthy"]);
    expect(it.clock.waiting).toEqual([30 * SECOND]);
  });

  test("end with the daemon, and their findings stay", async () => {
    const it = house({ interval: NS });
    it.watch();
    await it.answer(0);
    it.health.close();
    expect(it.clock.waiting).toEqual([]);
    expect(it.now?.status).toBe("healthy");
  });
});
