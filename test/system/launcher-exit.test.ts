import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { DEFAULT_DEVICE_RULES, detectCgroups } from "#libcontainer";
import { ALL_STREAMS, type Box, openBox, readUntil } from "../fixtures/container-box.ts";
import { cannotRun } from "../fixtures/runtime-spec.ts";

const reason = cannotRun === undefined ? "" : ` (skipped: ${cannotRun})`;
const sh = (script: string) => ["sh", "-c", script];

/** A group of memory, on v1 or v2. */
const hasMemoryGroup = hasMemory();

let box: Box;

function hasMemory(): boolean {
  const cgroups = detectCgroups();
  if (cgroups.version === 2) return true;
  return (
    cgroups.version === 1 && cgroups.hierarchies.some(({ controllers }) => controllers.includes("memory"))
  );
}

describe.skipIf(cannotRun !== undefined)(`a launched container${reason}`, () => {
  beforeAll(async () => {
    box = await openBox();
  });
  afterAll(() => box[Symbol.asyncDispose]());

  test("F10: the small first process reaps, passes signals on and tells the program's exit", async () => {
    const script = 'trap "exit 9" TERM; (sleep 0.01 &) ; echo ready; while :; do sleep 0.01; done';
    await using prepared = await box.prepare("init", sh(script), { process: { init: true } });
    const ready = readUntil(await prepared.attach(ALL_STREAMS), (text) => text.includes("ready"));
    const container = await prepared.start();
    await ready;
    expect(readFileSync(`/proc/${container.pid}/status`, "utf8")).toMatch(/CapEff:\t00000000a80425fb/);
    await container.signal(15);
    expect((await container.exited).code).toBe(9);
  });

  test.skipIf(!hasMemoryGroup)(
    `F9: running out of memory is told${hasMemoryGroup ? "" : " (skipped: no memory groups)"}`,
    async () => {
      const bytes = 32 << 20;
      const resources = { memoryBytes: bytes, memorySwapBytes: bytes, devices: DEFAULT_DEVICE_RULES };
      const { exit } = await box.run(["tail", "/dev/zero"], { linux: { resources } });
      expect(exit).toMatchObject({ code: 137, outOfMemory: true });
      const killed = await box.run(sh("kill -9 $$; kill -9 1; sleep 0; exit 3"), { linux: { resources } });
      expect(killed.exit.outOfMemory).toBe(false);
    },
  );
});
