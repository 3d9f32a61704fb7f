import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, statSync } from "node:fs";
import { HostPart, PATIENCE, until } from "../../fixtures/host-part.ts";

const PROFILE = "bunker-default (enforce)";
const LINES =
  "grep -E '^(Cap|Seccomp:|NoNewPrivs)' /proc/self/status; cat /proc/self/attr/current 2>/dev/null";
/** A device that no container has unless it is asked for. */
const extra = ["/dev/loop-control", "/dev/fuse", "/dev/net/tun"].find((path) => existsSync(path));
const hasAppArmor = (() => {
  try {
    return readFileSync("/sys/module/apparmor/parameters/enabled", "utf8").startsWith("Y");
  } catch {
    return false;
  }
})();
let part: HostPart;

beforeAll(async () => {
  part = await HostPart.open("busybox");
}, PATIENCE);
afterAll(async () => part?.[Symbol.asyncDispose](), PATIENCE);

describe("exec", () => {
  test(
    "runs with its own environment, user and directory, and tells its exit code",
    async () => {
      const { id } = await part.start(["sleep", "600"]);
      const script = "echo $A; id -u; id -g; pwd; echo no >&2; exit 5";
      const settings = { Env: ["A=b c"], User: "33:50", WorkingDir: "/tmp" };
      expect(await part.exec(id, ["sh", "-c", script], settings)).toEqual({
        code: 5,
        stdout: "b c\n33\n50\n/tmp\n",
        stderr: "no\n",
      });
      expect((await part.exec(id, ["tty"], { Tty: true })).stdout.trim()).toMatch(/^\/dev\/pts\/\d+$/);
      await part.remove(id);
    },
    PATIENCE,
  );

  test(
    "is confined as the container's first process is",
    async () => {
      const { id } = await part.start(["sh", "-c", `${LINES}; echo end; exec sleep 600`]);
      const { code, stdout } = await part.exec(id, ["sh", "-c", `${LINES}; echo end`]);
      expect(code).toBe(0);
      expect(stdout).toContain("CapEff:\t00000000a80425fb");
      expect(stdout).toContain("Seccomp:\t2");
      expect((await part.logs(id)).stdout).toBe(stdout);
      await part.remove(id);
    },
    PATIENCE,
  );

  test(
    "reaches a container through the client, and its exit code comes back",
    async () => {
      const { id } = await part.start(["sleep", "600"]);
      expect(await part.daemon.cli("exec", id, "sh", "-c", "echo in; exit 9")).toMatchObject({
        code: 9,
        stdout: "in\n",
      });
      await part.remove(id);
    },
    PATIENCE,
  );
});

describe("devices", () => {
  test(
    "that a container makes for itself open only where it may have them",
    async () => {
      const script = `mknod /disk b 8 0; dd if=/disk count=1; mknod /mem c 1 1; dd if=/mem count=1;
        mknod /null c 1 3; echo gone > /null && echo null; head -c 2 /dev/urandom | wc -c`;
      const { stdout, stderr } = await part.run(["sh", "-c", script]);
      expect(stdout).toBe("null\n2\n");
      expect(stderr).toContain("can't open '/disk': Operation not permitted");
      expect(stderr).toContain("can't open '/mem': Operation not permitted");
    },
    PATIENCE,
  );

  const [title, path] = [extra === undefined ? " (skipped: the host has none to add)" : "", extra ?? ""];
  test.skipIf(extra === undefined)(
    `that were asked for open, and no others${title}`,
    async () => {
      const { rdev } = statSync(path);
      const node = `mknod /own c ${(rdev >> 8) & 0xfff} ${rdev & 0xff} && exec 3</own && echo opened`;
      const device = { PathOnHost: path, PathInContainer: "/dev/extra", CgroupPermissions: "r" };
      const [without, privileged, added] = await Promise.all([
        part.run(["sh", "-c", node]),
        part.run(["sh", "-c", node], { Privileged: true }),
        part.run(["sh", "-c", "exec 3</dev/extra && echo opened; exec 3>/dev/extra && echo written"], {
          Devices: [device],
        }),
      ]);
      expect(without.stdout).toBe("");
      expect(without.stderr).toContain("Operation not permitted");
      expect(privileged).toMatchObject({ stdout: "opened\n", stderr: "" });
      expect(added.stdout).toBe("opened\n");
      expect(added.stderr).toContain("Operation not permitted");
    },
    PATIENCE,
  );
});

const reason = hasAppArmor ? "" : " (skipped: this kernel has no AppArmor)";
describe.skipIf(!hasAppArmor)(`AppArmor${reason}`, () => {
  test(
    "confines run and exec by the default profile, and the engine says so",
    async () => {
      const { id } = await part.start(["sh", "-c", "cat /proc/self/attr/current; exec sleep 600"]);
      const { stdout } = await part.exec(id, ["cat", "/proc/self/attr/current"]);
      expect([stdout.trim(), (await part.logs(id)).stdout.trim()]).toEqual([PROFILE, PROFILE]);
      const { SecurityOptions } = await part.ask<{ SecurityOptions: string[] }>("GET", "/info");
      expect(SecurityOptions).toContain("name=apparmor");
      expect(await part.inspect(id)).toMatchObject({ AppArmorProfile: "bunker-default" });
      await part.remove(id);
    },
    PATIENCE,
  );

  test(
    "lets the engine's signals through, and goes with no-new-privileges",
    async () => {
      const script =
        "trap 'cat /proc/self/attr/current; exit 3' TERM; echo ready; while :; do sleep 0.05; done";
      const { id } = await part.start(["sh", "-c", script], { SecurityOpt: ["no-new-privileges"] });
      await until(
        () => part.logs(id),
        ({ stdout }) => stdout === "ready\n",
      );
      await part.ask("POST", `/containers/${id}/stop?t=60`);
      expect((await part.inspect(id)).State.ExitCode).toBe(3);
      expect((await part.logs(id)).stdout).toBe(`ready\n${PROFILE}\n`);
      await part.remove(id);
    },
    PATIENCE,
  );

  test(
    "denies what nothing else does, unless the container asked to go without",
    async () => {
      const path = "/proc/sys/vm/swappiness";
      const script = `read held < ${path}; echo $held > ${path} && echo written; mount -t tmpfs none /mnt && echo mounted`;
      const open = ["systempaths=unconfined", "seccomp=unconfined"];
      const run = (options: readonly string[]) =>
        part.run(["sh", "-c", `mkdir -p /mnt; ${script}`], { SecurityOpt: options, CapAdd: ["SYS_ADMIN"] });
      const [held, free] = await Promise.all([run(open), run([...open, "apparmor=unconfined"])]);
      expect(held.stdout).toBe("");
      expect(held.stderr).toContain(`can't create ${path}: Permission denied`);
      expect(free.stdout).toBe("written\nmounted\n");
    },
    PATIENCE,
  );
});
