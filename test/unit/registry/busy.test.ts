import { describe, expect, test } from "bun:test";
import { parseRetryAfter } from "../../../src/registry/client/retry.ts";
import { FakeClock } from "../../fakes/clock.ts";
import { FakeRegistry, status, times } from "../../fakes/registry.ts";
import { open, resolve } from "./context.ts";

const NOW = Date.parse("2026-01-02T03:04:05Z");

test.each([
  ["5", 5000],
  [" 0 ", 0],
  ["Fri, 02 Jan 2026 03:04:15 GMT", 10_000],
  ["Fri, 02 Jan 2026 03:04:00 GMT", 0],
  ["", undefined],
  ["soon", undefined],
  ["-1", undefined],
  ["1e9", undefined],
  [null, undefined],
])("Retry-After %j is %j milliseconds", (header, expected) => {
  expect(parseRetryAfter(header, NOW)).toBe(expected as number);
});

describe("a busy registry is waited for", () => {
  test.each([
    [429, "7", 7000],
    [429, "Fri, 02 Jan 2026 03:04:14 GMT", 9000],
    [503, "1", 1000],
  ])("%d with Retry-After %s", async (code, header, waited) => {
    await using registry = await FakeRegistry.start();
    const { digest } = registry.addImage("app", "latest", { layers: [] });
    registry.faults.push(times(1, "/manifests/", status(code, { "Retry-After": header })));
    const clock = new FakeClock(NOW);
    expect((await resolve(open({ clock }), registry)).root.digest).toBe(digest);
    expect(clock.slept).toEqual([waited]);
  });

  test.each([429, 500, 502, 503, 504])(
    "%d without a word backs off, a little longer each time",
    async (code) => {
      await using registry = await FakeRegistry.start();
      registry.addImage("app", "latest", { layers: [] });
      registry.faults.push(times(3, "/manifests/", status(code)));
      const clock = new FakeClock(NOW);
      await resolve(open({ clock }), registry);
      expect(clock.slept).toHaveLength(3);
      expect(clock.slept.toSorted((a, b) => a - b)).toEqual(clock.slept);
    },
  );
});

describe("a registry that stays busy ends the pull", () => {
  test("naming its limit", async () => {
    await using registry = await FakeRegistry.start();
    const body = JSON.stringify({
      errors: [{ code: "TOOMANYREQUESTS", message: "You have reached your pull rate limit" }],
    });
    registry.faults.push(times(1000, "/manifests/", status(429, {}, body)));
    await expect(resolve(open(), registry)).rejects.toMatchObject({
      kind: "unavailable",
      message: expect.stringContaining("toomanyrequests: You have reached your pull rate limit"),
    });
  });

  test("at once when it asks for more than a minute", async () => {
    await using registry = await FakeRegistry.start();
    registry.faults.push(times(1000, "/manifests/", status(429, { "Retry-After": "3600" })));
    const clock = new FakeClock();
    const failed = resolve(open({ clock }), registry);
    await expect(failed).rejects.toMatchObject({
      message: expect.stringMatching(/toomanyrequests.*3600 seconds/),
    });
    expect(registry.requests).toHaveLength(1);
    expect(clock.slept).toEqual([]);
  });

  test("after a few attempts with 503", async () => {
    await using registry = await FakeRegistry.start();
    registry.faults.push(times(1000, "/manifests/", status(503)));
    await expect(resolve(open(), registry)).rejects.toMatchObject({ kind: "unavailable" });
    expect(registry.requests).toHaveLength(5);
  });
});
