import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { BUNKER } from "../fixtures/daemon.ts";
import { HostPart, PATIENCE, until } from "../fixtures/host-part.ts";

const compiler = Bun.which("musl-gcc") ?? Bun.which("cc");
const needsCompiler = compiler === null ? " (skipped: needs a C compiler)" : "";
const DEFAULT_MASK = "00000000a80425fb";
const NONE = "0000000000000000";
const LINES = "grep -E '^(Groups|Cap|Seccomp:|NoNewPrivs|Umask|Sig(Blk|Ign))' /proc/self/status";
const digestOf = (path: string) => Bun.CryptoHasher.hash("sha256", readFileSync(path), "hex");

let part: HostPart;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(`${tmpdir()}/inside-`);
  process.env.CANARY_OF_THE_DAEMON = "secret";
  part = await HostPart.open("busybox");
  delete process.env.CANARY_OF_THE_DAEMON;
}, PATIENCE);
afterAll(async () => {
  await part?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
}, PATIENCE);

const sh = (script: string) => ["sh", "-c", script];

/** The lines of /proc/self/status of a container with these settings. */
async function status(host: object = {}, settings: object = {}): Promise<Record<string, string>> {
  const { stdout } = await part.run(sh("cat /proc/self/status"), host, settings);
  return Object.fromEntries(stdout.split("\n").map((line) => line.split(/:\s*/) as [string, string]));
}

describe("capabilities", () => {
  test.each([
    ["by default are Docker's", {}, {}, [NONE, DEFAULT_MASK, DEFAULT_MASK, DEFAULT_MASK]],
    ["are none when all are dropped", { CapDrop: ["ALL"] }, {}, [NONE, NONE, NONE, NONE]],
    ["of another user are only bounded", {}, { User: "33" }, [NONE, NONE, NONE, DEFAULT_MASK]],
    [
      "that are added reach no other user",
      { CapAdd: ["NET_ADMIN"] },
      { User: "33" },
      [NONE, NONE, NONE, "00000000a80435fb"],
    ],
    [
      "can be one alone",
      { CapDrop: ["ALL"], CapAdd: ["CAP_NET_RAW"] },
      {},
      [NONE, "0000000000002000", "0000000000002000", "0000000000002000"],
    ],
  ])("A8, A10: %s", async (_what, host, settings, expected) => {
    const { CapInh, CapPrm, CapEff, CapBnd, CapAmb } = await status(host, settings);
    expect([CapInh, CapPrm, CapEff, CapBnd, CapAmb]).toEqual([...expected, NONE]);
  });

  test("A26: all of them are those that the host has", async () => {
    const own = /^CapBnd:\t(.*)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
    for (const host of [{ Privileged: true }, { CapAdd: ["ALL"] }])
      expect((await status(host)).CapEff).toBe(own);
  });

  test("A24: are not gained where that is asked", async () => {
    const settings = { User: "33" };
    expect((await status({ SecurityOpt: ["no-new-privileges"] }, settings)).NoNewPrivs).toBe("1");
    const script =
      "cp /bin/busybox /tmp/su && chmod 4755 /tmp/su && exec setpriv --help >/dev/null 2>&1; true";
    expect((await part.run(sh(script))).code).toBe(0);
    const { stdout } = await part.run(sh("grep NoNewPrivs /proc/self/status"), {}, settings);
    expect(stdout).toBe("NoNewPrivs:\t0\n");
  });
});

describe("exec", () => {
  test.each([
    ["by default", {}, {}],
    ["of another user", { GroupAdd: ["50"] }, { User: "33:50" }],
    ["with other capabilities", { CapDrop: ["ALL"], CapAdd: ["CHOWN"] }, {}],
    ["without a filter", { SecurityOpt: ["seccomp=unconfined"] }, {}],
    ["without new privileges", { SecurityOpt: ["no-new-privileges"] }, {}],
    ["privileged", { Privileged: true }, {}],
  ])("A13: is as confined as run, %s", async (_what, host, settings) => {
    const { id } = await part.start(sh(`${LINES}; echo end; exec sleep 600`), host, settings);
    const { stdout } = await part.exec(id, sh(`${LINES}; echo end`));
    expect(stdout).toContain("Seccomp:");
    await until(
      async () => (await part.logs(id)).stdout,
      (said) => said.endsWith("end\n"),
    );
    expect(stdout).toBe((await part.logs(id)).stdout);
    await part.remove(id);
  });
});

