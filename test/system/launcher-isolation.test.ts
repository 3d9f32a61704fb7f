import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { closeSync, openSync, readFileSync, readlinkSync, writeFileSync, writeSync } from "node:fs";
import { CAPABILITIES, launcherPath } from "#libcontainer";
import { type Box, openBox } from "../fixtures/container-box.ts";
import { until } from "../fixtures/host-part.ts";
import { cannotRun, SIX } from "../fixtures/runtime-spec.ts";

const reason = cannotRun === undefined ? "" : ` (skipped: ${cannotRun})`;
const digestOf = (path: string) => Bun.CryptoHasher.hash("sha256", readFileSync(path), "hex");
const sh = (script: string) => ["sh", "-c", script];

/** Whether no process runs the launcher. */
function canBeWritten(): boolean {
  try {
    closeSync(openSync(launcherPath(), "r+"));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ETXTBSY") throw error;
    return false;
  }
}

let box: Box;

describe.skipIf(cannotRun !== undefined)(`a launched container${reason}`, () => {
  beforeAll(async () => {
    box = await openBox();
  });
  afterAll(() => box[Symbol.asyncDispose]());

  test("A1: the launcher is sealed, and cannot be written from a container that has it as its first process", async () => {
    const before = digestOf(launcherPath());
    const { stdout } = await box.run(sh("echo x > /proc/1/exe && echo WRITTEN; echo tried"), {
      process: { init: true, capabilities: CAPABILITIES },
      linux: { seccomp: undefined as never },
    });
    expect(stdout).toBe("tried\n");
    const held = openSync(launcherPath(), "r+");
    expect(() => writeSync(held, "x")).toThrow(/EPERM/);
    closeSync(held);
    expect(digestOf(launcherPath())).toBe(before);
  });

  test("A1: while a container runs the launcher cannot even be opened for writing", async () => {
    const container = await box.start("text-busy", ["sleep", "100"]);
    expect(() => openSync(launcherPath(), "r+")).toThrow(/ETXTBSY/);
    await container.signal(9);
    await container.exited;
    // Its supervisor tells of the end first, and leaves the launcher after that.
    await until(canBeWritten, (so) => so);
  });

  test("A1: somebody who holds it open for writing stops no container from starting", async () => {
    const held = openSync(launcherPath(), "r+");
    try {
      expect((await box.run(["true"])).exit.code).toBe(0);
    } finally {
      closeSync(held);
    }
  });

  test("A2: a program has the three standard descriptors and no more", async () => {
    const { stdout } = await box.run(sh("readlink /proc/$$/fd/3 /proc/$$/fd/4 /proc/$$/fd/5; echo none"));
    expect(stdout).toBe("none\n");
  });

  test.each(Array.from({ length: 12 }, (_, fd) => [`/proc/self/fd/${fd}`]))(
    "A2: the working directory %s does not lead to the host",
    async (cwd) => {
      const marker = `${box.path}/marker`;
      writeFileSync(marker, "");
      const outcome = await box
        .run(sh(`ls ../../../../../../${marker} ${marker} 2>/dev/null && echo ESCAPED; pwd`), {
          process: { cwd },
        })
        .catch(() => undefined);
      expect(outcome?.stdout ?? "").not.toContain("ESCAPED");
    },
  );

  test("A3: what covers a secret cannot be changed through the mount", async () => {
    const { exit } = await box.run(["chmod", "000", "/proc/keys"]);
    expect(exit.code).not.toBe(0);
  });

  test("A5: a sysctl takes effect inside, although /proc/sys is read-only there", async () => {
    const { stdout } = await box.run(
      sh("cat /proc/sys/net/ipv4/ip_default_ttl; echo 5 > /proc/sys/net/ipv4/ip_default_ttl"),
      {
        linux: { sysctl: { "net.ipv4.ip_default_ttl": "77" } },
      },
    );
    expect(stdout).toBe("77\n");
  });

  test.each([
    "/proc/sys/kernel/core_pattern",
    "/proc/sysrq-trigger",
    "/proc/irq/x",
    "/sys/kernel/x",
    "/sys/fs/cgroup/x",
  ])("A15: %s cannot be written", async (path) => {
    const { exit } = await box.run(sh(`echo x > ${path}`));
    expect(exit.code).not.toBe(0);
  });

  test("A16: the supervisor's memory and descriptors are closed to a container that sees it", async () => {
    const namespaces = (["mnt", "net", "ipc", "uts"] as const).map((type) => ({ type }));
    const script =
      'for p in /proc/[0-9]*; do grep -q "^Name:.*launcher" $p/status && (readlink $p/fd/0 $p/exe $p/root; cat $p/environ); done; echo end';
    const { stdout } = await box.run(sh(script), { linux: { namespaces } });
    expect(stdout).toBe("end\n");
  });

  test("A17: all namespaces are its own, and leaving one out shares that one only", async () => {
    for (const left of [undefined, "net", "ipc", "uts", "pid", "cgroup"] as const) {
      const namespaces = SIX.filter((type) => type !== left).map((type) => ({ type }));
      const container = await box.start(`ns-${left ?? "all"}`, ["sleep", "100"], { linux: { namespaces } });
      const shared = SIX.filter(
        (type) => readlinkSync(`/proc/${container.pid}/ns/${type}`) === readlinkSync(`/proc/self/ns/${type}`),
      );
      await container.signal(9);
      await container.exited;
      expect(shared).toEqual(left === undefined ? [] : [left]);
    }
  });

  test("A20: its supervisor listens on no abstract socket, and on files of root alone", async () => {
    const container = await box.start("sockets", ["sleep", "100"], {
      linux: { namespaces: SIX.filter((type) => type !== "net").map((type) => ({ type })) },
    });
    expect(readFileSync("/proc/net/unix", "utf8")).not.toMatch(/@.*(attach|bunker)/);
    const { mode } = await Bun.file(`${box.path}/run/containers/sockets/attach.sock`).stat();
    expect(mode & 0o777).toBe(0o600);
    await container.signal(9);
    await container.exited;
  });
});
