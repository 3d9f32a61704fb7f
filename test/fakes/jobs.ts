import { z } from "zod";
import { defineJob, Engine, type JobContext } from "#engine";
import type { Jobs } from "#jobs";

export type FakeJobs = {
  readonly [Name in keyof Jobs]?: (
    input: Jobs[Name]["input"],
    context: JobContext,
  ) => Jobs[Name]["output"] | Promise<Jobs[Name]["output"]>;
};

export interface FakeEngine extends Engine<Jobs> {
  /** What was run, in order: name and input. */
  readonly calls: readonly { readonly name: string; readonly input: unknown }[];
}

/** A real engine whose jobs are the functions given; every other job is refused as unsupported. */
export function fakeEngine(jobs: FakeJobs): FakeEngine {
  const engine = new Engine<Jobs>();
  const calls: { name: string; input: unknown }[] = [];
  const registered = Object.entries(jobs).map(([name, run]) =>
    defineJob({
      name,
      input: z.unknown(),
      async run(input, context) {
        calls.push({ name, input });
        return (run as (input: unknown, context: JobContext) => unknown)(input, context);
      },
    }),
  );
  engine.register(registered);
  return Object.assign(engine, { calls });
}