describe("the start of a program", () => {
  test("A2: finds three descriptors, signals and umask as new, no protection from running out of memory", async () => {
    const { stdout } = await part.run(sh("umask; cat /proc/1/oom_score_adj"));
    expect(stdout).toBe("0022\n0\n");
    // The last one is the open folder itself.
    expect((await part.run(["ls", "/proc/self/fd"])).stdout).toBe("0\n1\n2\n3\n");
    const { id } = await part.start(["sleep", "600"]);
    expect((await part.exec(id, ["ls", "/proc/self/fd"])).stdout).toBe("0\n1\n2\n3\n");
    await part.remove(id);
    const first = (await part.run(["cat", "/proc/self/status"])).stdout;
    expect(first).toContain(`SigBlk:\t${NONE}\nSigIgn:\t${NONE}\n`);
  });

  test("has nothing of the daemon's environment", async () => {
    const { stdout } = await part.run(["env"], {}, { Env: ["A=b"], Hostname: "box" });
    expect(stdout.trim().split("\n").sort()).toEqual([
      "A=b",
      "HOME=/root",
      "HOSTNAME=box",
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ]);
    const { id } = await part.start(["sleep", "600"]);
    expect((await part.exec(id, ["env"])).stdout).not.toContain("CANARY");
    await part.remove(id);
  });

  test("may open its output again by name, also as another user", async () => {
    const script = "echo a > /proc/self/fd/1; echo b > /dev/stdout; echo c > /dev/stderr";
    for (const settings of [{}, { User: "33" }])
      expect(await part.run(sh(script), {}, settings)).toMatchObject({ stdout: "a\nb\n", stderr: "c\n" });
  });

  test.each(["/proc/self/fd/3", "/proc/self/fd/7", "/proc/self/fd/8/../..", "/proc/1/cwd", "../../../.."])(
    "A2: in the working directory %s is in the root, or is refused",
    async (path) => {
      const body = { Image: "busybox", Cmd: sh("pwd; ls -d bin etc /bin/busybox"), WorkingDir: path };
      const created = await part.daemon.request("POST", "/containers/create", body);
      const { Id } = (await created.json()) as { Id?: string };
      if (Id === undefined) return expect(created.status).toBe(400);
      const started = await part.daemon.request("POST", `/containers/${Id}/start`);
      if (started.ok) {
        await part.ask("POST", `/containers/${Id}/wait`);
        const { stdout } = await part.logs(Id);
        expect(stdout.split("\n")[0]).toMatch(/^\/(proc.*)?$/);
      } else
        expect(await started.text()).toMatch(
          /workdir|working directory|cwd|No such|no such|not a directory|proc/i,
        );
      await part.remove(Id);
    },
    PATIENCE,
  );
});

describe("what is closed", () => {
  test("A14: of devices, all that are not listed", async () => {
    const nodes = {
      disk: "b 8 0",
      vda: "b 254 0",
      mem: "c 1 1",
      kmsg: "c 1 11",
      fuse: "c 10 229",
      kvm: "c 10 232",
      loop: "b 7 0",
    };
    const script = Object.entries(nodes)
      .map(([name, node]) => `mknod /${name} ${node} && head -c 1 /${name} 2>&1 >/dev/null`)
      .join("; ");
    const { stdout } = await part.run(sh(script));
    const refusals = Object.keys(nodes).map((name) => `head: /${name}: Operation not permitted\n`);
    expect(stdout).toBe(refusals.join(""));
  });

  test("A15: of /proc and /sys, all that would change the host", async () => {
    const files =
      "/proc/sys/kernel/core_pattern /proc/sys/vm/panic_on_oom /proc/sysrq-trigger /proc/irq/default_smp_affinity /sys/kernel/uevent_helper /sys/fs/cgroup/memory/release_agent /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/devices/devices.allow";
    const before = readFileSync("/proc/sys/kernel/core_pattern", "utf8");
    const script = `for f in ${files}; do (echo '|/bin/true' > $f) 2>/dev/null && echo $f; done; find /sys /proc/sys /proc/bus /proc/irq /proc/fs -xdev -type f -writable 2>/dev/null | head -3
      mkdir /sys/fs/cgroup/memory/x /sys/fs/cgroup/x 2>/dev/null && echo made; cat /proc/kcore /proc/keys /proc/timer_list /proc/interrupts 2>/dev/null | wc -c; ls /sys/firmware /proc/acpi 2>/dev/null | grep -v :`;
    const { stdout } = await part.run(sh(script), {}, { User: "0" });
    expect(
      stdout.replace(/^\/.*\n/gm, (line) =>
        line.startsWith("/sys") || line.startsWith("/proc/") ? line : "",
      ),
    ).toBe("0\n\n");
    expect(readFileSync("/proc/sys/kernel/core_pattern", "utf8")).toBe(before);
  });

  test.skipIf(compiler === null)(
    `A16, A19: of the engine's processes and what is above the root, everything${needsCompiler}`,
    async () => {
      const built = Bun.spawnSync([
        compiler ?? "cc",
        "-static",
        "-o",
        `${directory}/reach`,
        `${import.meta.dir}/../fixtures/reach.c`,
      ]);
      if (built.exitCode !== 0) throw new Error(built.stderr.toString());
      const { id, pid } = await part.start(["sleep", "600"]);
      const supervisor = Number(/^PPid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
      for (const target of [part.daemon.pid, supervisor]) {
        const host = { PidMode: "host", Binds: [`${directory}:/probe:ro`] };
        const { stdout } = await part.run(["/probe/reach", String(target)], host);
        const answers = Object.fromEntries(
          stdout
            .trim()
            .split("\n")
            .map((line) => [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)]),
        );
        expect(answers).toMatchObject({
          open_by_handle_at: "EPERM",
          kcmp: "EPERM",
          pidfd_getfd: "EPERM",
          "above-the-root": "the-root",
        });
        for (const name of ["ptrace", "process_vm_readv", "mem", "environ", "fd", "maps", "root"])
          expect([target === supervisor ? "supervisor" : "daemon", name, answers[name]]).toEqual([
            expect.anything(),
            name,
            expect.stringMatching(/EPERM|EACCES/),
          ]);
      }
      await part.remove(id);
    },
    PATIENCE,
  );

  test("A20: its supervisor to a container with the host's network", async () => {
    const { stdout } = await part.run(["cat", "/proc/net/unix"], { NetworkMode: "host" });
    const own = stdout.split("\n").filter((line) => line.includes(part.daemon.root));
    expect(own.length).toBeGreaterThan(0);
    expect(stdout).not.toMatch(/@\S*(bunker|attach|supervis)/);
  });

  test("A1: the engine's programs to what an exec'ed process finds as its own", async () => {
    const before = digestOf(BUNKER);
    const { id } = await part.start(
      sh(
        "while :; do for p in /proc/[0-9]*; do (echo owned > $p/exe) 2>/dev/null && echo WRITTEN $p; done; done",
      ),
      {
        PidMode: "host",
        CapAdd: ["SYS_PTRACE"],
      },
    );
    for (let round = 0; round < 5; round++) expect((await part.exec(id, ["true"])).code).toBe(0);
    expect((await part.logs(id)).stdout).toBe("");
    await part.remove(id);
    const own = await part.start(
      sh(
        "cp /bin/busybox /tmp/b; printf '#!/proc/self/exe\\n' > /tmp/trap; chmod 755 /tmp/trap; exec sleep 600",
      ),
    );
    const answer = await part.exec(own.id, ["/tmp/trap"]);
    expect(answer.code).not.toBe(0);
    await part.remove(own.id);
    expect(digestOf(BUNKER)).toBe(before);
  });
});

