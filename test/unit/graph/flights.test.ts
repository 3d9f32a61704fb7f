import { expect, test } from "bun:test";
import { Flights } from "../../../src/graph/flights.ts";
import { Gauge } from "../../../src/graph/gauge.ts";
import { Slots } from "../../../src/graph/slots.ts";

const never = () => new AbortController().signal;
const silent = () => {};

test("work wanted by several is done once, and each hears of it", async () => {
  const flights = new Flights<number>(() => undefined);
  const { promise, resolve } = Promise.withResolvers<void>();
  const heard: string[] = [];
  let count = 0;
  const rides = ["a", "b"].map((name) =>
    flights.join(
      "x",
      { signal: never(), report: (phase) => heard.push(`${name} ${phase}`) },
      async ({ report }) => {
        report("waiting");
        await promise;
        report("done");
        return ++count;
      },
    ),
  );
  resolve();
  expect(await Promise.all(rides.map(({ done }) => done))).toEqual([1, 1]);
  expect(heard.sort()).toEqual(["a done", "a waiting", "b done", "b waiting"]);
});

test("one who leaves does not stop the others; the last one does, and waits for the cleaning up", async () => {
  const flights = new Flights<void>(() => undefined);
  const [first, last] = [new AbortController(), new AbortController()];
  let isClean = false;
  const work = async ({ signal }: { readonly signal: AbortSignal }) => {
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    await Promise.resolve();
    isClean = true;
    throw signal.reason;
  };
  const one = flights.join("x", { signal: first.signal, report: silent }, work).done;
  const other = flights.join("x", { signal: last.signal, report: silent }, work).done;
  first.abort(new Error("first"));
  await expect(one).rejects.toThrow("first");
  expect(isClean).toBe(false);
  last.abort(new Error("last"));
  await expect(other).rejects.toThrow("last");
  expect([isClean, flights.current("x")]).toEqual([true, undefined]);
});

test("who comes while an abandoned flight lands gets a new one after it", async () => {
  const flights = new Flights<string>(() => undefined);
  const landing = Promise.withResolvers<void>();
  const leaver = new AbortController();
  const order: string[] = [];
  const deserted = Promise.withResolvers<unknown>();
  const abandoned = flights.join("x", { signal: leaver.signal, report: silent }, async ({ signal }) => {
    signal.addEventListener("abort", deserted.resolve);
    await landing.promise;
    order.push("old landed");
    return "old";
  }).done;
  leaver.abort(new Error("left"));
  abandoned.catch(() => {});
  await deserted.promise;
  const next = flights.join("x", { signal: never(), report: silent }, async () => {
    order.push("new began");
    return "new";
  }).done;
  landing.resolve();
  expect([await next, order]).toEqual(["new", ["old landed", "new began"]]);
});

test("after a failure the next one tries again", async () => {
  const flights = new Flights<number>(() => undefined);
  const passenger = { signal: never(), report: silent };
  await expect(flights.join("x", passenger, () => Promise.reject(new Error("bad"))).done).rejects.toThrow(
    "bad",
  );
  expect(await flights.join("x", passenger, async () => 2).done).toBe(2);
});

test("slots are given in the order of asking, and a waiter can give up", async () => {
  const slots = new Slots(1);
  const order: string[] = [];
  const held = await slots.acquire(never());
  const impatient = new AbortController();
  const first = slots.acquire(impatient.signal);
  const second = slots.acquire(never()).then((slot) => {
    order.push("second");
    return slot;
  });
  impatient.abort(new Error("enough"));
  await expect(first).rejects.toThrow("enough");
  expect(order).toEqual([]);
  held[Symbol.dispose]();
  held[Symbol.dispose]();
  const slot = await second;
  const third = slots.acquire(never());
  slot[Symbol.dispose]();
  (await third)[Symbol.dispose]();
  expect(order).toEqual(["second"]);
});

test("a gauge tells the newest value to each who follows, and how it ends", async () => {
  const gauge = new Gauge();
  gauge.rise(1);
  gauge.rise(5);
  const follow = async () => {
    const seen: number[] = [];
    for await (const value of gauge) {
      seen.push(value);
      if (value === 5) queueMicrotask(() => gauge.rise(9));
      if (value === 9) gauge.end();
    }
    return seen;
  };
  expect(await Promise.all([follow(), follow()])).toEqual([
    [5, 9],
    [5, 9],
  ]);
  const broken = new Gauge();
  broken.fail(new Error("cut"));
  await expect(broken[Symbol.asyncIterator]().next()).rejects.toThrow("cut");
});
