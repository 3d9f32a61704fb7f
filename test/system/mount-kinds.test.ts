import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { type HostPart, PATIENCE } from "../fixtures/host-part.ts";
import { type MountHouse, openMountHouse } from "../fixtures/mount-house.ts";

/** Each kind of mount besides binds, where mounts go, and what is said of them. */

setDefaultTimeout(PATIENCE);
let house: MountHouse;
let part: HostPart;

beforeAll(async () => {
  house = await openMountHouse();
  part = house.part;
}, PATIENCE);
afterAll(() => house?.[Symbol.asyncDispose](), PATIENCE);

const sh = (script: string) => ["sh", "-c", script];

describe("tmpfs", () => {
  test("takes options, a mode of its own, or that of the folder it covers", async () => {
    const words = [
      ...["--tmpfs", "/a:size=1m,mode=700,uid=5,exec", "--tmpfs", "/etc", "--tmpfs", "/new"],
      ...["--mount", "type=tmpfs,dst=/b,tmpfs-size=65536,tmpfs-mode=1770,tmpfs-opt=exec"],
      ...["--mount", "type=tmpfs,dst=/c,readonly"],
    ];
    const script = "stat -c '%a %u' /a /etc /new /b; grep -E ' /(a|b|c) ' /proc/self/mounts; touch /c/x";
    const lines = (await house.run(words, `${script} 2>/dev/null; true`)).split("\n");
    expect(lines.slice(0, 4)).toEqual(["700 5", "755 0", "1777 0", "1770 0"]);
    expect(lines.slice(4).sort()).toEqual([
      expect.stringMatching(/^tmpfs \/a tmpfs rw,nosuid,nodev,relatime,size=1024k,mode=700,uid=5/),
      expect.stringMatching(/^tmpfs \/b tmpfs rw,nosuid,nodev,relatime,size=64k,mode=1770/),
      expect.stringMatching(/^tmpfs \/c tmpfs ro,nosuid,nodev,noexec,relatime/),
    ]);
  });
});

describe("images", () => {
  test("are seen whole or in part, and nobody writes to them", async () => {
    const script = "ls /img; touch /img/x 2>/dev/null || echo refused; ls /part; head -c 4 /file | tail -c 3";
    const words = [
      ...["--mount", "type=image,src=layered,dst=/img"],
      ...["--mount", "type=image,source=layered,target=/part,image-subpath=bin"],
      ...["--mount", "type=image,source=layered,target=/file,image-subpath=bin/busybox"],
    ];
    expect(await house.run(words, script)).toBe("bin\ndata\nrefused\nbusybox\nsh\ntrue\nELF");
    expect(await house.refused("--mount", "type=image,src=layered,dst=/x,image-subpath=none")).toContain(
      "no such file or directory",
    );
    expect(await house.refused("--mount", "type=image,src=layered,dst=/x,image-subpath=../x")).toContain(
      "subpath must be a relative path within the volume",
    );
  });

  test("stay while a container mounts them", async () => {
    const { daemon } = part;
    await daemon.ok(
      "create",
      "--name",
      "viewer",
      "--mount",
      "type=image,src=layered,dst=/img",
      "busybox",
      "ls",
      "/img",
    );
    expect(await daemon.cli("rmi", "layered")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("must force"),
    });
    const all = encodeURIComponent(JSON.stringify({ dangling: ["false"] }));
    await part.ask("POST", `/images/prune?filters=${all}`);
    await daemon.ok("rmi", "-f", "layered");
    expect(await daemon.ok("start", "-a", "viewer")).toBe("bin\ndata");
    const { Mounts, Image } = await daemon.json<{ Image: string; Mounts: { Type: string }[] }>(
      "/containers/viewer/json",
    );
    const [mount] = Mounts;
    expect(mount).toEqual({
      Type: "image",
      Name: "layered",
      Source: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      Destination: "/img",
      Mode: "",
      RW: false,
      Propagation: "",
    } as never);
    expect(Image).not.toBe((mount as unknown as { Source: string }).Source);
    await daemon.ok("rm", "viewer");
    await part.pull("layered");
  });
});

