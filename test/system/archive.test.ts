import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { resolve } from "node:path";
import { run } from "../fixtures/daemon.ts";
import { HostPart, PATIENCE, until } from "../fixtures/host-part.ts";
import { requirePackages, type TarEntry, tar } from "../fixtures/index.ts";

const PYTHON_SESSION = resolve(import.meta.dir, "../fixtures/docker-archive.py");
let part: HostPart;
let base: string;
let count = 0;

beforeAll(async () => {
  await requirePackages(["python3-docker"]);
  base = await mkdtemp(`${tmpdir()}/archive-`);
  part = await HostPart.open("busybox");
}, PATIENCE);
afterAll(async () => {
  await part?.[Symbol.asyncDispose]();
  await rm(base, { recursive: true, force: true });
}, PATIENCE);

const url = (id: string, path: string, more = "") =>
  `http://bunker/containers/${id}/archive?path=${encodeURIComponent(path)}${more}`;

function folder(): string {
  const path = `${base}/f${count++}`;
  mkdirSync(path);
  return path;
}

async function get(id: string, path: string): Promise<Response> {
  return fetch(url(id, path), { unix: part.daemon.socket });
}

async function put(id: string, path: string, content: readonly TarEntry[], more = ""): Promise<Response> {
  return fetch(url(id, path, more), { unix: part.daemon.socket, method: "PUT", body: tar(content) });
}

/** What tar lists of an archive of a path, one line each. */
async function listed(id: string, path: string): Promise<string> {
  const reply = await get(id, path);
  expect(reply.status).toBe(200);
  return (await run(["tar", "-tvf", "-", "--numeric-owner"], {}, await reply.bytes())).stdout;
}

async function sh(id: string, script: string): Promise<string> {
  const { code, stdout, stderr } = await part.exec(id, ["sh", "-c", script]);
  if (code !== 0) throw new Error(`${script} ended with ${code}: ${stderr}`);
  return stdout;
}

async function content(id: string, path: string): Promise<string> {
  const reply = await get(id, path);
  if (!reply.ok) return `${reply.status}`;
  return (await run(["tar", "-xOf", "-"], {}, await reply.bytes())).stdout;
}

