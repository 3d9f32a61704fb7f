import { describe, expect, test } from "bun:test";
import { type EngineEvent, EventBus } from "#engine";

const event = (action: string) => ({ type: "container", action, id: "c1", attributes: {} }) as const;

async function take(events: AsyncIterable<EngineEvent>, count: number): Promise<string[]> {
  const actions: string[] = [];
  for await (const { action } of events) {
    actions.push(action);
    if (actions.length === count) break;
  }
  return actions;
}

describe("the event bus", () => {
  test("delivers in order what is published after the call, before the first read", async () => {
    const bus = new EventBus();
    bus.publish(event("missed"));
    const events = bus.subscribe();
    bus.publish(event("create"));
    bus.publish(event("start"));
    expect(await take(events, 2)).toEqual(["create", "start"]);
  });

  test("replays what it kept since a time", async () => {
    const bus = new EventBus();
    for (const action of ["a", "b", "c"]) bus.publish(event(action));
    expect(await take(bus.subscribe({ since: 0n }), 3)).toEqual(["a", "b", "c"]);
  });

  test("keeps the last 256", async () => {
    const bus = new EventBus();
    for (let n = 0; n < 300; n++) bus.publish(event(String(n)));
    expect((await take(bus.subscribe({ since: 0n }), 256))[0]).toBe("44");
  });

  test("filters", async () => {
    const bus = new EventBus();
    const events = bus.subscribe({ filter: ({ action }) => action === "die" });
    for (const action of ["create", "die", "destroy"]) bus.publish(event(action));
    expect(await take(events, 1)).toEqual(["die"]);
  });

  test("ends with its signal, delivering what came before", async () => {
    const bus = new EventBus();
    const controller = new AbortController();
    const events = bus.subscribe({ signal: controller.signal });
    bus.publish(event("last"));
    controller.abort();
    bus.publish(event("too late"));
    expect((await Array.fromAsync(events)).map(({ action }) => action)).toEqual(["last"]);
  });

  test("ends at once when its end is past", async () => {
    const bus = new EventBus();
    bus.publish(event("old"));
    expect(await Array.fromAsync(bus.subscribe({ since: 0n, until: 1n }))).toEqual([]);
  });

  test("gives each event a later time than the one before", async () => {
    const bus = new EventBus();
    const events = bus.subscribe();
    for (let n = 0; n < 50; n++) bus.publish(event("x"));
    let last = 0n;
    let seen = 0;
    for await (const { timeNano } of events) {
      expect(timeNano > last).toBe(true);
      last = timeNano;
      if (++seen === 50) break;
    }
  });
});
