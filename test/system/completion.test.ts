import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { dirname, resolve } from "node:path";
import { BUNKER, run, TestDaemon } from "../fixtures/daemon.ts";
import { requirePackages } from "../fixtures/index.ts";

const MINUTE = 60_000;
const FIXTURES = resolve(import.meta.dir, "../fixtures");
let daemon: TestDaemon;

beforeAll(async () => {
  await requirePackages(["fish", "zsh"]);
  daemon = await TestDaemon.start();
  await daemon.ok("volume", "create", "data");
  await daemon.ok("network", "create", "--internal", "front");
}, 5 * MINUTE);

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]();
}, MINUTE);

/** Runs a shell's own words with the built program in PATH. */
async function shell(...command: readonly string[]): Promise<string> {
  const path = `${dirname(BUNKER)}:/usr/bin:/bin`;
  const environment = { PATH: path, BUNKER_HOST: `unix://${daemon.socket}`, HOME: daemon.root };
  const { code, stdout, stderr } = await run(command, environment);
  if (code !== 0) throw new Error(`${command[0]} ended with ${code}: ${stderr}`);
  return stdout.trim();
}

/** What each shell offers for a line that ends where the person stands. */
const SHELLS: Readonly<Record<string, (line: string) => Promise<string>>> = {
  bash: (line) => shell("/usr/bin/bash", `${FIXTURES}/complete.bash`, line),
  zsh: (line) => shell("/usr/bin/zsh", "-f", `${FIXTURES}/complete.zsh`, line),
  fish: async (line) => {
    const listed = await shell(
      "/usr/bin/fish",
      "--no-config",
      "-c",
      "bunker completion fish | source; complete -C $argv[1]",
      line,
    );
    return listed.replaceAll(/\t.*/g, "");
  },
};

describe.each(Object.keys(SHELLS))("%s completes", (name) => {
  test.each([
    ["bunker netw", "network"],
    ["bunker network r", "rm"],
    ["bunker network rm fr", "front"],
    ["bunker volume inspect d", "data"],
    ["bunker run --network fr", "front"],
    ["bunker run --hostn", "--hostname"],
    ["bunker ps --filter stat", "status="],
    ["bunker completion z", "zsh"],
  ])(
    "%s to %s",
    async (line, offered) => {
      expect(await SHELLS[name]?.(line)).toBe(offered);
    },
    MINUTE,
  );
});
