import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { LaunchSettings, LogSink, Plan, Step } from "#libcontainer";
import { launcherPath } from "../../../src/libcontainer/executable.ts";
import {
  decodeReport,
  encodeNetlink,
  encodePlan,
  OPS,
  REPORT_BYTES,
} from "../../../src/libcontainer/wire.ts";

const SETTINGS: LaunchSettings = {
  stateDirectory: "/run/x",
  socketName: "attach.sock",
  terminal: false,
  openStdin: true,
  stdinOnce: true,
};
const header = () => readFileSync("src/libcontainer/launcher/step.h", "utf8");

interface Decoded {
  readonly op: number;
  readonly args: readonly Buffer[];
}

/** The format again, from its description. */
function decode(bytes: Uint8Array): readonly Decoded[] {
  const view = Buffer.from(bytes);
  expect(view.toString("latin1", 0, 4)).toBe("BNK1");
  expect(view.readUInt32LE(4)).toBe(view.length - 8);
  const steps: Decoded[] = [];
  for (let at = 8; at < view.length; ) {
    const op = view.readUInt32LE(at);
    const args: Buffer[] = [];
    const count = view.readUInt32LE(at + 4);
    at += 8;
    for (let index = 0; index < count; index++) {
      const length = view.readUInt32LE(at);
      args.push(view.subarray(at + 4, at + 4 + length));
      at += 4 + length;
    }
    steps.push({ op, args });
  }
  return steps;
}

const u64 = (value: bigint | number) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
  return bytes;
};
const text = (value: string) => Buffer.from(value.replace(/\|/g, "\0"));

const CASES: readonly (readonly [Step, readonly Buffer[]])[] = [
  [{ op: "cgroup", path: "/a" }, [text("/a|")]],
  [
    { op: "bundle", name: "c", pieces: ["{", ",", "}"], addsHome: true },
    [text("c|"), text("{|"), text(",|"), text("}|"), u64(1)],
  ],
  [
    { op: "runtime", verb: "create", namespaces: ["net"], args: ["/r", "create"] },
    [u64(1), u64(0x40000000), text("/r|create|")],
  ],
  [{ op: "runtime", verb: "exec", namespaces: [], args: ["/r"] }, [u64(4), u64(0), text("/r|")]],
  [{ op: "write", path: "/a", value: "1", optional: true }, [text("/a|"), text("1|"), u64(1)]],
  [{ op: "join", namespace: "net", path: "/proc/9/ns/net" }, [u64(0x40000000), text("/proc/9/ns/net|")]],
  [
    {
      op: "bind",
      source: "/s",
      target: "/t",
      recursive: true,
      readonly: false,
      recursiveReadonly: false,
      flags: 2,
      propagation: 0x44000,
      subpath: "a/b",
      owners: { uid: "1 0 1\n", gid: "" },
    },
    [
      text("/s|"),
      text("/t|"),
      u64(1),
      u64(0),
      u64(0),
      u64(2),
      u64(0x44000),
      text("a/b|"),
      text("1 0 1\n|"),
      text("|"),
    ],
  ],
  [
    {
      op: "image",
      mount: { type: "overlay", source: "overlay", flags: 1, options: ["lowerdir+=a", "x"], directory: "/d" },
      target: "/t",
      subpath: "bin",
    },
    [
      text("overlay|"),
      text("overlay|"),
      u64(1),
      text("lowerdir+=a|x|"),
      text("/d|"),
      text("/t|"),
      text("bin|"),
      text("|"),
      text("|"),
    ],
  ],
  [{ op: "clone", namespaces: ["mnt", "pid", "net", "user"] }, [u64(0x70020000)]],
  [{ op: "mask", target: "/proc/kcore" }, [text("/proc/kcore|")]],
  [{ op: "pivot" }, [u64(1 << 18)]],
  [{ op: "oom-score", adjust: -5 }, [u64(-5)]],
  [
    { op: "mount", type: "tmpfs", source: "s", target: "/t", flags: 2, data: "a=b" },
    [text("tmpfs|"), text("s|"), text("/t|"), u64(2), text("a=b|"), u64(0)],
  ],
  [
    { op: "mount", type: "tmpfs", source: "s", target: "/t", flags: 2, data: "", mode: 0 },
    [text("tmpfs|"), text("s|"), text("/t|"), u64(2), text("|"), u64(1)],
  ],
  [
    { op: "rlimit", resource: 7, soft: 1n, hard: 0xffffffffffffffffn },
    [u64(7), u64(1), u64(0xffffffffffffffffn), u64(0)],
  ],
  [{ op: "user", user: "ann", groups: ["a", "b"] }, [text("ann|"), text("a|b|")]],
  [{ op: "exec", args: ["sh", ""], env: [], init: true }, [text("sh||"), text(""), u64(1)]],
  [{ op: "seccomp", program: Uint8Array.of(1, 2), flags: 4 }, [Buffer.from([1, 2]), u64(4)]],
];

