/** Types, lint, format, architecture and unit tests: what every commit passes. Needs no privileges. */
import { setUp } from "./setup.ts";

const STEPS: readonly (readonly [string, readonly string[]])[] = [
  ["types", ["node_modules/.bin/tsc"]],
  ["lint and format", ["node_modules/.bin/biome", "check", "."]],
  [
    "architecture and unit tests",
    [process.execPath, "test", "--timeout=60000", "test/architecture.test.ts", "test/unit", "test/api"],
  ],
];

if (import.meta.main) {
  await setUp();
  process.exitCode = await check();
}

/** The number of steps that failed; each prints its own reasons. */
export async function check(): Promise<number> {
  let failed = 0;
  for (const [name, command] of STEPS) {
    process.stderr.write(`check: ${name}\n`);
    const child = Bun.spawn([...command], { stdio: ["ignore", "inherit", "inherit"] });
    if ((await child.exited) !== 0) {
      process.stderr.write(`check: ${name} failed\n`);
      failed += 1;
    }
  }
  return failed;
}
