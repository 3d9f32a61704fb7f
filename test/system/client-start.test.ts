import { describe, expect, test } from "bun:test";
import { BUNKER, run } from "../fixtures/daemon.ts";

/** Makes the JavaScript engine print each function that it compiles. */
const TELLING = { BUN_JSC_reportBaselineCompileTimes: "1", BUNKER_HOST: "unix:///nonexistent/bunker.sock" };

// To compile a first function costs a thread, two hundred page faults and a quarter of such a command's processor time.
describe("the client has done its work before a function is called so often that it is compiled", () => {
  const cases = [
    ["--version"],
    ["run", "--rm", "busybox", "true"],
    ["exec", "-i", "web", "true"],
    ["rm", "web"],
  ];
  for (const words of cases)
    test(words.join(" "), async () => {
      const { stdout, stderr } = await run([BUNKER, ...words], TELLING);
      expect(`${stdout}${stderr}`).not.toContain("using Baseline");
      expect(`${stdout}${stderr}`).toContain("bunker");
    });

  test("which the engine would tell", async () => {
    const script = "let n = 0; const add = () => { n += 1; }; for (let i = 0; i < 1e5; i++) add();";
    const { stderr, stdout } = await run([process.execPath, "-e", script], TELLING);
    expect(`${stdout}${stderr}`).toContain("using Baseline");
  });
});
