import { describe, expect, test } from "bun:test";
import { validateHostSpec } from "../../../src/jobs/container/validate.ts";
import { parseSet, resourceWarnings } from "../../../src/jobs/container/validate-resources.ts";
import { containerView } from "../../fakes/container-view.ts";

const { spec } = containerView().container;
type Spec = typeof spec;
type Host = Spec["host"];

const check = (host: Partial<Host>, changes: Partial<Spec> = {}) =>
  validateHostSpec({ ...spec, ...changes, host: { ...spec.host, ...host } });
const MB = 1024 * 1024;

describe("a request", () => {
  test("for nothing special is accepted without a word", () => expect(check({})).toEqual([]));

  for (const [title, host, words] of [
    ["little memory", { resources: { memory: 5 * MB } }, "Minimum memory limit allowed is 6MB"],
    [
      "less memory with swap than without",
      { resources: { memory: 20 * MB, memorySwap: 10 * MB } },
      "Minimum memoryswap limit",
    ],
    ["swap without memory", { resources: { memorySwap: 10 * MB } }, "always set the Memory limit"],
    ["a strange swappiness", { resources: { memorySwappiness: 101 } }, "0-100"],
    [
      "a reservation above the limit",
      { resources: { memory: 10 * MB, memoryReservation: 20 * MB } },
      "memory reservation",
    ],
    ["a little reservation", { resources: { memoryReservation: 1 } }, "Minimum memory reservation"],
    ["too many processors", { resources: { nanoCpus: 1e15 } }, "Range of CPUs"],
    ["less than no processor", { resources: { nanoCpus: -1 } }, "Range of CPUs"],
    ["processors in two ways", { resources: { nanoCpus: 1e9, cpuQuota: 5000 } }, "Nano CPUs and CPU Quota"],
    [
      "processors in two other ways",
      { resources: { nanoCpus: 1e9, cpuPeriod: 5000 } },
      "Nano CPUs and CPU Period",
    ],
    ["a short period", { resources: { cpuPeriod: 999 } }, "CPU cfs period"],
    ["a small quota", { resources: { cpuQuota: 999 } }, "CPU cfs quota"],
    ["negative shares", { resources: { cpuShares: -1 } }, "CPU shares"],
    ["a malformed set", { resources: { cpusetCpus: "0-" } }, "Invalid value 0- for cpuset cpus"],
    [
      "processors that are not there",
      { resources: { cpusetCpus: "8000" } },
      "Requested CPUs are not available",
    ],
    ["a strange weight", { resources: { blkioWeight: 5 } }, "10 to 1000"],
    ["a negative /dev/shm", { shmSizeBytes: -1 }, "SHM size"],
    ["a strange badness", { oomScoreAdj: 1001 }, "range for oom score adj"],
    ["an unknown capability", { capAdd: ["NO_SUCH"] }, "NO_SUCH"],
    ["an unknown capability to drop", { capDrop: ["NO_SUCH"] }, "NO_SUCH"],
    ["an unknown limit", { ulimits: [{ name: "files", soft: 1, hard: 1 }] }, "invalid ulimit type: files"],
    ["a soft limit above the hard one", { ulimits: [{ name: "nofile", soft: 2, hard: 1 }] }, "2 > 1"],
    [
      "an unlimited soft limit below a hard one",
      { ulimits: [{ name: "core", soft: -1, hard: 1 }] },
      "-1 > 1",
    ],
    ["a strange PID mode", { pidMode: "guest" }, "invalid PID mode: guest"],
    ["a strange IPC mode", { ipcMode: "container:" }, "invalid IPC mode"],
    ["a strange UTS mode", { utsMode: "private" }, "invalid UTS mode"],
    ["a strange user mode", { usernsMode: "keep-id" }, "invalid USER mode"],
    ["a strange cgroup mode", { cgroupnsMode: "x" }, "invalid CGROUP mode"],
    ["a parent group that climbs", { cgroupParent: "/a/../b" }, "invalid cgroup parent"],
    [
      "a strange device mode",
      { devices: [{ hostPath: "/dev/null", containerPath: "", permissions: "x" }] },
      "invalid device mode: x",
    ],
    ["a strange device rule", { deviceCgroupRules: ["c 1:3"] }, "invalid device cgroup rule"],
    ["an unknown security option", { securityOptions: ["shields=up"] }, "shields=up"],
    ["a damaged filter", { securityOptions: ["seccomp={"] }, "Decoding seccomp profile failed"],
    ["a setting of the host's", { sysctls: { "kernel.panic": "1" } }, "kernel.panic"],
    ["a setting that climbs", { sysctls: { "net/../kernel/panic": "1" } }, "no name of a kernel setting"],
    [
      "a setting of the host's network",
      { networkMode: "host", sysctls: { "net.ipv4.ip_forward": "1" } },
      "host's network",
    ],
    ["a setting of the host's IPC", { ipcMode: "host", sysctls: { "kernel.shmmax": "1" } }, "host's IPC"],
    ["two settings in one", { sysctls: { "net.ipv4.ip_forward": "1\n2" } }, "line break"],
  ] as const)
    test(`for ${title} is refused`, () => expect(() => check(host)).toThrow(words));

  for (const [title, changes, words] of [
    ["an environment without a name", { env: ["=x"] }, "invalid environment variable: =x"],
    ["a relative place to work", { workingDirectory: "tmp" }, "absolute path"],
    ["a long name", { hostname: "x".repeat(65) }, "invalid hostname"],
    ["a name with a blank", { domainname: "a b" }, "invalid domainname"],
  ] as const)
    test(`for ${title} is refused`, () => expect(() => check({}, changes)).toThrow(words));

  test("for a name is refused when the host's is used", () => {
    expect(() => check({ utsMode: "host" }, { hostname: "x" })).toThrow("hostname and the UTS mode");
  });

  for (const [title, host] of [
    ["sizes", { resources: { memory: 6 * MB, memorySwap: -1, memoryReservation: 6 * MB, pidsLimit: -1 } }],
    ["half a processor", { resources: { nanoCpus: 5e8, cpusetCpus: "0" } }],
    [
      "settings of its own",
      {
        sysctls: {
          "net.ipv4.ip_forward": "1",
          "kernel.shmmax": "1",
          "fs.mqueue.msg_max": "2",
          "kernel.sem": "1 2 3 4",
        },
      },
    ],
    ["a setting in the other spelling", { sysctls: { "net/ipv4/ip_forward": "1" } }],
    [
      "limits",
      {
        ulimits: [
          { name: "nofile", soft: 1, hard: -1 },
          { name: "core", soft: -1, hard: -1 },
        ],
      },
    ],
  ] as const)
    test(`for ${title} is accepted`, () => expect(check(host)).toEqual([]));

  test("for a label is accepted with a warning", () => {
    expect(check({ securityOptions: ["label=disable"] })).toEqual([
      expect.stringContaining("Label discarded"),
    ]);
  });
});

