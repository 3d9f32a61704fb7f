import { expect, test } from "bun:test";
import { parseNamed } from "#oci";
import { openRegistry } from "#registry";

test("a request to a busy registry is made as often as the settings say", async () => {
  let count = 0;
  await using server = Bun.serve({
    port: 0,
    fetch: () => {
      count += 1;
      return new Response("", { status: 503 });
    },
  });
  const clock = { now: () => 0, sleep: async () => undefined };
  const ask = (attempts: number) => {
    count = 0;
    const client = openRegistry({ mirrors: [], insecure: [], attempts }, undefined, { clock });
    const named = parseNamed(`127.0.0.1:${server.port}/app:1`);
    const signal = AbortSignal.timeout(60_000);
    return client.document({ ...named, tag: "1" }, { signal }).catch((thrown: Error) => thrown.message);
  };
  expect(await ask(1)).toContain("503");
  const once = count;
  await ask(3);
  expect(count).toBe(3 * once);
});
