import { describe, expect, test } from "bun:test";
import type { z } from "zod";
import * as api from "#api";
import { JOBS } from "../fakes/answering-jobs.ts";
import { appOver } from "../fakes/app-over.ts";

/** [request, body or nothing, status, the job that is run and its input, schema of the reply] */
type Row = readonly [string, unknown, number, readonly [string, unknown] | undefined, z.ZodType?];

const ENDPOINTS: readonly Row[] = [
  ["GET /version", undefined, 200, undefined, api.Version],
  ["GET /info", undefined, 200, ["system.info", {}], api.Info],
  [
    "GET /containers/json?all=1&size=1",
    undefined,
    200,
    ["container.list", { all: true, limit: 0, size: true, filters: {} }],
    api.ContainerSummary.array(),
  ],
  [
    "GET /containers/json?limit=3",
    undefined,
    200,
    ["container.list", { all: true, limit: 3, size: false, filters: {} }],
  ],
  [
    "GET /containers/json?filters=%7B%22name%22%3A%7B%22web%22%3Atrue%7D%7D",
    undefined,
    200,
    ["container.list", { all: false, limit: 0, size: false, filters: { name: ["web"] } }],
  ],
  ["POST /containers/create?name=web", { Image: "httpd" }, 201, undefined, api.ContainerCreated],
  [
    "GET /containers/web/json",
    undefined,
    200,
    ["container.inspect", { ref: "web", size: false }],
    api.ContainerInspect,
  ],
  [
    "GET /containers/web/top?ps_args=-o%20pid",
    undefined,
    200,
    ["container.top", { ref: "web", psArgs: ["-o", "pid"] }],
    api.ContainerTop,
  ],
  [
    "GET /containers/web/changes",
    undefined,
    200,
    ["container.changes", { ref: "web" }],
    api.ContainerChange.array(),
  ],
  ["POST /containers/web/start", undefined, 204, ["container.start", { ref: "web" }]],
  [
    "POST /containers/web/stop?t=-1&signal=HUP",
    undefined,
    204,
    ["container.stop", { ref: "web", timeoutSeconds: -1, signal: "HUP" }],
  ],
  ["POST /containers/web/stop", undefined, 204, ["container.stop", { ref: "web" }]],
  [
    "POST /containers/web/restart?t=0",
    undefined,
    204,
    ["container.restart", { ref: "web", timeoutSeconds: 0 }],
  ],
  ["POST /containers/web/kill", undefined, 204, ["container.kill", { ref: "web", signal: "SIGKILL" }]],
  ["POST /containers/web/kill?signal=15", undefined, 204, ["container.kill", { ref: "web", signal: "15" }]],
  ["POST /containers/web/pause", undefined, 204, ["container.pause", { ref: "web" }]],
  ["POST /containers/web/unpause", undefined, 204, ["container.unpause", { ref: "web" }]],
  [
    "POST /containers/web/rename?name=/shop",
    undefined,
    204,
    ["container.rename", { ref: "web", name: "shop" }],
  ],
  [
    "POST /containers/web/resize?h=24&w=80",
    undefined,
    200,
    ["container.resize", { ref: "web", rows: 24, columns: 80 }],
  ],
  [
    "POST /containers/web/update",
    { Memory: 7 },
    200,
    ["container.update", { ref: "web", resources: { memory: 7 } }],
    api.Warned,
  ],
  [
    "POST /containers/web/wait",
    undefined,
    200,
    ["container.wait", { ref: "web", condition: "not-running" }],
    api.ContainerWait,
  ],
  [
    "DELETE /containers/web?force=1&v=true",
    undefined,
    204,
    ["container.remove", { ref: "web", force: true, volumes: true, link: false }],
  ],
  ["POST /containers/prune", undefined, 200, ["container.prune", { filters: {} }], api.ContainersPruned],
  ["POST /containers/web/exec", { Cmd: ["ls"] }, 201, undefined, api.Created],
  ["GET /exec/e/json", undefined, 200, ["exec.inspect", { id: "e" }], api.ExecInspect],
  ["POST /exec/e/resize?h=1&w=2", undefined, 200, ["exec.resize", { id: "e", rows: 1, columns: 2 }]],
  ["GET /images/json", undefined, 200, ["image.list", { all: false, filters: {} }], api.ImageSummary.array()],
  [
    "GET /images/localhost:5000/a/b:x/json",
    undefined,
    200,
    ["image.inspect", { ref: "localhost:5000/a/b:x" }],
    api.ImageInspect,
  ],
  [
    "GET /images/localhost%3A5000%2Fa%2Fb/json",
    undefined,
    200,
    ["image.inspect", { ref: "localhost:5000/a/b" }],
  ],
  [
    "GET /images/httpd/history",
    undefined,
    200,
    ["image.history", { ref: "httpd" }],
    api.ImageHistory.array(),
  ],
  [
    "GET /images/httpd/history?platform=%7B%22os%22%3A%22linux%22%2C%22architecture%22%3A%22arm64%22%7D",
    undefined,
    200,
    ["image.history", { ref: "httpd", platform: "linux/arm64" }],
  ],
  [
    "DELETE /images/httpd?platforms=%7B%22os%22%3A%22linux%22%2C%22architecture%22%3A%22arm64%22%7D",
    undefined,
    200,
    ["image.remove", { ref: "httpd", force: false, prune: true, platform: "linux/arm64" }],
  ],
  [
    "POST /images/a/b/tag?repo=c/d",
    undefined,
    201,
    ["image.tag", { ref: "a/b", repository: "c/d", tag: "latest" }],
  ],
  [
    "DELETE /images/a/b?force=1&noprune=1",
    undefined,
    200,
    ["image.remove", { ref: "a/b", force: true, prune: false }],
    api.ImageRemoved.array(),
  ],
  [
    "GET /images/search?term=a/b&limit=5&filters=%7B%22stars%22%3A%5B%223%22%5D%7D",
    undefined,
    200,
    ["image.search", { term: "a/b", limit: 5, filters: { stars: ["3"] } }],
    api.ImageFound.array(),
  ],
  [
    "GET /images/search?term=httpd",
    undefined,
    200,
    ["image.search", { term: "httpd", limit: 25, filters: {} }],
  ],
  ["GET /images/search", undefined, 400, undefined],
  ["GET /distribution/a/b:1/json", undefined, 200, ["image.distribution", { reference: "a/b:1" }]],
  ["POST /images/prune", undefined, 200, ["image.prune", { filters: {} }], api.ImagesPruned],
  ["GET /volumes", undefined, 200, ["volume.list", { filters: {} }], api.VolumeList],
  [
    "POST /volumes/create",
    { Name: "data" },
    201,
    ["volume.create", { name: "data", labels: {}, options: {} }],
    api.VolumeInspect,
  ],
  ["GET /volumes/data", undefined, 200, ["volume.inspect", { name: "data" }], api.VolumeInspect],
  ["DELETE /volumes/data?force=1", undefined, 204, ["volume.remove", { name: "data", force: true }]],
  ["POST /volumes/prune", undefined, 200, ["volume.prune", { filters: {} }], api.VolumesPruned],
  ["POST /v1.41/volumes/prune", undefined, 200, ["volume.prune", { filters: { all: ["true"] } }]],
  ["GET /bunker/volumes/data/export?live=1", undefined, 200, ["volume.export", { name: "data", live: true }]],
  ["POST /bunker/volumes/data/import", undefined, 204, ["volume.import", { name: "data" }]],
  [
    "POST /bunker/volumes/data/clone",
    { Name: "copy" },
    201,
    ["volume.clone", { name: "data", target: "copy", live: false }],
    api.VolumeInspect,
  ],
  [
    "GET /bunker/volumes/data/snapshots",
    undefined,
    200,
    ["volume.snapshots", { name: "data" }],
    api.VolumeSnapshot.array(),
  ],
  [
    "POST /bunker/volumes/data/snapshots?live=true",
    { Name: "s1" },
    201,
    ["volume.snapshot", { name: "data", snapshot: "s1", live: true }],
    api.VolumeSnapshot,
  ],
  [
    "DELETE /bunker/volumes/data/snapshots/s1",
    undefined,
    204,
    ["volume.snapshot-remove", { name: "data", snapshot: "s1" }],
  ],
  [
    "POST /bunker/volumes/data/restore",
    { Name: "s1" },
    204,
    ["volume.restore", { name: "data", snapshot: "s1" }],
  ],
  ["GET /networks", undefined, 200, ["network.list", { filters: {} }], api.NetworkSummary.array()],
  ["GET /networks/bridge", undefined, 200, ["network.inspect", { ref: "bridge" }], api.NetworkInspect],
  [
    "GET /networks/bridge?scope=local&verbose=true",
    undefined,
    200,
    ["network.inspect", { ref: "bridge", scope: "local" }],
  ],
  ["POST /networks/create", { Name: "front" }, 201, undefined, api.NetworkCreated],
  ["DELETE /networks/front", undefined, 204, ["network.remove", { ref: "front", force: false }]],
  ["DELETE /networks/front?force=1", undefined, 204, ["network.remove", { ref: "front", force: true }]],
  [
    "POST /networks/front/disconnect",
    { Container: "web", Force: true },
    200,
    ["network.disconnect", { ref: "front", container: "web", force: true }],
  ],
  [
    "POST /networks/prune?filters=%7B%22until%22%3A%5B%2224h%22%5D%7D",
    undefined,
    200,
    ["network.prune", { filters: { until: ["24h"] } }],
    api.NetworksPruned,
  ],
  ["GET /bunker/network/doctor", undefined, 200, ["network.doctor", {}], api.NetworkFinding.array()],
  [
    "GET /bunker/doctor",
    undefined,
    200,
    ["system.doctor", { isQuick: false, repairs: false }],
    api.DoctorReport,
  ],
  [
    "POST /bunker/doctor?quick=1",
    undefined,
    200,
    ["system.doctor", { isQuick: true, repairs: true }],
    api.DoctorReport,
  ],
  [
    "GET /bunker/gc?keep=60",
    undefined,
    200,
    ["system.gc", { isDry: true, all: false, keepSeconds: 60 }],
    api.GarbageReport,
  ],
  [
    "POST /bunker/gc?all=1&goal=5",
    undefined,
    200,
    ["system.gc", { isDry: false, all: true, keepSeconds: 0, goalBytes: 5 }],
    api.GarbageReport,
  ],
  ["GET /bunker/ports", undefined, 200, ["network.ports", {}], api.PublishedPortReport.array()],
  ["GET /bunker/jobs", undefined, 200, ["job.list", {}], api.JobSummary.array()],
  ["POST /bunker/jobs/1/cancel", undefined, 204, ["job.cancel", { id: "1" }]],
  ["GET /plugins", undefined, 200, undefined],
];

describe("an endpoint runs one job and answers in the API's shape", () => {
  test.each(ENDPOINTS.map((row) => [row[0], row] as const))(
    "%s",
    async (_title, [line, body, status, call, schema]) => {
      const { engine, ask, send } = appOver(JOBS);
      const response = await (body === undefined ? ask(line) : send(line, body));
      expect(response.status).toBe(status);
      if (call !== undefined) expect(engine.calls).toEqual([{ name: call[0], input: call[1] }]);
      const text = await response.text();
      if (status === 204) expect(text).toBe("");
      if (schema !== undefined) expect(() => schema.parse(JSON.parse(text))).not.toThrow();
    },
  );

  test.each(["POST /containers/web/start", "POST /containers/web/stop"])(
    "%s changes nothing: 304 without a body",
    async (line) => {
      const unchanged = () => ({ changed: false });
      const { ask } = appOver({ "container.start": unchanged, "container.stop": unchanged });
      const response = await ask(line);
      expect([response.status, await response.text()]).toEqual([304, ""]);
    },
  );
});