describe("what a kernel cannot do", () => {
  const warnings = (resources: Host["resources"], version: 0 | 2) =>
    resourceWarnings(
      { ...spec.host, resources },
      version === 2 ? { version, mountpoint: "/cg" } : { version },
    );

  test("is said of v2", () => {
    expect(warnings({ memorySwappiness: 10 }, 2)).toEqual([expect.stringContaining("swappiness discarded")]);
    expect(warnings({ oomKillDisable: true }, 2)).toEqual([
      expect.stringContaining("OomKillDisable discarded"),
    ]);
  });

  test("is said of a host without groups, and only when something was asked", () => {
    expect(warnings({ memory: 10 * MB }, 0)).toEqual([expect.stringContaining("Limits discarded")]);
    expect(warnings({ memory: 0, memorySwappiness: -1, cpusetCpus: "" }, 0)).toEqual([]);
  });
});

describe("a list of processors", () => {
  for (const [text, expected] of [
    ["0", [0]],
    ["0-2,5", [0, 1, 2, 5]],
    ["3,1", [3, 1]],
    ["", undefined],
    ["2-1", undefined],
    ["a", undefined],
    ["0,,1", undefined],
    ["0-99999", undefined],
    ["-1", undefined],
  ] as const)
    test(`"${text}"`, () => {
      const numbers = parseSet(text);
      expect(numbers === undefined ? undefined : [...numbers]).toEqual(
        expected === undefined ? undefined : [...expected],
      );
    });
});
