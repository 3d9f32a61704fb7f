import { describe, expect, test } from "bun:test";
import { openSync, writeFileSync } from "node:fs";
import { lockFile } from "#host";
import { scratch } from "../../fakes/scratch.ts";

/** A process that keeps the lock on its standard input, as one does that was being started when its parent was killed. */
function keeper(path: string, seconds: string): Bun.Subprocess {
  return Bun.spawn(["flock", "--exclusive", path, "sleep", seconds], { stdin: openSync(path, "r") });
}

async function taken(path: string): Promise<void> {
  for (;;) {
    if (Bun.spawnSync(["flock", "--nonblock", path, "true"]).exitCode !== 0) return;
    await Bun.sleep(5);
  }
}

describe("the lock of a folder", () => {
  test("is one process's alone, whose pid is told", async () => {
    await using root = await scratch();
    const path = `${root.path}/lock`;
    using held = lockFile(path, "the folder");
    expect(held).toBeDefined();
    expect(() => lockFile(path, "the folder")).toThrow(
      `Cannot use the folder: the bunker daemon with pid ${process.pid}`,
    );
  });

  test("that outlives its holder for a moment is waited for", async () => {
    await using root = await scratch();
    const path = `${root.path}/lock`;
    writeFileSync(path, "4194305\n");
    const child = keeper(path, "0.2");
    await taken(path);
    using held = lockFile(path, "the folder");
    expect(held).toBeDefined();
    await child.exited;
  });
});
