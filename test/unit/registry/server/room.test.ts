import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sha256 } from "#oci";
import { openRegistryStore, type UploadLimits } from "#registry";

async function openStore(limits: UploadLimits) {
  const folder = await mkdtemp(join(tmpdir(), "bunker-room-unit-"));
  const store = await openRegistryStore(folder, { limits });
  return { ...store, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

/** Bytes that come when the test lets them. */
function held(text: string) {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  async function* body() {
    begin();
    await promise;
    yield new TextEncoder().encode(text);
  }
  return { body: body(), begun, letGo: resolve };
}

test("so many uploads are written at a time, and the next may come when one has ended", async () => {
  await using store = await openStore({ mostAtOnce: 1, reserveBytes: 0 });
  const [first, second] = [await store.uploads.start("a"), await store.uploads.start("a")];
  const { body, begun, letGo } = held("one");
  const writing = store.uploads.append("a", first, { body, start: 0 });
  await begun;
  const more = () => store.uploads.append("a", second, { body: held("").body, start: 0 });
  await expect(more()).rejects.toMatchObject({ status: 429, headers: { "Retry-After": "1" } });
  letGo();
  expect(await writing).toBe(3);
  const again = held("two");
  again.letGo();
  expect(await store.uploads.append("a", second, { body: again.body, start: 0 })).toBe(3);
  await store.uploads.finish("a", second, sha256("two"));
  expect(await store.blobs.size(sha256("two"))).toBe(3);
});

test("no upload takes the last of the disk, and what came before stays", async () => {
  await using store = await openStore({ mostAtOnce: 9, reserveBytes: 0 });
  const id = await store.uploads.start("a");
  const start = held("abc");
  start.letGo();
  await store.uploads.append("a", id, { body: start.body, start: 0 });
  const huge = { body: held("").body, start: 3, length: Number.MAX_SAFE_INTEGER };
  await expect(store.uploads.append("a", id, huge)).rejects.toMatchObject({ status: 507, code: "DENIED" });
  expect(await store.uploads.size("a", id)).toBe(3);
});
