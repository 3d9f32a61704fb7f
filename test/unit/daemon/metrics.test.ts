import { describe, expect, test } from "bun:test";
import { Figures } from "../../../src/daemon/metrics/figures.ts";
import { parseMetricsAddress, serveMetrics } from "../../../src/daemon/metrics/serve.ts";

const LOOK = {
  info: {
    id: "i",
    architecture: "x86_64",
    containers: { running: 2, paused: 0, stopped: 1 },
    cpus: 4,
    driver: "overlay2",
    eventListeners: 3,
    kernelVersion: "6",
    memoryBytes: 1024,
    operatingSystem: 'A "quoted"\nname',
    version: "1",
  },
  events: 7,
};
const job = (name: string, took: number, status: "done" | "failed" = "done") =>
  ({ id: "1", name, arguments: {}, phase: "", startedAt: 1000, endedAt: 1000 + took, status }) as const;

describe("metrics", () => {
  test("are counted in buckets by action, of what went well alone", () => {
    const figures = new Figures();
    for (const took of [4, 30, 20_000]) figures.note(job("container.start", took));
    figures.note(job("container.start", 1, "failed"));
    figures.note(job("container.list", 1));
    const lines = figures.text(LOOK).split("\n");
    const name = "engine_daemon_container_actions_seconds";
    expect(lines).toContain(`# TYPE ${name} histogram`);
    for (const [bound, count] of [
      ["0.005", 1],
      ["0.025", 1],
      ["0.05", 2],
      ["10", 2],
      ["+Inf", 3],
    ])
      expect(lines).toContain(`${name}_bucket{action="start",le="${bound}"} ${count}`);
    expect(lines).toContain(`${name}_count{action="start"} 3`);
    expect(lines).toContain(`${name}_sum{action="start"} 20.034`);
    expect(lines.filter((line) => line.includes("list"))).toEqual([]);
  });

  test("tell of engine and process in lines that Prometheus reads", () => {
    const text = new Figures().text(LOOK);
    for (const line of text.trimEnd().split("\n"))
      expect(line).toMatch(
        /^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z_]+="([^"\\]|\\.)*"(,[a-z_]+="([^"\\]|\\.)*")*\})? [0-9.e+-]+)$/,
      );
    expect(text).toContain('engine_daemon_container_states_containers{state="running"} 2\n');
    expect(text).toContain('os="A \\"quoted\\"?name"');
    expect(text).toContain("engine_daemon_events_total 7\n");
    expect(Number(/^process_resident_memory_bytes (\d+)$/m.exec(text)?.[1])).toBeGreaterThan(1e6);
  });

  test("are served at one path alone", async () => {
    await using _server = serveMetrics("127.0.0.1:19324", async () => "figures\n");
    const reply = await fetch("http://127.0.0.1:19324/metrics");
    expect([await reply.text(), reply.headers.get("content-type")]).toEqual([
      "figures\n",
      "text/plain; version=0.0.4; charset=utf-8",
    ]);
    expect((await fetch("http://127.0.0.1:19324/")).status).toBe(404);
    expect(() => serveMetrics("127.0.0.1:19324", async () => "")).toThrow(
      "Cannot serve metrics on 127.0.0.1:19324",
    );
  });

  test.each(["x", "1.2.3.4", "127.0.0.1:99999", "http://x:1"])("%p is no address for them", (text) => {
    expect(() => parseMetricsAddress(text)).toThrow("write ADDRESS:PORT");
  });
});
