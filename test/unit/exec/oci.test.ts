import { describe, expect, test } from "bun:test";
import { DEFAULT_CAPABILITIES, hostCapabilities, type RuntimeSpec } from "#libcontainer";
import { configPieces, lacksHome, processPieces } from "../../../src/exec/oci/config.ts";
import { runtimeFault } from "../../../src/exec/oci/fault.ts";
import { containerPlan } from "../../../src/exec/oci/plan.ts";
import { bindRoot, processSpec, runtimeSpec } from "../../fixtures/runtime-spec.ts";

const USER = '{"uid":7,"gid":8,"umask":18,"additionalGids":[]}';
const whole = ([before, between, after]: readonly string[]) =>
  JSON.parse(`${before}${USER}${between},"HOME=/h"${after}`);
const spec = (changes: Parameters<typeof runtimeSpec>[2]): RuntimeSpec =>
  runtimeSpec("id", bindRoot("/root"), changes);
const configOf = (changes: Omit<Parameters<typeof runtimeSpec>[2], "process">) =>
  whole(
    configPieces(spec({ process: processSpec(["sh"]), ...changes }), {
      cgroupsPath: "/b/id",
      size: undefined,
    }),
  );

describe("config.json", () => {
  test("has the launcher's pieces where the specification wants them", () => {
    const config = configOf({ hostname: "box", domainname: "example.org" });
    expect(config).toMatchObject({
      ociVersion: "1.0.2",
      hostname: "box",
      root: { path: "rootfs", readonly: false },
      process: { user: { uid: 7, gid: 8 }, env: ["PATH=/bin", "HOME=/h"], args: ["sh"], cwd: "/" },
      linux: { cgroupsPath: "/b/id", sysctl: { "kernel.domainname": "example.org" } },
    });
    expect(config.linux.namespaces.map(({ type }: { type: string }) => type)).toEqual([
      "mount",
      "pid",
      "network",
      "ipc",
      "uts",
      "cgroup",
    ]);
  });

  test("asks for no capability that this host cannot give", () => {
    const { capabilities } = configOf({}).process;
    expect(DEFAULT_CAPABILITIES).toContainValues(capabilities.bounding);
    expect(capabilities.inheritable).toBeUndefined();
    expect(hostCapabilities()).toBeGreaterThan(0n);
  });

  test("says limits in the specification's words", () => {
    const resources = {
      memoryBytes: 1024,
      cpuQuotaMicroseconds: 50_000,
      cpuPeriodMicroseconds: 100_000,
      pidsLimit: 5,
      blkioDevices: [{ major: 8, minor: 0, kind: "read-bps", value: 9 } as const],
      devices: [{ allow: false, type: "a", access: "rwm" } as const],
    };
    expect(configOf({ linux: { resources } }).linux.resources).toEqual({
      memory: { limit: 1024 },
      cpu: { quota: 50_000, period: 100_000 },
      pids: { limit: 5 },
      blockIO: { throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 9 }] },
      devices: [{ allow: false, access: "rwm" }],
    });
  });

  test("keeps all 64 bits of what a filter compares", () => {
    const value = 0xffff_ffff_ffff_fffen;
    const args = [{ index: 0, value, valueTwo: 0n, op: "SCMP_CMP_EQ" }];
    const seccomp = {
      defaultAction: "SCMP_ACT_ERRNO",
      defaultErrno: 1,
      syscalls: [{ names: ["read"], action: "SCMP_ACT_ALLOW", args }],
    };
    const pieces = configPieces(spec({ process: processSpec(["sh"]), linux: { seccomp } }), {
      cgroupsPath: "/b/id",
      size: undefined,
    });
    expect(pieces[0]).toContain('"value":18446744073709551614,');
    expect(pieces[0]).toContain('"defaultErrnoRet":1');
  });

  test("a hook keeps its words", () => {
    const hooks = [
      { name: "createRuntime", path: "/h", args: ["h", "x"], env: [], timeoutSeconds: 3 } as const,
    ];
    expect(configOf({ hooks }).hooks).toEqual({
      createRuntime: [{ path: "/h", args: ["h", "x"], env: [], timeout: 3 }],
    });
  });
});