describe("namespaces", () => {
  const ALL = ["mnt", "pid", "net", "ipc", "uts", "cgroup"];
  test.each([
    ["nothing", {}, []],
    ["pid", { PidMode: "host" }, ["pid"]],
    ["net", { NetworkMode: "host" }, ["net"]],
    ["ipc", { IpcMode: "host" }, ["ipc"]],
    ["uts", { UTSMode: "host" }, ["uts"]],
    ["cgroup", { CgroupnsMode: "host" }, ["cgroup"]],
  ])("A17: of the host's, %s is shared when that is asked", async (_name, host, expected) => {
    const { id, pid } = await part.start(["sleep", "600"], host);
    const shared = ALL.filter(
      (type) => readlinkSync(`/proc/${pid}/ns/${type}`) === readlinkSync(`/proc/self/ns/${type}`),
    );
    await part.remove(id);
    expect(shared).toEqual(expected);
  });

  test("A17: of the host's name, uts=host alone shows it", async () => {
    expect((await part.run(["hostname"], { UTSMode: "host" })).stdout.trim()).toBe(hostname());
    expect((await part.run(["hostname"])).stdout.trim()).toMatch(/^[0-9a-f]{12}$/);
  });

  test("A18: no mount of a container is seen by the host or another container", async () => {
    writeFileSync(`${directory}/canary`, "x");
    const before = readFileSync("/proc/self/mountinfo", "utf8");
    const other = await part.start(["sleep", "600"]);
    const others = readFileSync(`/proc/${other.pid}/mountinfo`, "utf8");
    const { id, pid } = await part.start(
      sh("mkdir /m; mount -t tmpfs none /m; mount -t tmpfs none /data; exec sleep 600"),
      {
        CapAdd: ["SYS_ADMIN"],
        Binds: [`${directory}:/data`],
        Tmpfs: { "/scratch": "" },
      },
    );
    const inside = readFileSync(`/proc/${pid}/mountinfo`, "utf8");
    expect(inside).not.toMatch(/ (shared|master):\d/);
    expect(readFileSync("/proc/self/mountinfo", "utf8")).toBe(before);
    expect(readFileSync(`/proc/${other.pid}/mountinfo`, "utf8")).toBe(others);
    await part.remove(id);
    await part.remove(other.id);
    expect(readFileSync("/proc/self/mountinfo", "utf8")).toBe(before);
  });
});
