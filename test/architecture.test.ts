import { expect, test } from "bun:test";
import { PLAN, TYPES_ONLY } from "./plan.ts";

const STATEMENT =
  /(?:^|\n)\s*(?:import|export)\s+(type\s)?[^;"']*?from\s*"([^"]+)"|import\s*\(\s*"([^"]+)"\s*\)/g;
const ROOMS = Object.keys(PLAN);

test("every room imports only the rooms its line allows, through their doors", async () => {
  const offences: string[] = [];
  for await (const path of new Bun.Glob("*/**/*.ts").scan("src")) {
    const [room = ""] = path.split("/");
    for (const [, isType, from, dynamic] of (await Bun.file(`src/${path}`).text()).matchAll(STATEMENT)) {
      const target = from ?? dynamic ?? "";
      const isBarred = target.startsWith("#") && ![room, ...(PLAN[room] ?? [])].includes(target.slice(1));
      const isValue = (TYPES_ONLY[room] ?? []).includes(target.slice(1)) && isType === undefined;
      // What build.ts makes is embedded from dist, which is no room.
      if (/^(\.\.\/)+dist\/[a-z-]+$/.test(target)) continue;
      const isStray =
        target.startsWith("..") && !new URL(target, `file:///${path}`).pathname.startsWith(`/${room}/`);
      if (isBarred || isValue || isStray) offences.push(`${path} imports ${target}`);
    }
  }
  expect(offences).toEqual([]);
});

test("only the daemon names a concrete driver", async () => {
  const offences: string[] = [];
  for await (const path of new Bun.Glob("*/**/*.ts").scan("src")) {
    const text = await Bun.file(`src/${path}`).text();
    for (const [, , from, dynamic] of text.matchAll(STATEMENT)) {
      const target = from ?? dynamic ?? "";
      const isDriver =
        /\/drivers\/[^/]+/.test(target) && !/^(graph|network|volume)\/(index|drivers\/)/.test(path);
      if (isDriver) offences.push(`${path} imports ${target}`);
    }
  }
  expect(offences).toEqual([]);
});

test("the plan has no stairs that go up", () => {
  for (const [room, allowed] of Object.entries(PLAN))
    for (const other of allowed) expect(ROOMS.indexOf(other)).toBeLessThan(ROOMS.indexOf(room));
});

test("every folder of src is a room of the plan", async () => {
  const rooms = new Set<string>();
  for await (const path of new Bun.Glob("*/**/*.ts").scan("src")) rooms.add(path.split("/")[0] ?? "");
  expect([...rooms].filter((room) => !ROOMS.includes(room))).toEqual([]);
});

test("a child of the archive room loads none of what its daemon's half needs", async () => {
  const { metafile } = await Bun.build({
    entrypoints: ["src/archive/serve.ts"],
    target: "bun",
    metafile: true,
  });
  const loaded = Object.keys(metafile?.inputs ?? {});
  expect(loaded).toContain("src/archive/unpacker.ts");
  expect(loaded.filter((path) => path.includes("node_modules"))).toEqual([]);
});
