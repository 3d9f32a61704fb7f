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
