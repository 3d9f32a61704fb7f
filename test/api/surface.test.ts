import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import * as api from "#api";
import { createApp } from "#server";
import { JOBS } from "../fakes/answering-jobs.ts";
import { appOver } from "../fakes/app-over.ts";
import { fakeEngine } from "../fakes/jobs.ts";
import { FACTS, served } from "../fakes/served.ts";
import { ENDPOINTS } from "../fixtures/api-endpoints.ts";

/** The list of Docker's endpoints, where it lies beside the project. */
const LIST = resolve(import.meta.dir, "../../../shared/surface/api-endpoints.tsv");
const NO_MANAGER =
  'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';
/** What Docker has no path for: a link is removed by the path of its name. */
const BEYOND = ["DELETE /containers/{}/{}"];

const routes = createApp({ engine: fakeEngine({}), facts: FACTS }).routes.map(
  ({ method, path }) => `${method} ${path.replace(/:\w+(?:\{[^}]*\})?/g, "{}")}`,
);
const lineOf = (method: string, path: string) => `${method} ${path.replace(/\{\w+\}/g, "{}")}`;
const isRouted = (line: string) => routes.includes(line) || routes.includes(line.replace(/^HEAD/, "GET"));

describe("the route table", () => {
  test.each(
    ENDPOINTS.map(([method, path, , answer]) => [`${method} ${path}`, method, path, answer] as const),
  )("%s", async (_title, method, path, answer) => {
    if (method === "OPTIONS") return expect((await appOver({}).ask("OPTIONS /any")).status).toBe(200);
    expect(isRouted(lineOf(method, path))).toBe(!path.startsWith("/debug/"));
    if (answer === "served") return;
    const response = await appOver({}).ask(`${method} ${path.replace(/[{}]/g, "")}`);
    expect(response.status).toBe(answer);
    expect(api.ProblemBody.strict().parse(await response.json()).message).not.toBe("");
  });

  test("has nothing that the API has not, but what is named bunker", () => {
    const known = ENDPOINTS.map(([method, path]) => lineOf(method, path));
    const strangers = routes.filter(
      (line) => !line.includes(" /bunker/") && !known.includes(line) && !BEYOND.includes(line),
    );
    expect(strangers).toEqual([]);
  });

  test("serves whatever is of priority A or B, but for what a later version builds and what Docker refuses", () => {
    const missing = ENDPOINTS.filter(([, , priority, answer]) => priority !== "C" && answer !== "served");
    const kinds = missing.map(([, path]) => path.split("/")[1] ?? "");
    expect([...new Set(kinds)].sort()).toEqual(
      ["build", "configs", "containers", "grpc", "nodes", "plugins"].concat([
        "secrets",
        "services",
        "session",
        "swarm",
        "tasks",
      ]),
    );
    const checkpoints = missing.filter(([, path]) => path.startsWith("/containers"));
    expect(checkpoints.every(([, path]) => path.includes("/checkpoints"))).toBe(true);
  });

  const isThere = existsSync(LIST);
  test.skipIf(!isThere)(
    `is that of Docker's list${isThere ? "" : " (skipped: the list is not beside the project)"}`,
    () => {
      const [, ...rows] = readFileSync(LIST, "utf8").trimEnd().split("\n");
      const listed = rows.map((row) => {
        const [method = "", path = "", , , priority = ""] = row.split("\t");
        return [method, path, priority];
      });
      expect(ENDPOINTS.map(([method, path, priority]): string[] => [method, path, priority])).toEqual(listed);
    },
  );
});

describe("where there is no swarm, Docker's words", () => {
  const OTHERWISE = [
    ["POST /swarm/leave", "This node is not part of a swarm"],
    ["PUT /volumes/data", "volume update only valid for cluster volumes, but swarm is unavailable"],
  ] as const;
  const forManagers = ENDPOINTS.filter(([, , , answer]) => answer === 503)
    .map(([method, path]) => `${method} ${path.replace(/[{}]/g, "")}`)
    .filter((line) => !/swarm\/leave|PUT/.test(line))
    .map((line) => [line, NO_MANAGER] as const);

  test.each([...forManagers, ...OTHERWISE])("%s", async (line, message) => {
    const response = await appOver({}).ask(line);
    expect([response.status, await response.json()]).toEqual([503, { message }]);
  });
});

test.each(["/session", "/grpc", "/v1.44/session"])(
  "semantics 20: %s is not there, says so, and takes no connection over",
  async (path) => {
    await using server = await served({});
    const upgrade = "Connection: Upgrade\r\nUpgrade: h2c\r\nX-Docker-Expose-Session-Uuid: x\r\n";
    const client = server.dial(`POST ${path} HTTP/1.1\r\nHost: d\r\n${upgrade}Content-Length: 0\r\n\r\n`);
    const reply = await client.until("no builder in this version");
    expect(reply).toStartWith("HTTP/1.1 501 ");
  },
);

describe("plugins that are images", () => {
  test("are none", async () => {
    const response = await appOver({}).ask("GET /plugins?filters=%7B%22enabled%22%3A%5B%22true%22%5D%7D");
    expect([response.status, await response.json()]).toEqual([200, []]);
    expect((await appOver({}).ask("GET /plugins?filters=%7B%22colour%22%3A%5B%5D%7D")).status).toBe(400);
  });

  test.each(["GET /plugins/a/b:c/json", "POST /plugins/a%2Fb:c/enable", "DELETE /plugins/a/b:c"])(
    "are not found: %s",
    async (line) => {
      const response = await appOver({}).ask(line);
      expect([response.status, await response.json()]).toEqual([
        404,
        { message: 'plugin "a/b:c" not found' },
      ]);
    },
  );
});

describe("paths", () => {
  test.each([
    "GET /",
    "GET /containers",
    "GET /swarm/nothing",
    "POST /info",
    "PUT /containers/web/json",
    "GET /v1.44",
    "GET /debug/vars",
    "DELETE /images",
  ])("%s is none: 404", async (line) => {
    const response = await appOver(JOBS).ask(line);
    expect([response.status, await response.json()]).toEqual([404, { message: "page not found" }]);
    expect(response.headers.get("Content-Type")).toBe("application/json");
  });

  test.each(["GET //info", "GET /v1.44//containers///web//json", "GET /info/", "GET //v1.44//info//"])(
    "%s is tolerated",
    async (line) => {
      expect((await appOver(JOBS).ask(line)).status).toBe(200);
    },
  );

  test.each([
    "HEAD /events",
    "HEAD /containers/web/json",
    "HEAD /containers/web/logs?stdout=1",
    "HEAD /nowhere",
  ])("%s runs nothing and is a 404 without a body", async (line) => {
    const { engine, ask } = appOver(JOBS);
    const response = await ask(line);
    expect([response.status, await response.text(), engine.calls]).toEqual([404, "", []]);
  });

  test.each(["OPTIONS /info", "OPTIONS /v1.30/nowhere", "OPTIONS /"])("%s is an empty 200", async (line) => {
    const response = await appOver({}).ask(line);
    expect([response.status, await response.text()]).toEqual([200, ""]);
  });
});
