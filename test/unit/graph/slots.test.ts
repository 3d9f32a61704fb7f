import { expect, test } from "bun:test";
import { Slots } from "../../../src/graph/slots.ts";

const { signal } = new AbortController();

/** Asks for a slot, and tells whether it was given. */
function ask(slots: Slots): { isHeld: boolean; readonly slot: Promise<Disposable> } {
  const asked = { isHeld: false, slot: slots.acquire(signal) };
  void asked.slot.then(() => {
    asked.isHeld = true;
  });
  return asked;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("more slots let those in who wait, in their order", async () => {
  const slots = new Slots(1);
  const asked = Array.from({ length: 4 }, () => ask(slots));
  await turn();
  expect(asked.map(({ isHeld }) => isHeld)).toEqual([true, false, false, false]);
  slots.resize(3);
  await turn();
  expect(asked.map(({ isHeld }) => isHeld)).toEqual([true, true, true, false]);
});

test("fewer slots take none away, and nobody comes in until enough are given back", async () => {
  const slots = new Slots(3);
  const held = Array.from({ length: 3 }, () => ask(slots));
  const late = ask(slots);
  slots.resize(1);
  for (const { slot } of held.slice(0, 2)) (await slot)[Symbol.dispose]();
  await turn();
  expect(late.isHeld).toBe(false);
  const last = await held[2]?.slot;
  last?.[Symbol.dispose]();
  last?.[Symbol.dispose]();
  await turn();
  expect(late.isHeld).toBe(true);
  const further = ask(slots);
  await turn();
  expect(further.isHeld).toBe(false);
});
