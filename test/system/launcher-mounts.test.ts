import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { type Box, openBox } from "../fixtures/container-box.ts";
import { bindRoot, cannotRun } from "../fixtures/runtime-spec.ts";

const reason = cannotRun === undefined ? "" : ` (skipped: ${cannotRun})`;
const sh = (script: string) => ["sh", "-c", script];

let box: Box;

describe.skipIf(cannotRun !== undefined)(`a launched container${reason}`, () => {
  beforeAll(async () => {
    box = await openBox();
  });
  afterAll(() => box[Symbol.asyncDispose]());

  test("A18: no mount of a container is seen by the host, while it runs and after", async () => {
    const before = readFileSync("/proc/self/mountinfo", "utf8");
    const container = await box.start("mounts", ["sleep", "100"]);
    expect(readFileSync("/proc/self/mountinfo", "utf8")).toBe(before);
    const inside = readFileSync(`/proc/${container.pid}/mountinfo`, "utf8");
    expect(inside).not.toMatch(/ (shared|master):\d/);
    await container.signal(9);
    await container.exited;
    expect(readFileSync("/proc/self/mountinfo", "utf8")).toBe(before);
  });

  test("A19: there is nothing above the root", async () => {
    const { stdout } = await box.run(
      sh("cd ../../..; ls bin/busybox; cut -d' ' -f5 /proc/self/mountinfo | head -1"),
    );
    expect(stdout).toBe("bin/busybox\n/\n");
    const flight = "mkdir /jail; chroot /jail /bin/true; cd ..; ls bin/busybox";
    expect((await box.run(sh(`${flight} 2>/dev/null`))).stdout).toBe("bin/busybox\n");
  });

  test("A23: a read-only bind is read-only below, where that is asked", async () => {
    const outer = `${box.path}/outer`;
    mkdirSync(`${outer}/inner`, { recursive: true });
    expect(Bun.spawnSync(["mount", "-t", "tmpfs", "none", `${outer}/inner`]).exitCode).toBe(0);
    try {
      const bind = { destination: "/mnt", type: "bind", source: outer, options: ["rbind", "rro"] };
      const { exit } = await box.run(["touch", "/mnt/inner/x"], { spec: { mounts: [bind] } });
      expect(exit.code).not.toBe(0);
    } finally {
      Bun.spawnSync(["umount", `${outer}/inner`]);
    }
  });

  test("a root of 128 layers", async () => {
    const layers = `${box.path}/layers`;
    for (let layer = 0; layer < 128; layer++) {
      mkdirSync(`${layers}/${layer}`, { recursive: true });
      writeFileSync(`${layers}/${layer}/l${layer}`, `${layer}\n`);
    }
    mkdirSync(`${layers}/upper`);
    mkdirSync(`${layers}/work`);
    const lower = Array.from({ length: 127 }, (_, layer) => `lowerdir+=${127 - layer}`);
    const mount = {
      type: "overlay",
      source: "overlay",
      flags: 0,
      directory: layers,
      options: [...lower, `lowerdir+=${box.root}`, "upperdir=upper", "workdir=work"],
    };
    const { stdout } = await box.run(sh("cat /l127 /l1; echo new > /made"), { root: mount });
    expect(stdout).toBe("127\n1\n");
    expect(readFileSync(`${layers}/upper/made`, "utf8")).toBe("new\n");
  });

  test("a read-only root is read-only, and its mounts are not", async () => {
    const spec = { root: { mount: bindRoot(box.root), readonly: true } };
    const { exit } = await box.run(sh("touch /x 2>/dev/null && exit 1; touch /dev/shm/y"), { spec });
    expect(exit.code).toBe(0);
  });
});
