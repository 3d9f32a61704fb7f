import { expect, test } from "bun:test";
import type { Container } from "#container";
import { EventBus } from "#engine";
import { GarbagePolicy, type GarbageSettings } from "../../../src/jobs/system/gc-policy.ts";

const SETTINGS: GarbageSettings = { high: 0.8, low: 0.5, keepSeconds: 60 };

interface Given {
  readonly used?: number;
  readonly isOff?: boolean;
  /** Whose use cannot be written down. */
  readonly full?: string;
}

function scene({ used = 90, isOff = false, full }: Given = {}) {
  const events = new EventBus();
  const collected: [number, number][] = [];
  const touched: string[] = [];
  const said: string[] = [];
  const heard = Promise.withResolvers<void>();
  const policy = new GarbagePolicy({
    events,
    containers: { get: (id) => ({ id, imageId: `image of ${id}` }) as unknown as Container, list: () => [] },
    images: {
      touch(id) {
        if (id === full) throw new Error("disk full");
        touched.push(id);
        heard.resolve();
      },
    },
    settings: () => (isOff ? undefined : SETTINGS),
    disk: async () => ({ totalBytes: 100, usedBytes: used }),
    async collect(goal, keep) {
      collected.push([goal, keep]);
      return goal === 40 ? 40 : 1;
    },
    tell: (sentence) => said.push(sentence),
  });
  return { policy, events, collected, touched, said, heard: heard.promise };
}

test.each<[string, Parameters<typeof scene>[0], [number, number][]]>([
  ["a disk below the mark is left alone", { used: 79 }, []],
  ["one at the mark is freed down to the low one", { used: 80 }, [[30, 60]]],
  ["without a policy nothing happens", { used: 100, isOff: true }, []],
])("%s", async (_what, given, expected) => {
  const { policy, collected } = scene(given);
  await using _ = policy;
  await policy.look();
  expect(collected).toEqual(expected);
});

test("what it did is told, and what it could not", async () => {
  const enough = scene({ used: 90 });
  await enough.policy.look();
  expect(enough.said).toEqual(["Freed 40 bytes that nobody needs: 90 percent of the disk were used"]);
  const short = scene({ used: 95 });
  await short.policy.look();
  expect(short.said[0]).toStartWith(
    "Freed 1 of 45 bytes: 95 percent of the disk were used, and what is left",
  );
  await enough.policy[Symbol.asyncDispose]();
  await short.policy[Symbol.asyncDispose]();
});

test("the image of a container that is made or started is noted as used; listening counts for nobody", async () => {
  const { policy, events, touched, heard } = scene();
  await using _ = policy;
  expect(events.listenerCount).toBe(0);
  events.publish({ type: "container", action: "exec_start", id: "a", attributes: {} });
  events.publish({ type: "container", action: "create", id: "b", attributes: {} });
  await heard;
  expect(touched).toEqual(["image of b"]);
});

test("a use that cannot be written down is told, and what comes then is heard", async () => {
  const { policy, events, touched, said, heard } = scene({ full: "image of a" });
  await using _ = policy;
  events.publish({ type: "container", action: "create", id: "a", attributes: {} });
  events.publish({ type: "container", action: "create", id: "b", attributes: {} });
  await heard;
  expect(touched).toEqual(["image of b"]);
  expect(said).toEqual(["Cannot note that image of a was used: disk full"]);
});

test("after its end it hears nothing", async () => {
  const { policy, events } = scene();
  await policy[Symbol.asyncDispose]();
  expect(events.listenerCount).toBe(0);
});
