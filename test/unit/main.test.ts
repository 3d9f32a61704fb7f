import { describe, expect, test } from "bun:test";
import { resolve } from "node:path";

const MAIN = resolve(import.meta.dir, "../../src/main.ts");

async function run(words: readonly string[]) {
  const child = Bun.spawn([process.execPath, MAIN, ...words], {
    env: { PATH: "/nonexistent", BUNKER_HOST: "unix:///nonexistent/bunker.sock" },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { code: await child.exited, text: `${stdout}${stderr}` };
}

describe("the daemon is asked for", () => {
  const daemon = [
    ["daemon"],
    ["-d"],
    ["--daemon=true"],
    ["-D", "daemon"],
    ["-H", "unix:///x.sock", "-d"],
    ["-H=unix:///x.sock", "--icc", "-d"],
    ["--host", "unix:///x.sock", "--daemon"],
  ];
  test.each(daemon.map((words) => [words]))("by %j", async (words) => {
    const { code, text } = await run([...words, "--validate", "--config-file", "/dev/null"]);
    expect([code, text]).toEqual([0, "configuration OK\n"]);
  });

  const client = [
    ["run", "-d", "busybox"],
    ["-D", "run", "-d", "busybox"],
    ["-H", "unix:///nonexistent/x.sock", "run", "-d", "busybox"],
    ["-Hunix:///nonexistent/x.sock", "run", "-d", "busybox"],
    ["--host=unix:///nonexistent/x.sock", "run", "-d", "busybox"],
  ];
  test.each(client.map((words) => [words]))("and not by %j", async (words) => {
    const { code, text } = await run(words);
    expect([code, text.split(".")[0]]).toEqual([
      125,
      expect.stringContaining("Cannot connect to the bunker daemon at"),
    ]);
  });
});
