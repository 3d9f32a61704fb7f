import { describe, expect, test } from "bun:test";
import { volumesOf } from "../../../src/cli/create/mounts.ts";
import { added, body } from "./create-words.ts";

describe("volumes", () => {
  test("that name no owners for idmap name the caller", () => {
    const by = { uid: 1000, gid: 100 };
    expect(volumesOf(["./a:/b:ro,idmap", "/x:/y:idmap=uids=1-2-3", "/anonymous"], "/work", by)).toEqual({
      binds: ["/work/a:/b:ro,idmap=uids=1000-0-1;gids=100-0-1", "/x:/y:idmap=uids=1-2-3"],
      anonymous: ["/anonymous"],
    });
  });
});

describe("mounts", () => {
  test.each<[string, Record<string, unknown>]>([
    ["type=bind,src=/a,dst=/b,readonly", { Type: "bind", Source: "/a", Target: "/b", ReadOnly: true }],
    ["type=bind,source=./a,target=/b", { Type: "bind", Source: "/work/a", Target: "/b" }],
    ["dst=/b", { Type: "volume", Target: "/b" }],
    [
      'type=volume,src=v,dst=/b,volume-nocopy,volume-label=a=b,"volume-opt=o=x,y"',
      {
        Type: "volume",
        Source: "v",
        Target: "/b",
        VolumeOptions: { NoCopy: true, Labels: { a: "b" }, DriverConfig: { Options: { o: "x,y" } } },
      },
    ],
    [
      "type=tmpfs,dst=/b,tmpfs-size=64m,tmpfs-mode=1777",
      { Type: "tmpfs", Target: "/b", TmpfsOptions: { SizeBytes: 64 << 20, Mode: 0o1777 } },
    ],
    [
      "type=bind,src=/a,dst=/b,bind-recursive=disabled",
      { Type: "bind", Source: "/a", Target: "/b", BindOptions: { NonRecursive: true } },
    ],
    [
      "type=bind,src=/a,dst=/b,ro=1,bind-recursive=writable,bind-propagation=RSLAVE",
      {
        Type: "bind",
        Source: "/a",
        Target: "/b",
        ReadOnly: true,
        BindOptions: { ReadOnlyNonRecursive: true, Propagation: "rslave" },
      },
    ],
    [
      "type=bind,src=/a,dst=/b,readonly=true,bind-recursive=readonly,bind-propagation=rprivate",
      {
        Type: "bind",
        Source: "/a",
        Target: "/b",
        ReadOnly: true,
        BindOptions: { ReadOnlyForceRecursive: true, Propagation: "rprivate" },
      },
    ],
    ["type=bind,src=/a,dst=/b,bind-recursive=enabled", { Type: "bind", Source: "/a", Target: "/b" }],
    [
      "type=bind,src=/a,dst=/b,bind-create-src,consistency=Cached",
      {
        Type: "bind",
        Source: "/a",
        Target: "/b",
        Consistency: "cached",
        BindOptions: { CreateMountpoint: true },
      },
    ],
    [
      "type=bind,src=/a,dst=/b,idmap=uids=0-1-10#10-11-10;gids=0-100-10",
      {
        Type: "bind",
        Source: "/a",
        Target: "/b",
        BindOptions: { IdMap: "uids=0-1-10#10-11-10;gids=0-100-10" },
      },
    ],
    [
      "type=bind,src=/a,dst=/b,idmap",
      {
        Type: "bind",
        Source: "/a",
        Target: "/b",
        BindOptions: { IdMap: `uids=${process.getuid?.()}-0-1;gids=${process.getgid?.()}-0-1` },
      },
    ],
    [
      "type=bind,src=/a,dst=/b,bind-idmap",
      { Type: "bind", Source: "/a", Target: "/b", BindOptions: { IDMapping: { Source: "match-user" } } },
    ],
    [
      "type=bind,src=/a,dst=/b,bind-idmap=match-user:1:2",
      {
        Type: "bind",
        Source: "/a",
        Target: "/b",
        BindOptions: { IDMapping: { Source: "match-user", User: "1:2" } },
      },
    ],
    [
      "type=image,src=busybox,dst=/b,image-subpath=bin",
      { Type: "image", Source: "busybox", Target: "/b", ImageOptions: { Subpath: "bin" } },
    ],
    [
      "type=volume,src=v,dst=/b,volume-subpath=a/b,volume-driver=local,volume-nocopy=false",
      {
        Type: "volume",
        Source: "v",
        Target: "/b",
        VolumeOptions: { Subpath: "a/b", NoCopy: false, DriverConfig: { Name: "local" } },
      },
    ],
    [
      "type=tmpfs,dst=/b,tmpfs-opt=exec",
      { Type: "tmpfs", Target: "/b", TmpfsOptions: { Options: [["exec"]] } },
    ],
    ["TYPE=tmpfs,DST=/b", { Type: "tmpfs", Target: "/b" }],
  ])("%p", (text, mount) => {
    expect(added(["--mount", text]).Mounts).toEqual([mount] as never);
  });

  test.each([
    ["foo", "invalid field 'foo' must be a key=value pair"],
    ["type=bind", "target is required"],
    ["type=bind,dst=/b,ro=maybe", "invalid value for ro: maybe"],
    ["type=bind,dst=/b,volume-nocopy", "cannot mix 'volume-*' options with mount type 'bind'"],
    ["type=tmpfs,dst=/b,tmpfs-size=x", "invalid value for tmpfs-size: x"],
    ["type=tmpfs,dst=/b,tmpfs-mode=8", "invalid value for tmpfs-mode: 8"],
    ["type=volume,dst=/b,bind-propagation=shared", "cannot mix 'bind-*' options with mount type 'volume'"],
    ["type=bind,dst=/b,tmpfs-size=1m", "cannot mix 'tmpfs-*' options with mount type 'bind'"],
    ["type=bind,dst=/b,image-subpath=x", "cannot mix 'image-*' options with mount type 'bind'"],
    [
      "type=bind,dst=/b,bind-recursive=maybe",
      'invalid value for bind-recursive: maybe (must be "enabled", "disabled", "writable", or "readonly")',
    ],
    [
      "type=bind,dst=/b,bind-recursive=writable",
      "option 'bind-recursive=writable' requires 'readonly' to be specified in conjunction",
    ],
    [
      "type=bind,dst=/b,bind-recursive=readonly",
      "option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction",
    ],
    [
      "type=bind,dst=/b,ro,bind-recursive=readonly",
      "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction",
    ],
    ["type=bind,dst=/b,src=", "invalid value for 'src': value is empty"],
    ["type=bind, dst=/b", "invalid option 'dst' in ' dst=/b': option should not have whitespace"],
    ["type=bind,dst=/b ", "invalid value for 'dst' in 'dst=/b ': value should not have whitespace"],
    [
      "type=bind,dst=/b,bind-idmap=me",
      `invalid value for 'bind-idmap': "me" (must be "match-user", "match-user:USER", or "userns")`,
    ],
    ["type=bind,dst=/b,bind-idmap=userns:1", `"userns" does not take a user`],
    ["type=bind,dst=/b,U=true", "unexpected key 'u' in 'U=true'"],
    ["type=volume,dst=/b,volume-sub=x", "unexpected key 'volume-sub' in 'volume-sub=x'"],
  ])("%p is refused", (text, message) => {
    expect(() => body(["--mount", text])).toThrow(message);
  });
});
