import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, statSync } from "node:fs";
import { ALL_STREAMS, type Box, collect, openBox } from "../fixtures/container-box.ts";
import { cannotRun, processSpec, SIX } from "../fixtures/runtime-spec.ts";

const reason = cannotRun === undefined ? "" : ` (skipped: ${cannotRun})`;

let box: Box;

describe.skipIf(cannotRun !== undefined)(`a launched container${reason}`, () => {
  beforeAll(async () => {
    box = await openBox();
  });
  afterAll(() => box[Symbol.asyncDispose]());

  test.each([
    ["root", {}],
    ["somebody", { user: "ann" }],
    ["root with an addition", { capabilities: ["CAP_SYS_ADMIN", "CAP_CHOWN"] as const }],
  ])("A8: nothing is inheritable or ambient for %s", async (_who, process) => {
    const { stdout } = await box.run(["grep", "-E", "CapInh|CapAmb", "/proc/self/status"], { process });
    expect(stdout).toBe("CapInh:\t0000000000000000\nCapAmb:\t0000000000000000\n");
  });

  test.each([
    ["root", {}, "a80425fb", "a80425fb"],
    ["somebody", { user: "ann" }, "0", "a80425fb"],
    ["nothing but what is asked", { capabilities: [] }, "0", "0"],
  ])("A10: the capabilities of %s", async (_who, process, effective, bounding) => {
    const { stdout } = await box.run(["grep", "-E", "CapPrm|CapEff|CapBnd", "/proc/self/status"], {
      process,
    });
    const pad = (mask: string) => mask.padStart(16, "0");
    expect(stdout).toBe(
      `CapPrm:\t${pad(effective)}\nCapEff:\t${pad(effective)}\nCapBnd:\t${pad(bounding)}\n`,
    );
  });

  test.each([
    ["", "uid=0(root) gid=0(root) groups=0(root),10(wheel)"],
    ["ann", "uid=1000(ann) gid=1000(ann) groups=10(wheel),50(staff),1000(ann)"],
    ["1000", "uid=1000(ann) gid=1000(ann) groups=10(wheel),50(staff),1000(ann)"],
    ["ann:staff", "uid=1000(ann) gid=50(staff) groups=50(staff)"],
    ["4000:4001", "uid=4000 gid=4001 groups=4001"],
    ["4000", "uid=4000 gid=0(root) groups=0(root)"],
  ])("the user %p is %s", async (user, expected) => {
    expect((await box.run(["id"], { process: { user } })).stdout).toBe(`${expected}\n`);
  });

  test.each([
    ["ann:nobodies", "unable to find group nobodies: no matching entries in group file"],
    ["4294967297", "uids and gids must be in range 0-2147483647"],
  ])("the user %p is refused", async (user, words) => {
    await expect(box.run(["id"], { process: { user } })).rejects.toThrow(words);
  });

  test("A24: no new privileges are gained where that is asked", async () => {
    const { stdout } = await box.run(["grep", "-E", "NoNewPrivs|^Seccomp:", "/proc/self/status"], {
      process: { noNewPrivileges: true, user: "ann" },
    });
    expect(stdout).toBe("NoNewPrivs:\t1\nSeccomp:\t2\n");
  });

  test("a user namespace maps the ids, reaches the root through closed directories, and commands join it", async () => {
    const mappings = [{ containerId: 0, hostId: 100_000, size: 65_536 }];
    const linux = {
      namespaces: [...SIX, "user" as const].map((type) => ({ type })),
      uidMappings: mappings,
      gidMappings: mappings,
    };
    expect(statSync(box.path).mode & 0o077).toBe(0);
    const container = await box.start("mapped", ["sleep", "1000"], { linux });
    expect(readFileSync(`/proc/${container.pid}/status`, "utf8")).toMatch(/^Uid:\t100000\t/m);
    await using prepared = await container.exec({
      execId: "id",
      process: processSpec(["id", "-u"], { user: "ann" }),
      stdin: false,
      privileged: false,
    });
    const output = collect(await prepared.attach(ALL_STREAMS));
    await prepared.start();
    expect((await output).stdout).toBe("1000\n");
    await container.signal(9);
    await container.exited;
  });
});
