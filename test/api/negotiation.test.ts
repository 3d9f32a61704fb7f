import { describe, expect, test } from "bun:test";
import * as api from "#api";
import { JOBS } from "../fakes/answering-jobs.ts";
import { appOver } from "../fakes/app-over.ts";

describe("every reply", () => {
  const LINES = [
    "GET /_ping",
    "GET /nowhere",
    "GET /v9.99/info",
    "GET /containers/web/json",
    "POST /swarm/init",
    "OPTIONS /info",
  ];
  test.each(LINES)("says who answered: %s", async (line) => {
    const { headers } = await appOver({}).ask(line);
    expect(headers.get("Api-Version")).toBe("1.56");
    expect(headers.get("Ostype")).toBe("linux");
    expect(headers.get("Docker-Experimental")).toBe("false");
    expect(headers.get("Server")).toBe("bunker/0.1.0 (linux)");
  });
});

describe("the version in the path", () => {
  test.each([
    ["/v1.57/_ping", "client version 1.57 is too new. Maximum supported API version is 1.56"],
    [
      "/v1.23/_ping",
      "client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version",
    ],
  ])("%s is refused in Docker's words", async (path, message) => {
    const response = await appOver({}).ask(`GET ${path}`);
    expect([response.status, await response.json()]).toEqual([400, { message }]);
  });

  test.each(["/_ping", "/v1.24/_ping", "/v1.56/_ping", "//v1.41//_ping", "/v1.41/_ping/"])(
    "%s is served",
    async (path) => {
      expect((await appOver({}).ask(`GET ${path}`)).status).toBe(200);
    },
  );

  test("decides which fields there are", async () => {
    const { ask } = appOver(JOBS);
    const [old, young] = await Promise.all(
      ["1.43", "1.44"].map(async (v) =>
        api.ImageSummary.array().parse(await (await ask(`GET /v${v}/images/json`)).json()),
      ),
    );
    expect([old?.[0]?.VirtualSize, young?.[0]?.VirtualSize]).toEqual([10, undefined]);
  });
});

describe("_ping", () => {
  test.each([
    ["GET", "OK", "2"],
    ["HEAD", "", "0"],
  ])("%s", async (method, text, length) => {
    const response = await appOver({}).ask(`${method} /_ping`);
    expect([await response.text(), response.headers.get("Content-Length")]).toEqual([text, length]);
    expect(response.headers.get("Builder-Version")).toBe("1");
    expect(response.headers.get("Swarm")).toBe("inactive");
    expect(response.headers.get("Cache-Control")).toBe("no-cache, no-store, must-revalidate");
  });
});
