import { describe, expect, test } from "bun:test";
import * as api from "#api";
import { Fault } from "#errors";
import type { Jobs } from "#jobs";
import { appOver } from "../fakes/app-over.ts";
import { IMAGE_ID } from "../fakes/container-view.ts";

describe("a pull", () => {
  const IDS = { id: IMAGE_ID, digest: IMAGE_ID, changed: true } as unknown as Jobs["image.pull"]["output"];

  test("takes its reference, platform and credentials from the request", async () => {
    let auth: string | undefined;
    const { engine, ask } = appOver({
      "image.pull": (_input, { environment }) => {
        auth = environment.REGISTRY_AUTH;
        return IDS;
      },
    });
    const headers = { "X-Registry-Auth": Buffer.from('{"username":"u"}').toString("base64url") };
    const response = await ask("POST /images/create?fromImage=httpd&tag=2.4&platform=linux/arm64", {
      headers,
    });
    expect([response.status, auth]).toEqual([200, '{"username":"u"}']);
    expect(engine.calls[0]?.input).toEqual({
      reference: "httpd:2.4",
      allTags: false,
      platform: "linux/arm64",
    });
  });

  test("that fails before its first line has a status", async () => {
    const { ask } = appOver({
      "image.pull": () => {
        throw new Fault("not_found", "pull access denied");
      },
    });
    expect((await ask("POST /images/create?fromImage=x&tag=y")).status).toBe(404);
  });

  test("that fails later says so in its last line", async () => {
    const { ask } = appOver({
      "image.pull": (_input, { report }) => {
        report({ kind: "status", status: "Pulling from library/httpd", id: "latest" });
        report({ kind: "status", status: "Downloading", id: "abc", current: 1, total: 2 });
        report({ kind: "aux", aux: { Digest: "sha256:x" } });
        throw new Fault("internal", "the layer broke");
      },
    });
    const response = await ask("POST /images/create?fromImage=x&tag=y");
    const lines = (await response.text())
      .trimEnd()
      .split("\r\n")
      .map((line) => api.ProgressLine.parse(JSON.parse(line)));
    expect(response.status).toBe(200);
    expect(lines).toEqual([
      { status: "Pulling from library/httpd", progressDetail: {}, id: "latest" },
      { status: "Downloading", progressDetail: { current: 1, total: 2 }, id: "abc" },
      { aux: { Digest: "sha256:x" } },
      { errorDetail: { message: "the layer broke" }, error: "the layer broke" },
    ]);
  });
});
