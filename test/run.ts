/**
 * Everything: set-up, check, conformance and system tests, and at the end a look at whether the machine is as it was.
 * `bun run test NAME…` runs only the system and conformance files whose paths contain one of the names.
 */
import { check } from "./check.ts";
import { hostDifference, hostState } from "./fixtures/host-state.ts";
import { OUTSIDE, setUp } from "./setup.ts";

interface Count {
  passed: number;
  failed: number;
  skipped: number;
}

/** Of one test, unless it says otherwise: other engines take their time, and so do slow machines. */
const PATIENCE_MILLISECONDS = 240_000;
/** So many files at a time. Much of a test is waiting, but a machine that is too busy makes other engines time out. */
const LANES = Math.max(1, Math.min(navigator.hardwareConcurrency, 4));
/** An emulated machine wants all of this one, or its programs run out of time. */
const ALONE = ["system/vm.test.ts", "system/vm-drivers.test.ts"];
/** Files that take minutes begin first, or all would wait for them at the end. */
const LONGEST = [
  "system/store-crash.test.ts",
  "system/hostile-images.test.ts",
  "system/overlay.test.ts",
  "system/save-load.test.ts",
  "system/cp.test.ts",
];
/** So many files that failed are run once more when all is quiet; a fault in more of them is no accident. */
const SECOND_CHANCES = 2;
/** Of each file, the last time it was run. */
const counts = new Map<string, Count>();
let isChanged = false;
const names = process.argv.slice(2);

await setUp();
const before = await hostState();
if (names.length === 0) {
  const failedSteps = await check();
  if (failedSteps > 0) {
    process.stderr.write(`test: ${failedSteps} of check's steps failed\n`);
    process.exit(1);
  }
}
if (process.getuid?.() === 0) {
  const all = [...new Bun.Glob("{conformance,system}/**/*.test.ts").scanSync("test")].sort();
  const files = all.filter((path) => names.length === 0 || names.some((name) => path.includes(name)));
  // Only now are there packages that the fixtures import.
  const { prepareFixtures } = await import("./fixtures/index.ts");
  await prepareFixtures(await Promise.all(files.map((file) => Bun.file(`test/${file}`).text())));
  for (const file of files.filter((one) => ALONE.includes(one))) await runFile(`test/${file}`);
  const first = LONGEST.filter((file) => files.includes(file));
  const waiting = [...first, ...files.filter((file) => !first.includes(file) && !ALONE.includes(file))];
  await Promise.all(Array.from({ length: LANES }, () => runLane(waiting)));
  const unsteady = await runFailedAgain();
  const left = hostDifference(before, await hostState());
  for (const line of left) process.stderr.write(`test: the machine is not as it was: ${line}\n`);
  isChanged = left.length > 0;
  for (const path of unsteady)
    process.stderr.write(
      `test: ${path} FAILED, and passed only when it was run again: a fault to be found\n`,
    );
} else {
  process.stderr.write("test: system and conformance tests are skipped: they need root\n");
}
const failed = sum("failed") + (isChanged ? 1 : 0);
process.stdout.write(`system: ${sum("passed")} passed, ${failed} failed, ${sum("skipped")} skipped\n`);
process.exit(failed === 0 ? 0 : 1);

function sum(key: keyof Count): number {
  return [...counts.values()].reduce((all, count) => all + count[key], 0);
}

/** One file after the other, until none is left. */
async function runLane(waiting: string[]): Promise<void> {
  for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) await runFile(`test/${file}`);
}

/** Says which files passed this time. What failed before stands in the report, and they are named at its end. */
async function runFailedAgain(): Promise<readonly string[]> {
  const hasFailed = (path: string) => (counts.get(path)?.failed ?? 0) > 0;
  const first = [...counts.keys()].filter(hasFailed);
  if (first.length > SECOND_CHANCES) return [];
  for (const path of first) await runFile(path);
  return first.filter((path) => !hasFailed(path));
}

/** A file a process: what one leaves in its process cannot reach the next. Said in one piece when it has ended. */
async function runFile(path: string): Promise<void> {
  const started = performance.now();
  const child = Bun.spawn(
    inOwnNetwork([process.execPath, "test", `--timeout=${PATIENCE_MILLISECONDS}`, `./${path}`]),
    {
      env: { ...process.env, [OUTSIDE]: String(process.pid) },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    },
  );
  const [out, report, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  const count = (word: string) => Number(new RegExp(`^\\s*(\\d+) ${word}$`, "m").exec(report)?.[1] ?? 0);
  counts.set(path, {
    passed: count("pass"),
    failed: Math.max(count("fail"), code === 0 ? 0 : 1),
    skipped: count("skip") + count("todo"),
  });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const said = code === 0 ? summary(report) : `${out.slice(-20000)}${report.slice(-60000)}`;
  process.stderr.write(`\ntest: ${path}\n${said}test: ${path} took ${seconds} s\n`);
}

/**
 * Links, rules, ports and mounts of a file's daemons live and die with namespaces of its own, loopback up, so that
 * files do not see one another's when they run side by side.
 */
function inOwnNetwork(command: readonly string[]): string[] {
  return [
    "unshare",
    "--net",
    "--mount",
    "--propagation",
    "private",
    "--",
    process.execPath,
    "test/in-network.ts",
    ...command,
  ];
}

/** What was skipped is said aloud, with the reason that stands in its name. */
function summary(report: string): string {
  const kept = report.split("\n").filter((line) => /^\((skip|todo)\)|^\s*\d+ (pass|fail|skip)$/.test(line));
  return `${kept.join("\n")}\n`;
}