describe("the wire", () => {
  test("numbers every step as the launcher does", () => {
    for (const [name, number] of Object.entries(OPS))
      expect(header()).toContain(`OP_${name.toUpperCase().replaceAll("-", "_")} = ${number},`);
    expect(header().match(/\bOP_\w+ = \d+/g)?.length).toBe(Object.keys(OPS).length);
  });

  test.each(CASES.map(([step, args]) => [step.op, step, args] as const))("encodes %s", (_op, step, args) => {
    const [, encoded] = decode(encodePlan(SETTINGS, [step]));
    expect(encoded).toEqual({ op: OPS[step.op], args });
  });

  test("begins with the settings", () => {
    const [settings] = decode(encodePlan(SETTINGS, []));
    expect(settings?.args.map((part) => part.toString("latin1"))).toEqual([
      ...["/run/x\0", "attach.sock\0", "\0", "\0", u64(6).toString("latin1")],
      ...[u64(0), u64(0), u64(0)].map(String),
      "\0",
    ]);
  });

  test("ends with where the log goes, so that the steps of the plan keep their numbers", () => {
    const attributes = Buffer.from('{"a":"b"}');
    const socket: LogSink = {
      kind: "syslog",
      type: "datagram",
      address: Uint8Array.of(1, 0, 47),
      bufferBytes: 9,
      isBlocking: true,
      heads: { stdout: Buffer.from("<30>"), stderr: Buffer.from("<27>") },
      stamp: "microseconds",
      tail: " x: ",
    };
    const log: readonly LogSink[] = [
      { kind: "local", path: "/log", maxBytes: 10, maxFiles: 3, compress: true, attributes },
      socket,
    ];
    const steps = decode(encodePlan({ ...SETTINGS, log }, [{ op: "mask", target: "/x" }]));
    expect(steps.slice(1)).toEqual([
      { op: OPS.mask, args: [text("/x|")] },
      { op: OPS["log-file"], args: [u64(2), text("/log|"), u64(10), u64(3), u64(1), attributes] },
      {
        op: OPS["log-socket"],
        args: [
          ...[u64(2), u64(2), Buffer.from([1, 0, 47]), u64(9), u64(1)],
          ...[Buffer.from("<30>"), Buffer.from("<27>"), u64(3), Buffer.from(" x: ")],
        ],
      },
    ]);
  });

  test("leaves the namespaces of a target to its descriptor", () => {
    const target = { pid: 7, startTicks: "1" };
    const join = (path: string): Plan => [{ op: "join", namespace: "net", path }];
    const pathOf = (plan: Plan) => decode(encodePlan({ ...SETTINGS, target }, plan))[1]?.args[1]?.toString();
    expect(pathOf(join("/proc/7/ns/net"))).toBe("\0");
    expect(pathOf(join("/proc/8/ns/net"))).toBe("/proc/8/ns/net\0");
  });

  test("grows beyond its first room", () => {
    const env = Array.from({ length: 2000 }, (_, index) => `NAME${index}=${"x".repeat(100)}`);
    const [, exec] = decode(encodePlan(SETTINGS, [{ op: "exec", args: ["a"], env, init: false }]));
    expect(exec?.args[1]?.toString()).toBe(env.map((line) => `${line}\0`).join(""));
  });

  test("refuses a text with NUL, which would be two for the launcher", () => {
    const plan: Plan = [{ op: "exec", args: ["a\0b"], env: [], init: false }];
    expect(() => encodePlan(SETTINGS, plan)).toThrow(/NUL/);
  });

  test("words netlink patches and tolerated errors", () => {
    const [step] = decode(
      encodeNetlink([
        {
          op: "netlink",
          netns: "host",
          message: Uint8Array.of(9),
          patches: [
            { offset: 4, kind: "index", name: "br0" },
            { offset: 8, kind: "netns" },
          ],
          tolerate: [17],
          purpose: "try",
        },
      ]),
    );
    const patches = Buffer.from([4, 0, 0, 0, 1, 0, 0, 0, 98, 114, 48, 0, 8, 0, 0, 0, 2, 0, 0, 0, 0]);
    expect(step?.args.slice(1, 4)).toEqual([Buffer.from([9]), patches, Buffer.from([17, 0, 0, 0])]);
  });
});

