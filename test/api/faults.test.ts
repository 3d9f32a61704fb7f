import { describe, expect, test } from "bun:test";
import * as api from "#api";
import { Fault } from "#errors";
import { JOBS } from "../fakes/answering-jobs.ts";
import { appOver, JSON_TYPE } from "../fakes/app-over.ts";

describe("a fault becomes a status", () => {
  test.each([
    ["invalid", 400],
    ["unauthorized", 401],
    ["denied", 403],
    ["not_found", 404],
    ["conflict", 409],
    ["unsupported", 501],
    ["unavailable", 503],
    ["internal", 500],
  ] as const)("%s: %p", async (kind, status) => {
    const { ask } = appOver({
      "container.inspect": () => {
        throw new Fault(kind, "No such container: web");
      },
    });
    const response = await ask("GET /containers/web/json");
    expect([response.status, await response.json()]).toEqual([status, { message: "No such container: web" }]);
    expect(response.headers.get("Content-Type")).toBe("application/json");
  });

  test("a path that is none: 404 page not found", async () => {
    const response = await appOver({}).ask("GET /containers");
    expect([response.status, await response.json()]).toEqual([404, { message: "page not found" }]);
  });

  test.each([
    ["GET /swarm", 503, "This node is not a swarm manager."],
    ["GET /services/x/logs", 503, "This node is not a swarm manager."],
    ["POST /build?t=x", 501, "Cannot build an image"],
    ["POST /session", 501, "Cannot open a session"],
    ["GET /images/a/b/attestations", 501, "Cannot read attestations"],
    ["POST /plugins/pull", 501, "plugins that are images are not supported"],
    ["HEAD /containers/web/archive?path=/", 501, ""],
    ["POST /containers/web/start?checkpoint=x", 501, "checkpoints are not supported"],
  ])("what is not there says so: %s", async (line, status, message) => {
    const response = await appOver(JOBS).ask(line);
    expect(response.status).toBe(status);
    expect(await response.text()).toContain(message);
  });
});

describe("malformed input is never the server's fault", () => {
  const LINES = [
    "GET /containers/json?filters=x",
    "GET /containers/json?filters=%7B%22colour%22%3A%5B%5D%7D",
    "GET /containers/json?limit=x",
    "GET /containers/%00/json",
    "GET /containers/web/logs",
    "GET /containers/web/logs?stdout=1&since=yesterday",
    "GET /containers/web/stats?stream=1&one-shot=1",
    "GET /events?since=x",
    "GET /events?filters=%5B%5D",
    "GET /images/json?filters=%7B",
    "POST /containers/create",
    "POST /containers/web/exec",
    "POST /containers/web/wait?condition=sometime",
    "POST /containers/web/stop?t=soon",
    "POST /containers/web/resize",
    "POST /containers/web/resize?h=-1&w=3",
    "POST /containers/web/rename",
    "POST /images/create",
    "POST /images/httpd/tag",
    "POST /exec/e/resize?h=x&w=1",
  ];
  test.each(LINES)("%s: 400", async (line) => {
    const response = await appOver(JOBS).ask(line);
    expect(response.status).toBe(400);
    const text = await response.text();
    expect(() => api.ProblemBody.strict().parse(JSON.parse(text))).not.toThrow();
  });

  test.each([
    "{",
    "[]",
    "1",
    '"x"',
    "{} {}",
    '{"Image":1}',
    '{"Image":"x","HostConfig":{"Memory":"1g"}}',
    "\xff",
  ])("create with %j: 400", async (body) => {
    const response = await appOver(JOBS).ask("POST /containers/create", { body, headers: JSON_TYPE });
    expect(response.status).toBe(400);
  });

  test("a body that is not declared as JSON: 400 in Docker's words", async () => {
    const headers = { "Content-Type": "text/plain" };
    const response = await appOver(JOBS).ask("POST /containers/create", { body: '{"Image":"x"}', headers });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain("must be 'application/json'");
  });

  test("a body beyond the limit: 400", async () => {
    const body = JSON.stringify({ Image: "x".repeat(5 * 1024 * 1024) });
    const response = await appOver(JOBS).ask("POST /containers/create", { body, headers: JSON_TYPE });
    expect(response.status).toBe(400);
  });

  test("a percent sign that escapes nothing is part of the name", async () => {
    const { ask, engine } = appOver(JOBS);
    expect((await ask("GET /containers/50%/json")).status).toBeLessThan(500);
    expect(engine.calls.length).toBeLessThanOrEqual(1);
  });
});
