import { describe, expect, test } from "bun:test";
import { z } from "zod";
import { defineJob, Engine, type JobContext } from "#engine";
import { Fault } from "#errors";

type Table = {
  readonly "number.double": { readonly input: { value: number }; readonly output: number };
  readonly "number.count": { readonly input: { upTo: number }; readonly output: AsyncIterable<number> };
};

function engineWith(double: (value: number, context: JobContext) => Promise<number>): Engine<Table> {
  const engine = new Engine<Table>();
  const count = async function* (upTo: number) {
    for (let n = 1; n <= upTo; n++) yield n;
  };
  engine.register([
    defineJob({
      name: "number.double",
      input: z.object({ value: z.number() }),
      run: ({ value }, context) => double(value, context),
    }),
    defineJob({
      name: "number.count",
      input: z.object({ upTo: z.number() }),
      run: async ({ upTo }) => count(upTo),
    }),
  ]);
  return engine;
}

describe("the engine", () => {
  test("runs a job by name and remembers how it ended", async () => {
    const engine = engineWith(async (value) => value * 2);
    expect(await engine.run("number.double", { value: 4 })).toBe(8);
    expect(engine.list()).toMatchObject([
      { name: "number.double", status: "done", arguments: { value: "4" } },
    ]);
  });

  test("refuses malformed input before the job sees it", async () => {
    const engine = engineWith(async () => Promise.reject(new Error("must not run")));
    const run = engine.run("number.double", { value: "4" as unknown as number });
    await expect(run).rejects.toMatchObject({ kind: "invalid" });
    expect(engine.list()).toEqual([]);
  });

  test("lists a running job with its phase, and cancels it", async () => {
    const reached = Promise.withResolvers<void>();
    const engine = engineWith(async (_, { phase, signal }) => {
      phase("thinking");
      reached.resolve();
      await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      return 0;
    });
    const run = engine.run("number.double", { value: 1 });
    await reached.promise;
    const [record] = engine.list();
    expect(record).toMatchObject({ phase: "thinking", status: "running" });
    engine.cancel(record?.id ?? "");
    await expect(run).rejects.toMatchObject({ kind: "cancelled" });
    expect(engine.list()).toMatchObject([{ status: "cancelled" }]);
  });

  test("cancels with its caller's signal", async () => {
    const controller = new AbortController();
    const engine = engineWith(async (_, { signal }) => {
      controller.abort();
      signal.throwIfAborted();
      return 0;
    });
    await expect(
      engine.run("number.double", { value: 1 }, { signal: controller.signal }),
    ).rejects.toMatchObject({ kind: "cancelled" });
  });

  test("has cancelled a job that looks at its signal only afterwards", async () => {
    const [reached, cancelled] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const engine = engineWith(async (_, context) => {
      reached.resolve();
      await cancelled.promise;
      expect(context.signal.aborted).toBe(true);
      context.signal.throwIfAborted();
      return 0;
    });
    const run = engine.run("number.double", { value: 1 });
    await reached.promise;
    engine.cancel(engine.list()[0]?.id ?? "");
    cancelled.resolve();
    await expect(run).rejects.toMatchObject({ kind: "cancelled" });
  });

  test("does not run a job whose caller has gone already", async () => {
    const engine = engineWith(async () => Promise.reject(new Error("must not run")));
    const gone = { signal: AbortSignal.abort() };
    await expect(engine.run("number.double", { value: 1 }, gone)).rejects.toMatchObject({
      kind: "cancelled",
    });
    expect(engine.list()).toMatchObject([{ status: "cancelled" }]);
  });

  test("keeps the words of a failed job", async () => {
    const engine = engineWith(async () =>
      Promise.reject(new Fault("conflict", "Cannot double a taken number")),
    );
    await expect(engine.run("number.double", { value: 1 })).rejects.toMatchObject({ kind: "conflict" });
    expect(engine.list()).toMatchObject([{ status: "failed", error: "Cannot double a taken number" }]);
  });

  test("counts a job that streams as running until its stream ends", async () => {
    const engine = engineWith(async () => 0);
    const numbers = await engine.run("number.count", { upTo: 3 });
    expect(engine.list()).toMatchObject([{ status: "running" }]);
    expect(await Array.fromAsync(numbers)).toEqual([1, 2, 3]);
    expect(engine.list()).toMatchObject([{ status: "done" }]);
  });

  test("forgets the oldest of many ended jobs", async () => {
    const engine = engineWith(async (value) => value);
    for (let value = 0; value < 300; value++) await engine.run("number.double", { value });
    expect(engine.list()).toHaveLength(256);
    expect(engine.list()[0]?.arguments).toEqual({ value: "299" });
  });

  test("names a job it does not know", async () => {
    const engine = new Engine();
    await expect(engine.run("no.such", {})).rejects.toThrow("no.such is not supported");
    expect(() => engine.cancel("nope")).toThrow("No such running job: nope");
  });
});