describe("volumes", () => {
  test("volume-subpath is a part of the volume, and never more", async () => {
    const { daemon } = part;
    await daemon.ok("volume", "create", "parts");
    const make =
      "mkdir -p /v/a/b && echo deep > /v/a/b/deep && ln -s a/b /v/in && ln -s /etc /v/out && ln -s ../../../etc /v/up";
    await house.run(["-v", "parts:/v"], make);
    const mount = (subpath: string, more = "") => [
      "--mount",
      `type=volume,src=parts,dst=/x,volume-subpath=${subpath}${more}`,
    ];
    expect(await house.run(mount("a/b"), "cat /x/deep; touch /x/new; ls /x/..| grep -c data || true")).toBe(
      "deep\n0",
    );
    expect(await house.run(mount("a/../in/."), "ls /x")).toBe("deep\nnew");
    expect(await house.run(mount("a/b/deep"), "cat /x")).toBe("deep");
    expect(await house.run(mount("a/b", ",readonly"), "touch /x/no 2>/dev/null || echo refused")).toBe(
      "refused",
    );
    expect(await house.refused(...mount("none"))).toContain("no such file or directory");
    for (const link of ["out", "up"])
      expect(await house.refused(...mount(link))).toContain("path escapes from parent");
    expect(await house.refused(...mount("../parts"))).toContain(
      "subpath must be a relative path within the volume",
    );
    expect(await house.refused("--mount", "type=volume,dst=/x,volume-subpath=a")).toContain(
      "must not set Subpath",
    );
    await daemon.ok("volume", "rm", "parts");
  });

  test("volume-label, volume-driver and volume-nocopy are the volume's", async () => {
    const { daemon } = part;
    const mount =
      "type=volume,src=fresh,dst=/etc,volume-nocopy,volume-driver=local,volume-label=a=b,volume-label=c";
    expect(await house.run(["--mount", mount], "ls /etc/passwd 2>/dev/null || echo nothing")).toBe("nothing");
    const volume = await daemon.json<{ Labels: object; Driver: string }>("/volumes/fresh");
    expect([volume.Labels, volume.Driver]).toEqual([{ a: "b", c: "" }, "local"]);
    await daemon.ok("volume", "rm", "fresh");
    expect(await house.refused("--mount", "type=volume,src=other,dst=/x,volume-driver=none")).toContain(
      "none",
    );
    expect(await house.refused("--mount", "type=volume,src=other,dst=/x,volume-opt=nonsense=1")).toContain(
      "nonsense",
    );
  });

  test("of others stay with who takes them over, whatever becomes of the first", async () => {
    const { daemon } = part;
    const path = house.folder();
    const words = ["-v", "/own", "-v", `${path}:/bound:ro`, "-v", "named:/named"];
    await daemon.ok(
      "run",
      "--name",
      "first",
      ...words,
      "busybox",
      ...sh("echo own > /own/x; echo named > /named/x"),
    );
    await daemon.ok(
      "create",
      "--name",
      "second",
      ...["--volumes-from", "first", "--tmpfs", "/named"],
      "busybox",
      ...sh("cat /own/x /bound/file; ls /named; touch /bound/y 2>/dev/null || echo refused"),
    );
    await daemon.ok("rm", "-v", "first");
    for (let life = 0; life < 2; life++)
      expect(await daemon.ok("start", "-a", "second")).toBe("own\nof the host\nrefused");
    expect(
      await house.run(
        ["--volumes-from", "second:ro"],
        "cat /own/x; touch /own/y 2>/dev/null || echo refused",
      ),
    ).toBe("own\nrefused");
    await daemon.ok("rm", "-v", "second");
    const { Volumes } = await daemon.json<{ Volumes: { Name: string }[] }>("/volumes");
    expect(Volumes.map(({ Name }) => Name)).toEqual(["named"]);
    await daemon.ok("volume", "rm", "named");
  });
});

test("parts and images are there for cp while the container is at rest", async () => {
  const { daemon } = part;
  await house.run(["-v", "rested:/v"], "mkdir -p /v/a && echo deep > /v/a/deep && ln -s /etc /v/out");
  const volume = "type=volume,src=rested,dst=/x,volume-subpath=a";
  const image = "type=image,src=layered,dst=/img,image-subpath=bin";
  await daemon.ok("create", "--name", "rests", "--mount", volume, "--mount", image, "busybox", "true");
  const target = house.folder();
  await daemon.ok("cp", "rests:/x/deep", target);
  await daemon.ok("cp", "rests:/img/busybox", target);
  expect(readdirSync(target).sort()).toEqual(["busybox", "deep", "file"]);
  expect(readFileSync(`${target}/deep`, "utf8")).toBe("deep\n");
  const refused = await daemon.cli("cp", `${target}/file`, "rests:/img/");
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/read-only|EROFS/i)]);
  await daemon.ok("cp", `${target}/file`, "rests:/x/");
  expect(await house.run(["-v", "rested:/v"], "cat /v/a/file")).toBe("of the host");
  await daemon.ok("rm", "rests");
  await daemon.ok("volume", "rm", "rested");
});