test("text of users cannot leave its place", () => {
  const evil = '"],"user":{"uid":0},"x":["';
  const process = processSpec(["sh", evil], { env: [`A=${evil}`], cwd: evil });
  const read = whole(processPieces(process, { rows: 1, columns: 2 }));
  expect(read).toMatchObject({
    args: ["sh", evil],
    cwd: evil,
    env: [`A=${evil}`, "HOME=/h"],
    user: { uid: 7 },
  });
  expect(read.consoleSize).toBeUndefined();
});

test.each([
  [["PATH=/bin"], true],
  [["PATH=/bin", "HOME=/x"], false],
  [[], false],
])("the environment %j gets a home: %p", (env, expected) => {
  expect(lacksHome(processSpec(["sh"], { env }))).toBe(expected);
});

const CONTEXT = {
  name: "other",
  command: { path: "/r", args: ["--debug"] },
  root: "/state",
  cgroups: { version: 0 },
} as const;
const planOf = (changes: Parameters<typeof runtimeSpec>[2]) =>
  containerPlan(
    {
      id: "one",
      spec: spec(changes),
      host: { links: [], ports: [] },
      stdio: { terminal: false, openStdin: false, stdinOnce: false },
    },
    "b/one",
    CONTEXT,
  );

test("the runtime is run by argument vectors, its own words first", () => {
  const commands = planOf({ process: processSpec(["sh"]) }).flatMap((step) =>
    step.op === "runtime" ? [step.args.join(" ")] : [],
  );
  const head = "/r --debug --root /state --log runtime.log --log-format json";
  expect(commands).toEqual([
    `${head} create --bundle . --pid-file init.pid one`,
    `${head} start one`,
    `${head} delete --force one`,
  ]);
});

test("settings of a new network wait for its links, others do not", () => {
  const sysctl = { "net.ipv4.ip_forward": "1", "kernel.shmmax": "2" };
  const plan = planOf({ process: processSpec(["sh"]), linux: { sysctl } });
  const late = plan.filter(({ op }) => op === "sysctl");
  expect(late).toEqual([{ op: "sysctl", key: "net.ipv4.ip_forward", value: "1" }]);
  const bundle = plan.find((step) => step.op === "bundle");
  expect(bundle?.op === "bundle" && bundle.pieces[0]).toContain('"sysctl":{"kernel.shmmax":"2"}');
});

test.each([
  ["images as mounts", { tree: bindRoot("/i") }],
  ["mounts of a subpath", { subpath: "a" }],
  ["idmap", { uidMappings: [{ containerId: 0, hostId: 1, size: 1 }] }],
  ["shared", { options: ["rbind", "rshared"] }],
])("%s is refused by name", (words, change) => {
  const mount = { destination: "/m", type: "bind", source: "/s", options: ["rbind"], ...change };
  expect(() => planOf({ process: processSpec(["sh"]), mounts: [mount] })).toThrow(
    new RegExp(`with the runtime other: .*${words}.* not supported`),
  );
});

test("a user namespace is refused by name", () => {
  const root = { mount: bindRoot("/r"), readonly: false, isMapped: true };
  expect(() => planOf({ process: processSpec(["sh"]), root })).toThrow(
    /user namespaces are not supported.*--userns host/,
  );
});

test.each([
  [
    "executable file `nosuch` not found in $PATH: No such file or directory",
    'exec: "nosuch": executable file not found in $PATH',
  ],
  [
    "executable file `/no/such` not found in $PATH: No such file or directory",
    'exec: "/no/such": stat /no/such: no such file or directory',
  ],
  ["open executable: Operation not permitted", "open executable: permission denied"],
  [
    'runc create failed: exec: "x": executable file not found in $PATH',
    'exec: "x": executable file not found in $PATH',
  ],
])("a runtime's %j is told in Docker's words", (said, expected) => {
  const fault = runtimeFault("r", said);
  expect(fault.message).toEndWith(expected);
  expect(fault.kind).toBe("invalid");
});
