import { describe, expect, test } from "bun:test";
import { told } from "../../fakes/fake-console.ts";
import { type FakeConnection, type FakeRequest, fakeDaemon } from "../../fakes/fake-daemon.ts";

const CHECKED = { blobs: 2, layers: 3, images: 1, containers: 0, volumes: 4, bytes: 1_500_000 };
const NOTE = { subject: "content store", verdict: "note", sentence: "1 file is kept", remedy: "bunker gc" };
const BROKEN = { subject: "blob sha256:aa", verdict: "broken", sentence: "it is empty\x1b[2J", remedy: "" };
const MENDED = {
  subject: "layer sha256:bb",
  verdict: "mended",
  sentence: "gone",
  remedy: "It was made again",
};

/** Answers every request alike, and tells which there were. */
function answering(body: unknown) {
  const asked: string[] = [];
  return {
    asked,
    daemon: fakeDaemon(({ method, target }: FakeRequest, connection: FakeConnection) => {
      asked.push(`${method} ${target}`);
      connection.reply(200, target.includes("/images/json") ? [] : body);
    }),
  };
}

describe("bunker doctor", () => {
  test.each<[string, object[], number, string]>([
    ["nothing", [], 0, "nothing is broken"],
    ["a note", [NOTE], 0, "nothing is broken"],
    ["what was mended", [MENDED], 0, "nothing is broken"],
    ["what is broken", [MENDED, BROKEN], 1, "1 broken"],
  ])("says %s and ends accordingly", async (_what, findings, code, verdict) => {
    const { daemon: starting } = answering({ checked: CHECKED, findings });
    await using daemon = await starting;
    const outcome = await told(daemon.host, ["doctor"]);
    expect(outcome.code).toBe(code);
    expect(outcome.out).toEndWith(
      `Checked 1 images, 3 layers, 2 blobs of 1.5MB, 0 containers, 4 volumes: ${verdict}\n`,
    );
    expect(outcome.out).not.toContain("\x1b");
  });

  test.each<[string[], string]>([
    [["doctor"], "GET /bunker/doctor"],
    [["system", "doctor", "--quick"], "GET /bunker/doctor?quick=1"],
    [["doctor", "--repair"], "POST /bunker/doctor"],
  ])("%j is %s", async (words, line) => {
    const { daemon: starting, asked } = answering({ checked: CHECKED, findings: [] });
    await using daemon = await starting;
    await told(daemon.host, words);
    expect(asked.map((one) => one.replace(/\/v[\d.]+/, ""))).toContain(line);
  });

  test("--format json is an object a finding", async () => {
    const { daemon: starting } = answering({ checked: CHECKED, findings: [NOTE] });
    await using daemon = await starting;
    const { out } = await told(daemon.host, ["doctor", "--format", "json"]);
    expect(JSON.parse(out)).toEqual({
      Verdict: "note",
      Subject: "content store",
      Finding: "1 file is kept",
      Remedy: "bunker gc",
    });
  });
});

describe("bunker gc", () => {
  const items = [{ kind: "image", name: "app:1", bytes: 2_000, reason: "no container is made of it" }];

  test.each<[string[], string, string]>([
    [["gc", "--dry-run"], "GET /bunker/gc?keep=0", "Would free: 2kB (2000 bytes)"],
    [["gc"], "POST /bunker/gc?keep=0", "Freed: 2kB (2000 bytes)"],
    [
      ["gc", "-a", "--keep", "1h", "--goal", "1k"],
      "POST /bunker/gc?keep=3600&all=1&goal=1024",
      "Freed: 2kB (2000 bytes)",
    ],
  ])("%j is %s", async (words, line, total) => {
    const { daemon: starting, asked } = answering({ items, bytes: 2_000 });
    await using daemon = await starting;
    const { code, out } = await told(daemon.host, words);
    expect(code).toBe(0);
    expect(asked.map((one) => one.replace(/\/v[\d.]+/, ""))).toContain(line);
    expect(out).toContain("image     app:1     2kB       no container is made of it");
    expect(out).toEndWith(`${total}\n`);
  });
});
