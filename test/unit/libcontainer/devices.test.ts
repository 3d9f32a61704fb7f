import { describe, expect, test } from "bun:test";
import {
  deviceNumbers,
  hostDevices,
  parseDeviceRequest,
  parseDeviceRule,
  resolveDevices,
} from "#libcontainer";

describe("a device request", () => {
  for (const [text, hostPath, containerPath, permissions] of [
    ["/dev/fuse", "/dev/fuse", "/dev/fuse", "rwm"],
    ["/dev/sda:/dev/xvda", "/dev/sda", "/dev/xvda", "rwm"],
    ["/dev/sda:/dev/xvda:r", "/dev/sda", "/dev/xvda", "r"],
    ["/dev/sda:rw", "/dev/sda", "/dev/sda", "rw"],
    ["/dev/sda::m", "/dev/sda", "/dev/sda", "m"],
  ] as const)
    test(`"${text}"`, () =>
      expect(parseDeviceRequest(text)).toEqual({ hostPath, containerPath, permissions }));

  for (const text of [
    "",
    "dev/sda",
    "/dev/sda:xvda",
    "/dev/sda:/dev/x:rwx",
    "/dev/sda:/dev/x:rr",
    "/a:/b:r:w",
    "/a:/b:",
  ])
    test(`"${text}" is refused`, () =>
      expect(() => parseDeviceRequest(text)).toThrow("invalid device specification"));
});

describe("a device rule", () => {
  for (const [text, rule] of [
    ["c 1:3 rwm", { type: "c", major: 1, minor: 3, access: "rwm" }],
    ["b 8:* r", { type: "b", major: 8, access: "r" }],
    ["c *:* m", { type: "c", access: "m" }],
    ["a *:* rwm", { type: "a", access: "rwm" }],
  ] as const)
    test(`"${text}"`, () => expect(parseDeviceRule(text)).toEqual({ allow: true, ...rule }));

  for (const text of [
    "",
    "d 1:3 r",
    "c 1:3",
    "c 1:3 x",
    "c 1 r",
    "c  1:3 r",
    "c 1:3 rr",
    "c -1:3 r",
    "a 1:3 r",
    "a *:* r",
  ])
    test(`"${text}" is refused`, () =>
      expect(() => parseDeviceRule(text)).toThrow("invalid device cgroup rule"));
});

describe("devices of this host", () => {
  test("are found by path, with their numbers", () => {
    const { nodes, rules } = resolveDevices([
      { hostPath: "/dev/null", containerPath: "/dev/nil", permissions: "r" },
    ]);
    expect(nodes).toMatchObject([{ path: "/dev/nil", type: "c", major: 1, minor: 3 }]);
    expect(rules).toEqual([{ allow: true, type: "c", major: 1, minor: 3, access: "r" }]);
  });

  test("are all found that a directory holds, and others not", () => {
    const paths = hostDevices().map(({ path }) => path);
    expect(paths).toContain("/dev/null");
    expect(paths.filter((path) => /^\/dev\/(pts|shm|mqueue|console|ptmx)/.test(path))).toEqual([]);
  });

  for (const path of ["/dev/no-such-device", "/etc/passwd", "/var/empty-of-devices"])
    test(`are refused when ${path} is none`, () => {
      expect(() => resolveDevices([{ hostPath: path, containerPath: path, permissions: "r" }])).toThrow(path);
    });

  test("have numbers beyond eight bits", () => {
    expect(deviceNumbers(0x103n)).toEqual({ major: 1, minor: 3 });
    expect(deviceNumbers(0x1111_0370n)).toEqual({ major: 259, minor: 70_000 });
  });
});
