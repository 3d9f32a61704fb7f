import { expect, test } from "bun:test";
import { Engine } from "#engine";
import type { Jobs } from "#jobs";
import type { SearchRequest } from "#registry";
import { searchImages } from "../../../src/jobs/image/search.ts";

const row = (name: string, stars: number, more: object = {}) => ({
  name,
  stars,
  description: "",
  isOfficial: false,
  isAutomated: false,
  ...more,
});
const FOUND = [
  row("httpd", 30, { isOfficial: true }),
  row("mine", 3),
  row("built", 0, { isAutomated: true }),
];

function setUp() {
  const requests: SearchRequest[] = [];
  const engine = new Engine<Jobs>();
  const settings = {
    registryMirrors: ["https://m.test"],
    insecureRegistries: ["r.test"],
    certificateFolders: [],
  };
  const searchRegistry = async (request: SearchRequest) => {
    requests.push(request);
    return FOUND;
  };
  engine.register([searchImages({ settings, searchRegistry })]);
  return { engine, requests };
}

test.each([
  [{}, ["httpd", "mine", "built"]],
  [{ "is-official": ["true"] }, ["httpd"]],
  [{ "is-official": ["0"] }, ["mine", "built"]],
  [{ "is-automated": ["1"] }, ["built"]],
  [{ stars: ["3"] }, ["httpd", "mine"]],
  [{ stars: ["3", "10"] }, ["httpd"]],
  [{ stars: ["1"], "is-official": ["false"] }, ["mine"]],
])("the filter %j leaves %j", async (filters, names) => {
  const { engine } = setUp();
  const found = await engine.run("image.search", { term: "x", limit: 25, filters: filters as never });
  expect(found.map(({ name }) => name)).toEqual(names);
});

test.each([
  [{ limit: 101, filters: {} }, "outside the range of [1, 100]"],
  [{ limit: -1, filters: {} }, "outside the range of [1, 100]"],
  [{ limit: 1, filters: { stars: ["many"] } }, "invalid filter 'stars=many'"],
  [{ limit: 1, filters: { "is-official": ["maybe"] } }, "invalid filter 'is-official=[maybe]'"],
  [{ limit: 1, filters: { label: ["a"] } }, "invalid filter 'label'"],
])("%j is refused before anybody is asked", async (input, sentence) => {
  const { engine, requests } = setUp();
  await expect(engine.run("image.search", { term: "x", ...input } as never)).rejects.toMatchObject({
    kind: "invalid",
    message: expect.stringContaining(sentence),
  });
  expect(requests).toEqual([]);
});

test("credentials and the daemon's settings go along", async () => {
  const { engine, requests } = setUp();
  const environment = { REGISTRY_AUTH: JSON.stringify({ username: "u", password: "p" }) };
  await engine.run("image.search", { term: "x", limit: 5, filters: {} }, { environment });
  expect(requests).toMatchObject([
    {
      term: "x",
      limit: 5,
      settings: { insecure: ["r.test"] },
      credentials: { username: "u", password: "p" },
    },
  ]);
});
