import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { HostPart, PATIENCE } from "../../fixtures/host-part.ts";
import { cannotRemap, REMAP, remapped } from "../../fixtures/remap.ts";

const reason = cannotRemap === undefined ? "" : ` (skipped: ${cannotRemap})`;

let part: HostPart;
let ids: Disposable;
let base: string;

describe.skipIf(cannotRemap !== undefined)(`a user namespace for each container${reason}`, () => {
  beforeAll(async () => {
    base = mkdtempSync(`${tmpdir()}/userns-`);
    ids = remapped();
    part = await HostPart.openWith(["--userns-remap", REMAP], "busybox");
  }, PATIENCE);
  afterAll(async () => {
    await part?.[Symbol.asyncDispose]();
    ids?.[Symbol.dispose]();
    if (base !== undefined) rmSync(base, { recursive: true, force: true });
  }, PATIENCE);

  const said = async (script: string, hostConfig: object = {}, settings: object = {}) => {
    const { stdout, stderr } = await part.run(["sh", "-c", script], hostConfig, settings);
    return `${stderr}${stdout}`.trim();
  };

  test(
    "makes root inside somebody on the host who is nobody there, and info says so",
    async () => {
      const { id, pid } = await part.start(["sleep", "1000"]);
      const status = readFileSync(`/proc/${pid}/status`, "utf8");
      expect(status).toMatch(/^Uid:\t100000\t100000\t100000\t100000$/m);
      expect(status).toMatch(/^Gid:\t200000\t200000\t200000\t200000$/m);
      const inside = await part.exec(id, ["sh", "-c", "id -u; id -g; cat /proc/self/gid_map"]);
      expect(inside.stdout.trim().split(/\s+/)).toEqual(["0", "0", "0", "200000", "65536"]);
      expect((await part.exec(id, ["id", "-u"], { User: "1000" })).stdout).toBe("1000\n");
      const { SecurityOptions } = await part.ask<{ SecurityOptions: string[] }>("GET", "/info");
      expect(SecurityOptions).toContain("name=userns");
      await part.remove(id);
    },
    PATIENCE,
  );

  test(
    "the root belongs to who is inside, and on disk to whom it would without",
    async () => {
      const { id } = await part.start([
        "sh",
        "-c",
        "echo one > /one; chown 7:8 /one; rm /bin/true; sleep 1000",
      ]);
      const look =
        "until [ -e /one ] && ! [ -e /bin/true ]; do sleep 0.1; done; stat -c '%u:%g %a' / /one /etc/hosts";
      expect((await part.exec(id, ["sh", "-c", look])).stdout).toBe("0:0 755\n7:8 644\n0:0 644\n");
      const { GraphDriver } = await part.ask<{ GraphDriver: { Data: Record<string, string> } }>(
        "GET",
        `/containers/${id}/json`,
      );
      const { uid, gid } = statSync(`${GraphDriver.Data.UpperDir}/one`);
      expect([uid, gid]).toEqual([7, 8]);
      const { Id: image } = await part.ask<{ Id: string }>("POST", `/commit?container=${id}`);
      const { Id: copy } = await part.ask<{ Id: string }>("POST", "/containers/create", {
        Image: image,
        Cmd: ["stat", "-c", "%u:%g", "/one"],
      });
      await part.ask("POST", `/containers/${copy}/start`);
      await part.ask("POST", `/containers/${copy}/wait`);
      expect((await part.logs(copy)).stdout).toBe("7:8\n");
      await part.remove(copy);
      await part.remove(id);
      await part.ask("DELETE", `/images/${image}?force=1`);
    },
    PATIENCE,
  );

  test(
    "cp and export see owners as they are inside, both ways",
    async () => {
      const { id } = await part.start([
        "sh",
        "-c",
        "echo one > /one; chown 7:8 /one; mkfifo /done; sleep 1000",
      ]);
      await part.exec(id, ["sh", "-c", "until [ -e /done ]; do sleep 0.1; done"]);
      writeFileSync(`${base}/put`, "put");
      chownSync(`${base}/put`, 11, 12);
      await part.daemon.ok("cp", "-a", `${base}/put`, `${id}:/put`);
      await part.daemon.ok("cp", `${base}/put`, `${id}:/plain`);
      expect((await part.exec(id, ["stat", "-c", "%u:%g", "/put", "/plain"])).stdout).toBe("11:12\n0:0\n");
      await part.daemon.ok("cp", "-a", `${id}:/one`, `${base}/got`);
      expect([statSync(`${base}/got`).uid, statSync(`${base}/got`).gid]).toEqual([7, 8]);
      await part.daemon.ok("export", "-o", `${base}/all.tar`, id);
      const listed = Bun.spawnSync([
        "tar",
        "--numeric-owner",
        "-tvf",
        `${base}/all.tar`,
        "one",
        "put",
      ]).stdout.toString();
      expect(listed.match(/\d+\/\d+/g)?.sort()).toEqual(["11/12", "7/8"]);
      await part.remove(id);
    },
    PATIENCE,
  );

  test(
    "a volume belongs to who is inside, a folder of the host's to whom it does on the host",
    async () => {
      const mine = `${base}/mine`;
      mkdirSync(mine);
      chownSync(mine, 100_003, 200_004);
      const binds = ["kept:/v", `${mine}:/m`, `${base}:/b`];
      const look = "touch /v/f; stat -c %u:%g /v /v/f /m /b; touch /b/f 2>/dev/null || echo closed";
      expect(await said(look, { Binds: binds })).toBe("0:0\n0:0\n3:4\n65534:65534\nclosed");
      const { Mountpoint } = await part.ask<{ Mountpoint: string }>("GET", "/volumes/kept");
      expect(statSync(`${Mountpoint}/f`).uid).toBe(0);
      expect(await said("stat -c %u:%g /v/f", { Binds: ["kept:/v"], UsernsMode: "host" })).toBe("0:0");
      const inside = {
        Type: "bind",
        Source: base,
        Target: "/b",
        BindOptions: { IDMapping: { Source: "userns" } },
      };
      expect(await said("stat -c %u:%g /b; touch /b/f && echo open", { Mounts: [inside] })).toBe("0:0\nopen");
      await part.ask("DELETE", "/volumes/kept");
      const matched = {
        Type: "bind",
        Source: base,
        Target: "/b",
        BindOptions: { IDMapping: { Source: "match-user", User: "5:6" } },
      };
      expect(await said("stat -c %u:%g /b", { Mounts: [matched] })).toBe("5:6");
    },
    PATIENCE,
  );

  test(
    "what a container shares with another is shared with the users it belongs to",
    async () => {
      const { id, pid } = await part.start(["sleep", "1000"], { IpcMode: "shareable" });
      const modes = {
        NetworkMode: `container:${id}`,
        PidMode: `container:${id}`,
        IpcMode: `container:${id}`,
      };
      const look =
        "id -u; readlink /proc/self/ns/net; readlink /proc/self/ns/user; ip link add d type dummy 2>&1; ps | grep -c 'sleep 1000'";
      const lines = (await said(look, { ...modes, CapAdd: ["NET_ADMIN"] })).split("\n");
      const own = (name: string) =>
        Bun.spawnSync(["readlink", `/proc/${pid}/ns/${name}`])
          .stdout.toString()
          .trim();
      expect(lines.slice(0, 3)).toEqual(["0", own("net"), own("user")]);
      expect(Number(lines.at(-1))).toBeGreaterThan(0);
      await part.remove(id);
    },
    PATIENCE,
  );

  test(
    "streams can be opened by name, and limits hold",
    async () => {
      expect(await said("echo out > /dev/stdout; echo err > /dev/stderr")).toBe("err\nout");
      expect(await said("ulimit -n", { Ulimits: [{ Name: "nofile", Soft: 77, Hard: 88 }] })).toBe("77");
      expect(await said("cat /proc/self/oom_score_adj", { OomScoreAdj: 300 })).toBe("300");
      const limited = { Memory: 64 << 20, PidsLimit: 20 };
      expect(await said("for i in $(seq 30); do sleep 2 & done 2>&1 | grep -c fork", limited)).not.toBe("0");
      expect(await said("readlink /proc/1/exe >/dev/null && hostname", {}, { Hostname: "inside" })).toBe(
        "inside",
      );
    },
    PATIENCE,
  );

  test(
    "a daemon that was killed finds them again, and one without the setting has all that was written",
    async () => {
      const { id } = await part.start(["sh", "-c", "touch /one; chown 7:8 /one; sleep 1000"]);
      await part.daemon.kill();
      await part.daemon.start();
      const look = ["sh", "-c", "until [ -e /one ]; do sleep 0.1; done; id -u; stat -c %u:%g /one"];
      expect((await part.exec(id, look)).stdout).toBe("0\n7:8\n");
      await part.ask("POST", `/containers/${id}/stop?t=0`);
      await part.daemon.stop();
      await part.daemon.start(["--userns-remap", ""]);
      await part.ask("POST", `/containers/${id}/start`);
      expect((await part.exec(id, look)).stdout).toBe("0\n7:8\n");
      expect((await part.exec(id, ["cat", "/proc/self/uid_map"])).stdout).toMatch(/^ +0 +0 +4294967295$/m);
      await part.remove(id);
    },
    PATIENCE,
  );
});