describe("files of a container", () => {
  test(
    "go in and out while it runs, is paused, and rests; volumes, binds and tmpfs alike",
    async () => {
      const bind = folder();
      const { id } = await part.start(["sleep", "1000"], {
        Binds: [`${bind}:/b`, "vol:/v"],
        Tmpfs: { "/tmp/t": "" },
      });
      const passes = async (places: readonly string[], text: string) => {
        for (const place of places) {
          const reply = await put(id, place, [{ path: `d/${text}`, content: text }]);
          expect([place, reply.status, await reply.text()]).toEqual([place, 200, ""]);
          expect([place, await content(id, `${place}/d/${text}`)]).toEqual([place, text]);
        }
      };
      await passes(["/", "/b", "/v", "/tmp/t", "/dev/shm"], "running");
      expect(await sh(id, "cat /b/d/running /v/d/running /tmp/t/d/running /d/running")).toBe(
        "running".repeat(4),
      );
      await part.ask("POST", `/containers/${id}/pause`);
      await passes(["/", "/b", "/v", "/tmp/t"], "paused");
      await part.ask("POST", `/containers/${id}/unpause`);
      expect(await sh(id, "cat /tmp/t/d/paused")).toBe("paused");
      await part.ask("POST", `/containers/${id}/stop?t=0`);
      await passes(["/", "/b", "/v"], "resting");
      expect(readFileSync(`${bind}/d/resting`, "utf8")).toBe("resting");
      await part.ask("POST", `/containers/${id}/start`);
      expect(await sh(id, "cat /b/d/resting /v/d/resting /d/resting")).toBe("resting".repeat(3));
      await part.remove(id);
    },
    PATIENCE,
  );

  test(
    "keep kind, owner, mode, times, holes, attributes and links",
    async () => {
      const { id } = await part.start(["sleep", "1000"]);
      const long = `${"l".repeat(200)}/${"m".repeat(200)}/n`;
      const entries: TarEntry[] = [
        { path: "in/", type: "directory", mode: 0o2775, uid: 7, gid: 8 },
        { path: "in/suid", content: "x", mode: 0o6755, uid: 1234, gid: 4321 },
        { path: "in/hard", type: "hardlink", target: "in/suid" },
        { path: "in/soft", type: "symlink", target: "/etc/passwd" },
        { path: "in/pipe", type: "fifo", mode: 0o622 },
        { path: "in/null", type: "character", major: 1, minor: 3, mode: 0o666 },
        { path: "in/disk", type: "block", major: 7, minor: 99, mode: 0o660 },
        { path: "in/new\nline", content: "n" },
        { path: `in/${long}`, content: "far", pax: { path: `in/${long}` } },
        { path: "in/xattr", content: "a", pax: { "SCHILY.xattr.user.colour": "blue" } },
      ];
      expect((await put(id, "/home", entries)).status).toBe(200);
      await sh(
        id,
        "cd /home/in && truncate -s 9G sparse && printf x | dd of=sparse bs=1 seek=4096 conv=notrunc 2>/dev/null && touch $(printf 'b\\377d')",
      );
      const list = await listed(id, "/home/in");
      expect(list).toMatch(/drwxrwsr-x 7\/8 .* in\/\n/);
      expect(list).toMatch(/-rwsr-sr-x 1234\/4321 .* in\/hard\n/);
      expect(list).toMatch(/hrwsr-sr-x .* in\/suid link to in\/hard\n/);
      expect(list).toMatch(/lrwxrwxrwx .* in\/soft -> \/etc\/passwd\n/);
      expect(list).toMatch(/prw--w--w- .* in\/pipe\n/);
      expect(list).toMatch(/crw-rw-rw- 0\/0 +1,3 .* in\/null\n/);
      expect(list).toMatch(/brw-rw---- 0\/0 +7,99 .* in\/disk\n/);
      expect(list).toContain("in/new\\nline");
      expect(list).toContain(`in/${long}`);
      expect(list).toContain("in/b\\377d");
      expect(list).toMatch(/ 9663676416 .* in\/sparse\n/);
      const bytes = await (await get(id, "/home/in")).bytes();
      expect(bytes.length).toBeLessThan(200_000);
      expect(Buffer.from(bytes).toString("latin1")).toContain("SCHILY.xattr.user.colour=blue");
      // And back again, holes, bytes and all.
      await sh(id, "mkdir /again");
      const again = await fetch(url(id, "/again"), { unix: part.daemon.socket, method: "PUT", body: bytes });
      expect(again.status).toBe(200);
      expect(await listed(id, "/again/in")).toBe(list);
      expect(await sh(id, "du -k /again/in/sparse | cut -f1; stat -c %h /again/in/suid")).toMatch(
        /^[48]\n2\n$/,
      );
      await part.remove(id);
    },
    PATIENCE,
  );

  test("a pipe and a socket do not block, nor does a socket go along", async () => {
    const bind = folder();
    const socket = Bun.listen({ unix: `${bind}/socket`, socket: { data() {} } });
    const { id } = await part.start(["sleep", "1000"], { Binds: [`${bind}:/q`] });
    expect(await sh(id, "mkfifo /q/pipe; test -S /q/socket && ls /q")).toBe("pipe\nsocket\n");
    expect(await listed(id, "/q/pipe")).toMatch(/^prw/);
    expect(await listed(id, "/q")).not.toContain("socket");
    socket.stop();
    await part.remove(id);
  });

  test("of the image are in a volume before the first start, and stay there", async () => {
    const body = { Image: "busybox", Cmd: ["cat", "/etc/group"], HostConfig: { Binds: ["early:/etc"] } };
    const { Id } = await part.ask<{ Id: string }>("POST", "/containers/create", body);
    expect(await content(Id, "/etc/passwd")).toStartWith("root:");
    expect((await put(Id, "/etc", [{ path: "group", content: "mine" }])).status).toBe(200);
    await part.ask("POST", `/containers/${Id}/start`);
    await part.ask("POST", `/containers/${Id}/wait`);
    expect((await part.logs(Id)).stdout).toBe("mine");
    await part.remove(Id);
  });

  test("belong to the container's user when owners are to be copied", async () => {
    const { id } = await part.start(["sleep", "1000"], {}, { User: "www-data" });
    const entry = { path: "f", content: "x", uid: 7, gid: 8 };
    expect((await put(id, "/tmp", [entry], "&copyUIDGID=true")).status).toBe(200);
    expect((await put(id, "/tmp", [{ ...entry, path: "g" }])).status).toBe(200);
    expect(await sh(id, "stat -c %u:%g /tmp/f /tmp/g")).toBe("33:33\n7:8\n");
    await part.remove(id);
  });

  test("replace nothing of another kind where that is not wanted", async () => {
    const { id } = await part.start(["sleep", "1000"]);
    await sh(id, "mkdir -p /k/dir/sub; echo old > /k/file");
    const keep = "&noOverwriteDirNonDir=true";
    const one = await put(id, "/k", [{ path: "dir", content: "x" }], keep);
    expect([one.status, await one.text()]).toEqual([
      400,
      expect.stringContaining("cannot overwrite directory"),
    ]);
    const other = await put(id, "/k", [{ path: "file/", type: "directory" }], keep);
    expect([other.status, await other.text()]).toEqual([
      400,
      expect.stringContaining("cannot overwrite non-directory"),
    ]);
    expect((await put(id, "/k", [{ path: "dir", content: "x" }])).status).toBe(200);
    expect(await sh(id, "cat /k/dir")).toBe("x");
    await part.remove(id);
  });

  test(
    "python3-docker gets and puts them",
    async () => {
      const { code, stdout, stderr } = await run([
        "/usr/bin/python3",
        PYTHON_SESSION,
        `unix://${part.daemon.socket}`,
      ]);
      expect([code, stderr]).toEqual([0, ""]);
      const seen = ["sub", true, ["sub", "sub/ünï"], "hello", 0o640, 33, 50];
      expect(JSON.parse(stdout)).toEqual({
        put: true,
        created: seen,
        running: seen,
        missing: "Could not find the file /none in container NAME",
        nowhere: "Could not find the file /none in container NAME",
        exported: true,
      });
    },
    PATIENCE,
  );
});

