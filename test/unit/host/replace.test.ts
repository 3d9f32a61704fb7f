import { expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { scratch } from "../../fakes/scratch.ts";

const MODULE = resolve(import.meta.dir, "../../../src/host/replace.ts");
const SCRIPT = `import { replaceProcess } from ${JSON.stringify(MODULE)};
replaceProcess(["/bin/sh", "-c", 'printf "%s" "$X" >&9'], { X: "a\\xffb" });`;

test("what takes a process's place has the files that it was handed, and bytes as they are", async () => {
  await using root = await scratch();
  const file = `${root.path}/handed`;
  const words = ["sh", "-c", 'exec 9>"$1"; exec "$2" -e "$3"', "sh", file, process.execPath, SCRIPT];
  const { exitCode, stderr } = Bun.spawnSync(words);
  expect([exitCode, stderr.toString()]).toEqual([0, ""]);
  expect((await readFile(file)).toString("latin1")).toBe("a\xffb");
});
