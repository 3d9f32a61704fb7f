import { expect, test } from "bun:test";
import type { ExecSpec } from "#jobs";
import { Execs } from "../../../src/jobs/exec/store.ts";

const spec = { args: ["true"] } as unknown as ExecSpec;

test("of the commands that have ended the latest are remembered", () => {
  const execs = new Execs();
  const waiting = execs.create("c", spec);
  const ids = Array.from({ length: 5000 }, () => execs.create("c", spec));
  for (const id of ids) execs.ended(id, { code: 3 });
  expect(execs.of("c").length).toBe(4097);
  expect(() => execs.view(ids[0] as string)).toThrow("No such exec instance");
  expect(execs.view(ids.at(-1) as string).exitCode).toBe(3);
  expect(execs.view(waiting).isRunning).toBe(false);
});

test("each container's commands are its own, in the order in which they were made", () => {
  const execs = new Execs();
  const [first, other, second] = [execs.create("a", spec), execs.create("b", spec), execs.create("a", spec)];
  const before = execs.of("a");
  expect(before).toEqual([first, second]);
  execs.create("a", spec);
  expect(before).toEqual([first, second]);
  execs.forget("a");
  expect([execs.of("a"), execs.of("b"), execs.of("c")]).toEqual([[], [other], []]);
  expect(() => execs.view(first)).toThrow("No such exec instance");
});

test("a command that is remembered no longer is gone from its container's, whichever that is", () => {
  const execs = new Execs();
  const lone = execs.create("lone", spec);
  execs.ended(lone, { code: 0 });
  for (let number = 0; number < 4096; number++) execs.ended(execs.create("c", spec), { code: 0 });
  expect([execs.of("lone").length, execs.of("c").length]).toEqual([0, 4096]);
});