describe("what is refused", () => {
  test("bad paths and bad archives", async () => {
    const { id } = await part.start(["sleep", "1000"]);
    const said = async (sent: Promise<Response>) => {
      const reply = await sent;
      return [reply.status, ((await reply.json()) as { message: string }).message];
    };
    expect(await said(get(id, ""))).toEqual([400, "bad parameter: path cannot be empty"]);
    expect(await said(get(id, "/etc/passwd/"))).toEqual([400, "/etc/passwd/: not a directory"]);
    expect(await said(get(id, "/a\0b"))).toEqual([400, expect.stringContaining("NUL")]);
    expect(await said(put(id, "/etc/passwd", []))).toEqual([400, "extraction point is not a directory"]);
    expect(await said(put(id, "/none", []))).toEqual([
      404,
      expect.stringContaining("Could not find the file /none"),
    ]);
    expect(await said(put(id, "/tmp", [{ path: "../../x", content: "x" }]))).toEqual([
      400,
      expect.stringContaining("leads out of the archive"),
    ]);
    const garbage = { unix: part.daemon.socket, method: "PUT", body: Buffer.alloc(4096, 0x55) };
    expect(await said(fetch(url(id, "/tmp"), garbage))).toEqual([
      400,
      expect.stringContaining("Cannot read the archive"),
    ]);
    await sh(id, "ln -s loop /loop");
    expect(await said(put(id, "/loop", []))).toEqual([400, expect.stringContaining("symbolic links")]);
    await part.remove(id);
  });

  test("writing to what is read-only, in Docker's words", async () => {
    const bind = folder();
    const { id } = await part.start(["sleep", "1000"], {
      ReadonlyRootfs: true,
      Binds: [`${bind}:/ro:ro`, `${bind}:/rw`],
    });
    const said = async (path: string) => {
      const reply = await put(id, path, [{ path: "x", content: "x" }]);
      return [reply.status, await reply.text()];
    };
    for (const state of ["running", "resting"]) {
      if (state === "resting") await part.ask("POST", `/containers/${id}/stop?t=0`);
      expect(await said("/tmp")).toEqual([403, '{"message":"container rootfs is marked read-only"}\n']);
      expect(await said("/ro")).toEqual([403, '{"message":"mounted volume is marked read-only"}\n']);
      expect((await said("/rw"))[0]).toBe(200);
      expect((await get(id, "/etc/passwd")).status).toBe(200);
    }
    await part.remove(id);
  });
});

