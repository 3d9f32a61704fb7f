import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { searchRegistry } from "#registry";
import { FakeRegistry, status, times } from "../../fakes/registry.ts";
import { type ServedStore, serveStore } from "./server/served-store.ts";

const signal = new AbortController().signal;
const settings = { insecure: [], certificateFolders: [] };
const ask = (term: string, limit = 25, credentials?: { username: string; password: string }) =>
  searchRegistry({ term, limit, settings, credentials, signal });

/** Answers searches with these rows. */
async function answering(results: unknown) {
  const registry = await FakeRegistry.start();
  registry.faults.push(({ request, response }) => {
    if (!request.path.startsWith("/v1/search?")) return false;
    response.end(JSON.stringify({ results }));
    return true;
  });
  return registry;
}

describe("a registry is searched", () => {
  test("for words, and at most so many are taken", async () => {
    await using registry = await answering([
      { name: "team/httpd", description: "A server", star_count: 3, is_official: true, is_automated: false },
      { name: "bare" },
      { name: "more" },
    ]);
    expect(await ask(`${registry.host}/team/ht?d&n=9`, 2)).toEqual([
      { name: "team/httpd", description: "A server", stars: 3, isOfficial: true, isAutomated: false },
      { name: "bare", description: "", stars: 0, isOfficial: false, isAutomated: false },
    ]);
    expect(registry.lines).toEqual(["GET /v1/search?q=team%2Fht%3Fd%26n%3D9&n=2"]);
  });

  test("again when it is busy, and with a password when it asks for one", async () => {
    await using registry = await answering([]);
    registry.faults.unshift(times(1, "/v1/search", status(429, { "Retry-After": "0" })));
    registry.faults.unshift(({ request, response }) => {
      if (request.headers.authorization !== undefined) return false;
      response.writeHead(401, { "WWW-Authenticate": 'Basic realm="r"' }).end();
      return true;
    });
    expect(await ask(`${registry.host}/x`, 25, { username: "u", password: "p" })).toEqual([]);
    await expect(ask(`${registry.host}/x`)).rejects.toMatchObject({ kind: "unauthorized" });
  });

  test.each([
    ["that has no search", 404, "", "unsupported"],
    ["that answers something else", 200, "[]", "unsupported"],
    ["that is not well", 400, "", "invalid"],
  ])("%s", async (_, code, body, kind) => {
    await using registry = await FakeRegistry.start();
    registry.faults.push(times(1, "/v1/search", status(code, {}, body)));
    await expect(ask(`${registry.host}/x`)).rejects.toMatchObject({
      kind,
      message: expect.stringContaining(`Cannot search ${registry.host}`),
    });
  });

  test.each(["https://r.test/x", "a b.c/x", "a:b/c", "r.test:99999/x"])("but not at %j", async (term) => {
    await expect(ask(term)).rejects.toMatchObject({ kind: "invalid" });
  });
});

describe("a registry of our own is searched", () => {
  let served: ServedStore;
  beforeAll(async () => {
    served = await serveStore();
    for (const name of ["team/httpd", "httpd", "httpd-alpine", "other"])
      await served.store.repositories.setTag(name, "1", `sha256:${"0".repeat(64)}` as never);
  });
  afterAll(() => served[Symbol.asyncDispose]());

  test.each([
    ["httpd", 25, ["httpd", "httpd-alpine", "team/httpd"]],
    ["HTTPD", 2, ["httpd", "httpd-alpine"]],
    ["team/", 25, ["team/httpd"]],
    ["nothing", 25, []],
  ])("for %j, %d at most", async (words, limit, names) => {
    const found = await ask(`${new URL(served.server.url).host}/${words}`, limit);
    expect(found.map(({ name }) => name)).toEqual(names as string[]);
  });
});
