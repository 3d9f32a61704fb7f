import { expect, test } from "bun:test";
import { streamResponse } from "../../../src/server/stream.ts";

function readerOf(items: AsyncIterable<Uint8Array | string>) {
  const { body } = streamResponse(items, "text/plain");
  if (body === null) throw new Error("There is no body");
  return body
    .pipeThrough(new TextDecoderStream() as never)
    .getReader() as ReadableStreamDefaultReader<string>;
}

test("what is there at once goes out at once, what comes later later", async () => {
  const later = Promise.withResolvers<string>();
  const reader = readerOf(
    (async function* () {
      yield "a";
      yield new TextEncoder().encode("b");
      yield await later.promise;
      yield "d";
    })(),
  );
  expect((await reader.read()).value).toBe("ab");
  later.resolve("c");
  expect((await reader.read()).value).toBe("cd");
  expect((await reader.read()).done).toBe(true);
});

test("an error comes behind all that was said before it", async () => {
  const reader = readerOf(
    (async function* () {
      yield "a";
      yield "b";
      throw new Error("no more");
    })(),
  );
  expect((await reader.read()).value).toBe("ab");
  expect(reader.read()).rejects.toThrow("no more");
});

test("a batch ends when it is large", async () => {
  const reader = readerOf(
    (async function* () {
      for (let i = 0; i < 10; i++) yield "x".repeat(40_000);
    })(),
  );
  expect((await reader.read()).value?.length).toBe(80_000);
});

test("the iteration is given up with the client, also while it waits", async () => {
  const gone = Promise.withResolvers<void>();
  const waiting = Promise.withResolvers<void>();
  const reader = readerOf(
    (async function* () {
      try {
        yield "a";
        await waiting.promise;
        yield "b";
      } finally {
        gone.resolve();
      }
    })(),
  );
  expect((await reader.read()).value).toBe("a");
  void reader.cancel();
  waiting.resolve();
  await gone.promise;
});