describe("nothing leads out of a container", () => {
  test(
    "neither links nor the links of procfs, its own or the host's",
    async () => {
      const host = folder();
      writeFileSync(`${host}/secret`, "of the host");
      const { id } = await part.start(["sleep", "1000"], { PidMode: "host", Binds: ["/proc:/p"] });
      await sh(
        id,
        `ln -s ${host} /one; ln -s ../../../..${host} /two; ln -s /proc/1/root${host} /three; ln -s /p/1/root${host} /four; ln -s /p/1/cwd /five; ln -s /p/self/root${host} /six`,
      );
      const look = async () => {
        for (const link of ["one", "two", "three", "four", "five", "six"]) {
          expect([link, await content(id, `/${link}/secret`)]).toEqual([
            link,
            expect.stringMatching(/^[45]\d\d$/),
          ]);
          const direct = await put(id, `/${link}`, [{ path: "evil", content: "x" }]);
          expect([link, direct.ok]).toEqual([link, false]);
          await put(id, "/", [{ path: `${link}/evil`, content: "x" }]);
        }
      };
      await look();
      await part.ask("POST", `/containers/${id}/stop?t=0`);
      await look();
      expect(readdirSync(host)).toEqual(["secret"]);
      await part.remove(id);
    },
    PATIENCE,
  );

  test(
    "also while the container swaps folders for links",
    async () => {
      const host = folder();
      writeFileSync(`${host}/file`, "of the host");
      const swap = `mkdir -p /w/real; echo inside > /w/real/file; cd /w; ln -s ${host} link; while :; do ln -sfn real x; ln -sfn link x; ln -sfn /proc/1/root${host} x; rm -f x; mkdir x; rmdir x 2>/dev/null || rm -rf x; done`;
      const { id } = await part.start(["sh", "-c", swap], { PidMode: "host" });
      const seen = new Set<string>();
      const begun = Date.now();
      // Five seconds, and on a busy machine until the path has led somewhere.
      const isRacing = () => Date.now() - begun < (seen.has("inside\n") ? 5000 : 60_000);
      while (isRacing()) {
        const [text] = await Promise.all([
          content(id, "/w/x/file"),
          put(id, "/w/x", [{ path: "evil", content: "x" }]),
          put(id, "/w", [{ path: "x/evil", content: "x" }]),
          get(id, "/w").then((reply) => reply.arrayBuffer().catch(() => undefined)),
        ]);
        seen.add(text);
      }
      expect([...seen].filter((text) => text.includes("host"))).toEqual([]);
      expect(seen).toContain("inside\n");
      expect(readdirSync(host)).toEqual(["file"]);
      expect((await part.inspect(id)).State.Status).toBe("running");
      await part.remove(id);
    },
    PATIENCE,
  );
});

describe("a client that goes away", () => {
  const children = async () => {
    const { stdout } = await run(["ps", "-eo", "ppid,args"]);
    const own = new RegExp(`^ *${part.daemon.pid} .*internal:archive view-`);
    return stdout.split("\n").filter((line) => own.test(line));
  };

  test(
    "in the middle of a download ends what made it, and a container at rest is let go",
    async () => {
      const { id } = await part.start(["sh", "-c", "dd if=/dev/zero of=/big bs=1M count=200 2>/dev/null"]);
      await part.ask("POST", `/containers/${id}/wait`);
      const controller = new AbortController();
      const reply = await fetch(url(id, "/big"), { unix: part.daemon.socket, signal: controller.signal });
      const reader = reply.body?.getReader();
      await reader?.read();
      expect(await children()).toHaveLength(1);
      controller.abort();
      await reader?.cancel().catch(() => undefined);
      await until(children, (found) => found.length === 0);
      await part.remove(id);
    },
    PATIENCE,
  );

  test(
    "in the middle of an upload ends what unpacks it",
    async () => {
      const { id } = await part.start(["sleep", "1000"]);
      const controller = new AbortController();
      const body = new ReadableStream<Uint8Array>({
        pull(to) {
          to.enqueue(tar([{ path: "part", content: Buffer.alloc(4096) }]).subarray(0, 2048));
          return new Promise(() => {});
        },
      });
      const sent = fetch(url(id, "/tmp"), {
        unix: part.daemon.socket,
        method: "PUT",
        body,
        signal: controller.signal,
      }).catch(() => undefined);
      await until(children, (found) => found.length === 1);
      controller.abort();
      await sent;
      await until(children, (found) => found.length === 0);
      expect(await sh(id, "echo fine")).toBe("fine\n");
      await part.remove(id);
    },
    PATIENCE,
  );
});