describe("destinations", () => {
  test("are mounted from the outside in, whatever order they come in", async () => {
    const [bind, inner, file] = [house.folder("bind\n"), house.folder("inner\n"), house.folder("file\n")];
    const flags = [
      ["--mount", `type=bind,src=${inner},dst=/d/t/v/i`],
      ["-v", `${file}/file:/d/one`],
      ["-v", "nested:/d/t/v"],
      ["--tmpfs", "/d/t"],
      ["-v", `${bind}:/d`],
    ];
    const script = "cat /d/file /d/t/v/i/file /d/one; grep -E ' /d(/| )' /proc/self/mounts | cut -d' ' -f2";
    const expected = ["bind", "inner", "file", "/d", "/d/one", "/d/t", "/d/t/v", "/d/t/v/i"];
    for (const order of [flags, [...flags].reverse(), [...flags.slice(2), ...flags.slice(0, 2)]]) {
      const lines = (await house.run(order.flat(), script)).split("\n");
      expect([...lines.slice(0, 3), ...lines.slice(3).sort()]).toEqual(expected);
    }
    expect(readdirSync(bind).sort()).toEqual(["file", "one", "t"]);
    await part.daemon.ok("volume", "rm", "nested");
  });

  test("that are links in the image are what they mean there", async () => {
    const path = house.folder();
    const { Id: id } = await part.ask<{ Id: string }>("POST", "/containers/create", {
      Image: "busybox",
      Cmd: sh("cat /link/file /real/file /dangling /made/up"),
      HostConfig: { Binds: [`${path}:/link`, `${path}/file:/dangling`] },
    });
    const root = `${part.daemon.dataRoot}/overlay2/${id}/diff`;
    mkdirSync(`${root}/real`);
    symlinkSync("/real", `${root}/link`);
    symlinkSync("/made/up", `${root}/dangling`);
    await part.ask("POST", `/containers/${id}/start`);
    await part.ask("POST", `/containers/${id}/wait`);
    expect((await part.logs(id)).stdout).toBe("of the host\n".repeat(4));
    await part.remove(id);
    expect(existsSync("/made")).toBe(false);
  });
});

describe("inspect", () => {
  test("says of mounts what Docker says", async () => {
    const { daemon } = part;
    const path = house.folder();
    const body = {
      Image: "busybox",
      Volumes: { "/d": {} },
      HostConfig: {
        Binds: [`${path}:/a`, `${path}:/b:ro`, "nv1:/c", "nv1:/c2:ro", `${path}:/k:z,cached`],
        Tmpfs: { "/e": "size=1m" },
        Mounts: [
          { Type: "tmpfs", Target: "/f", TmpfsOptions: { SizeBytes: 65536, Mode: 0o1770 } },
          { Type: "volume", Source: "nv2", Target: "/g" },
          { Type: "volume", Target: "/g2" },
          {
            Type: "bind",
            Source: path,
            Target: "/i",
            ReadOnly: true,
            BindOptions: { Propagation: "rprivate" },
          },
          {
            Type: "volume",
            Source: "nv3",
            Target: "/j",
            VolumeOptions: { NoCopy: true, Labels: { a: "b" }, DriverConfig: {} },
          },
        ],
      },
    };
    const { Id: id } = await part.ask<{ Id: string }>("POST", "/containers/create", body);
    interface Seen {
      readonly Mounts: readonly { readonly Destination: string; readonly Name?: string }[];
      readonly HostConfig: Readonly<Record<"Binds" | "Mounts" | "Tmpfs" | "VolumesFrom", unknown>>;
      readonly Config: { readonly Volumes: unknown };
    }
    const seen = await daemon.json<Seen>(`/containers/${id}/json`);
    const bind = { Type: "bind", Source: path, Mode: "", RW: true, Propagation: "rprivate" };
    const volume = (name: unknown) => ({
      Type: "volume",
      Name: name,
      Source: expect.stringMatching(/\/volumes\/[^/]+\/_data$/),
      Driver: "local",
      Mode: "z",
      RW: true,
      Propagation: "",
    });
    const anonymous = expect.stringMatching(/^[0-9a-f]{64}$/);
    const byDestination = seen.Mounts.toSorted((a, b) => (a.Destination < b.Destination ? -1 : 1));
    expect(byDestination).toEqual([
      { ...bind, Destination: "/a" },
      { ...bind, Destination: "/b", Mode: "ro", RW: false },
      { ...volume("nv1"), Destination: "/c" },
      { ...volume("nv1"), Destination: "/c2", Mode: "ro", RW: false },
      { ...volume(anonymous), Destination: "/d", Mode: "" },
      { Type: "tmpfs", Source: "", Destination: "/f", Mode: "", RW: true, Propagation: "" },
      { ...volume("nv2"), Destination: "/g" },
      { ...volume(anonymous), Destination: "/g2" },
      { ...bind, Destination: "/i", RW: false },
      { ...volume("nv3"), Destination: "/j" },
      { ...bind, Destination: "/k", Mode: "z,cached" },
    ] as never);
    const { Binds, Mounts, Tmpfs, VolumesFrom } = seen.HostConfig;
    expect({ Binds, Mounts, Tmpfs, VolumesFrom }).toEqual({ ...body.HostConfig, VolumesFrom: null });
    expect(seen.Config.Volumes).toEqual({ "/d": {} });
    await part.remove(id);
    await daemon.ok("volume", "rm", "nv1", "nv2", "nv3");
  });
});

test("nothing of a container's mounts shows on the host", () => {
  expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(part.daemon.root);
});