describe("a report", () => {
  const report = (kind: number, fields: (bytes: Buffer) => void) => {
    const bytes = Buffer.alloc(REPORT_BYTES);
    bytes.writeUInt32LE(kind, 0);
    fields(bytes);
    return decodeReport(bytes);
  };

  test("tells pid and start time", () => {
    const decoded = report(1, (bytes) => {
      bytes.writeUInt32LE(77, 16);
      bytes.write("12345", 20);
    });
    expect(decoded).toEqual({ kind: "cloned", pid: 77, startTicks: "12345" });
  });

  test("tells the step that failed, counted without the settings", () => {
    const decoded = report(4, (bytes) => {
      bytes.writeUInt32LE(3, 4);
      bytes.writeUInt32LE(OPS.mount, 8);
      bytes.writeInt32LE(13, 12);
      bytes.write("why", 44);
    });
    expect(decoded).toEqual({ kind: "failed", step: 2, op: OPS.mount, errno: 13, detail: "why" });
  });

  test.each([Buffer.alloc(0), Buffer.alloc(REPORT_BYTES), Buffer.alloc(REPORT_BYTES, 9)])(
    "is refused when malformed",
    (bytes) => {
      expect(() => decodeReport(bytes)).toThrow(/malformed/);
    },
  );
});

describe("the launcher's own reading", () => {
  const EPROTO = 71;
  const sound = Buffer.from(encodePlan(SETTINGS, [{ op: "mask", target: "/x" }]));
  const changed = (change: (bytes: Buffer) => void) => {
    const bytes = Buffer.from(sound);
    change(bytes);
    return bytes;
  };
  /** Where the last step starts: op, count, length, "/x\0". */
  const last = sound.length - 15;

  test.each([
    ["another magic", changed((bytes) => bytes.write("BNK2"))],
    ["a length over the limit", changed((bytes) => bytes.writeUInt32LE(0x7fffffff, 4))],
    ["an unknown step", changed((bytes) => bytes.writeUInt32LE(99, last))],
    ["too many arguments", changed((bytes) => bytes.writeUInt32LE(2, last + 4))],
    ["an argument beyond the end", changed((bytes) => bytes.writeUInt32LE(400, last + 8))],
    ["an argument that wraps around", changed((bytes) => bytes.writeUInt32LE(0xfffffffc, last + 8))],
    ["a string without its NUL", changed((bytes) => bytes.write("y", sound.length - 1))],
    ["a string with two", changed((bytes) => bytes.write("\0", last + 12))],
    [
      "no settings at the head",
      Buffer.concat([Buffer.from("BNK1\x0f\0\0\0", "latin1"), sound.subarray(last)]),
    ],
  ])("refuses %s", (_what, bytes) => {
    const { stdout, exitCode } = Bun.spawnSync([launcherPath(), "supervise"], {
      stdin: bytes,
      stdout: "pipe",
    });
    expect(decodeReport(stdout)).toMatchObject({ kind: "failed", errno: EPROTO });
    expect(exitCode).toBe(1);
  });

  test("refuses a plan that is cut off", () => {
    const { stdout } = Bun.spawnSync([launcherPath(), "supervise"], {
      stdin: sound.subarray(0, 40),
      stdout: "pipe",
    });
    expect(decodeReport(stdout)).toMatchObject({ kind: "failed" });
  });
});
