import { describe, expect, test } from "bun:test";
import { MS, parseMountOptions, propagationFlags } from "#libcontainer";

const NONE = {
  isBind: false,
  isRecursive: false,
  isReadonly: false,
  isRecursiveReadonly: false,
  flags: 0,
  propagation: 0,
  data: "",
};

describe("mount options", () => {
  for (const [words, expected] of [
    ["", {}],
    ["defaults", {}],
    ["ro", { isReadonly: true, flags: MS.RDONLY }],
    ["ro,rw", {}],
    ["rw,ro", { isReadonly: true, flags: MS.RDONLY }],
    ["nosuid,nodev,noexec", { flags: MS.NOSUID | MS.NODEV | MS.NOEXEC }],
    ["nosuid,nodev,noexec,exec,suid,dev", {}],
    ["relatime", { flags: MS.RELATIME }],
    ["strictatime", { flags: MS.STRICTATIME }],
    ["noatime,nodiratime", { flags: MS.NOATIME | MS.NODIRATIME }],
    ["noatime,atime", {}],
    ["bind", { isBind: true }],
    ["rbind", { isBind: true, isRecursive: true }],
    ["rbind,ro", { isBind: true, isRecursive: true, isReadonly: true, flags: MS.RDONLY }],
    [
      "rbind,rro",
      { isBind: true, isRecursive: true, isReadonly: true, isRecursiveReadonly: true, flags: MS.RDONLY },
    ],
    ["rro,rw", {}],
    ["private", { propagation: MS.PRIVATE }],
    ["rprivate", { propagation: MS.PRIVATE | MS.REC }],
    ["slave", { propagation: MS.SLAVE }],
    ["rslave", { propagation: MS.SLAVE | MS.REC }],
    ["shared", { propagation: MS.SHARED }],
    ["rshared", { propagation: MS.SHARED | MS.REC }],
    ["unbindable", { propagation: MS.UNBINDABLE }],
    ["runbindable", { propagation: MS.UNBINDABLE | MS.REC }],
    ["rprivate,rslave", { propagation: MS.SLAVE | MS.REC }],
    ["size=64m,mode=1777", { data: "size=64m,mode=1777" }],
    ["uid=1,nosuid,gid=2,nr_inodes=3", { flags: MS.NOSUID, data: "uid=1,gid=2,nr_inodes=3" }],
    ["newinstance,ptmxmode=0666", { data: "newinstance,ptmxmode=0666" }],
    ["sync,dirsync,mand,lazytime", { flags: MS.SYNCHRONOUS | MS.DIRSYNC | MS.MANDLOCK | MS.LAZYTIME }],
    ["nosymfollow", { flags: MS.NOSYMFOLLOW }],
    ["constructor,toString", { data: "constructor,toString" }],
  ] as const)
    test(`"${words}"`, () => expect(parseMountOptions(words.split(","))).toEqual({ ...NONE, ...expected }));

  test("propagation words are told from others", () => {
    expect(propagationFlags("rslave")).toBe(MS.SLAVE | MS.REC);
    expect(propagationFlags("ro")).toBeUndefined();
    expect(propagationFlags("constructor")).toBeUndefined();
  });
});
