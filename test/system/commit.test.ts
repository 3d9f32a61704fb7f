import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { type Outcome, run } from "../fixtures/daemon.ts";
import { HostPart, PATIENCE, until } from "../fixtures/host-part.ts";
import { requirePackages, startRegistry, tar } from "../fixtures/index.ts";

const DOCKER = "/usr/bin/docker";
let part: HostPart;
let base: string;

beforeAll(async () => {
  await requirePackages(["docker.io"]);
  base = await mkdtemp(`${tmpdir()}/commit-`);
  part = await HostPart.open("busybox");
}, PATIENCE);
afterAll(async () => {
  await part?.[Symbol.asyncDispose]();
  await rm(base, { recursive: true, force: true });
}, PATIENCE);

interface Image {
  readonly Id: string;
  readonly Author: string;
  readonly Comment: string;
  readonly RootFS: { readonly Layers: readonly string[] };
  readonly Config: Record<string, unknown>;
}

const inspect = (image: string) => part.ask<Image>("GET", `/images/${image}/json`);

async function docker(...words: readonly string[]): Promise<Outcome> {
  return run([DOCKER, ...words], {
    DOCKER_HOST: `unix://${part.daemon.socket}`,
    DOCKER_CONFIG: "/nonexistent",
  });
}

describe("commit", () => {
  const CHANGES =
    "echo new > /etc/new; rm /etc/shadow; rm -r /home; mkdir /home; echo in > /home/in; chmod 4755 /etc/group; ln /etc/new /etc/twin; chown 33:50 /etc/passwd";
  const LOOK =
    "cat /etc/new; ls /etc/shadow 2>&1; ls /home; stat -c '%a %h' /etc/group /etc/new /etc/twin; stat -c %u:%g /etc/passwd; ls -d /proc /data";

  test(
    "makes an image of what a container changed, from the container at rest and while it runs",
    async () => {
      const { id } = await part.start(["sh", "-c", `${CHANGES}; sleep 1000`], { Binds: ["data:/data"] });
      await until(
        () => part.exec(id, ["test", "-f", "/etc/twin"]),
        ({ code }) => code === 0,
      );
      for (const name of ["running", "rested"]) {
        if (name === "rested") await part.ask("POST", `/containers/${id}/stop?t=0`);
        const image = await part.daemon.ok("commit", "-m", "why", "-a", "who", id, `${name}:v1`);
        expect(image).toMatch(/^sha256:[0-9a-f]{64}$/);
        expect(await part.daemon.ok("run", "--rm", `${name}:v1`, "sh", "-c", LOOK)).toBe(
          "new\nls: /etc/shadow: No such file or directory\nin\n4755 1\n644 2\n644 2\n33:50\n/data\n/proc",
        );
        const { Author, Comment, RootFS } = await inspect(`${name}:v1`);
        expect([Author, Comment, RootFS.Layers.length]).toEqual(["who", "why", 2]);
      }
      expect((await part.inspect(id)).State.Status).toBe("exited");
      const history = await part.daemon.ok("history", "--format", "{{.Comment}}", "rested:v1");
      expect(history.split("\n")[0]).toBe("why");
      await part.remove(id);
      await part.daemon.ok("rmi", "running:v1", "rested:v1");
    },
    PATIENCE,
  );

  test(
    "changes what instructions say",
    async () => {
      const { id } = await part.start(["true"], {}, { Env: ["A=1"], Labels: { kept: "y" } });
      const changes = [
        'CMD ["sh", "-c", "echo $A"]',
        "ENV A=2 B='x y'",
        "EXPOSE 80 53/udp",
        'LABEL one="1 1"',
        "ONBUILD RUN true",
        "USER www-data",
        "VOLUME /v /w",
        "WORKDIR /usr",
        "WORKDIR bin",
        "HEALTHCHECK --interval=5s --retries=2 CMD true",
        "STOPSIGNAL SIGINT",
        'SHELL ["/bin/ash", "-c"]',
      ];
      const words = changes.flatMap((change) => ["-c", change]);
      const ours = await part.daemon.ok("commit", ...words, id);
      const theirs = (await docker("commit", ...words, id)).stdout.trim();
      for (const image of [ours, theirs]) {
        const { Config } = await inspect(image);
        expect(Config).toMatchObject({
          Cmd: ["sh", "-c", "echo $A"],
          Env: expect.arrayContaining(["A=2", "B=x y"]),
          ExposedPorts: { "80/tcp": {}, "53/udp": {} },
          Labels: { kept: "y", one: "1 1" },
          User: "www-data",
          Volumes: { "/v": {}, "/w": {} },
          WorkingDir: "/usr/bin",
          Healthcheck: { Test: ["CMD-SHELL", "true"], Interval: 5e9, Retries: 2 },
          StopSignal: "SIGINT",
          Shell: ["/bin/ash", "-c"],
        });
      }
      expect(await part.daemon.ok("run", "--rm", ours)).toBe("2");
      await part.remove(id);
      await part.daemon.ok("rmi", ours, theirs);
    },
    PATIENCE,
  );

  test(
    "what is committed is kept plain, sent compressed, and compressed once",
    async () => {
      await using registry = await startRegistry();
      const { id } = await part.start(["sh", "-c", "yes | head -c 4000000 > /lines"]);
      await part.ask("POST", `/containers/${id}/wait`);
      const name = `${registry.host}/lines`;
      const folder = `${part.daemon.dataRoot}/content/sha256`;
      const largest = () =>
        Math.max(...readdirSync(folder).map((blob) => statSync(`${folder}/${blob}`).size));
      const before = largest();
      const image = await part.daemon.ok("commit", id, name);
      expect(largest()).toBeGreaterThan(4_000_000);
      await part.daemon.ok("save", "-o", `${base}/plain.tar`, name);
      await part.daemon.ok("push", "-q", name);
      expect(largest()).toBe(before);
      const sent = registry.log().length;
      await part.daemon.ok("push", "-q", name);
      expect(registry.log().slice(sent)).not.toMatch(/PATCH|uploads/);
      await part.daemon.ok("rmi", name);
      await part.daemon.ok("load", "-i", `${base}/plain.tar`);
      expect((await inspect(name)).Id).toBe(image);
      await part.daemon.ok("rmi", name);
      await part.daemon.ok("pull", "-q", name);
      expect((await inspect(name)).Id).toBe(image);
      expect(await part.daemon.ok("run", "--rm", name, "wc", "-c", "/lines")).toStartWith("4000000");
      await part.remove(id);
      await part.daemon.ok("rmi", name);
    },
    PATIENCE,
  );

  test("takes settings from the request's body before the container's own", async () => {
    const { id } = await part.start(["echo", "old"], {}, { Env: ["A=1", "B=1"] });
    await part.ask("POST", `/containers/${id}/wait`);
    const body = {
      Cmd: ["sh", "-c", "echo $A $B"],
      Env: ["A=2"],
      Labels: { x: "y" },
      ExposedPorts: { "1/tcp": {} },
    };
    const { Id } = await part.ask<{ Id: string }>("POST", `/commit?container=${id}&repo=body&tag=1`, body);
    const { Config } = await inspect("body:1");
    expect(Config).toMatchObject({ Cmd: body.Cmd, Labels: { x: "y" }, ExposedPorts: { "1/tcp": {} } });
    expect(await part.daemon.ok("run", "--rm", Id)).toBe("2 1");
    await part.remove(id);
    await part.daemon.ok("rmi", "body:1");
  });

  test("refuses what it cannot do, and leaves nothing", async () => {
    const { id } = await part.start(["true"]);
    const before = (await part.ask<unknown[]>("GET", "/images/json?all=1")).length;
    const said = async (...words: string[]) => (await part.daemon.cli("commit", ...words)).stderr;
    expect(await said("-c", "RUN true", id)).toContain("RUN is not a valid change command");
    expect(await said("-c", "EXPOSE http", id)).toContain("Invalid containerPort: http");
    expect(await said(id, "UPPER")).toContain("must be lowercase");
    expect(await said("nobody")).toContain("No such container: nobody");
    expect((await part.ask<unknown[]>("GET", "/images/json?all=1")).length).toBe(before);
    await part.remove(id);
  });

  test("an image of a container that changed nothing has no further layer", async () => {
    const { Id } = await part.ask<{ Id: string }>("POST", "/containers/create", { Image: "busybox" });
    const image = await part.daemon.ok("commit", Id, "same");
    expect((await inspect(image)).RootFS.Layers).toEqual((await inspect("busybox")).RootFS.Layers);
    await part.remove(Id);
    await part.daemon.ok("rmi", "same");
    expect((await inspect("busybox")).Id).toMatch(/^sha256:/);
  });
});

describe("import", () => {
  const ARCHIVE = new Uint8Array(
    tar([
      { path: "hello", content: "imported", uid: 7, gid: 8, mode: 0o640 },
      { path: "dir/", type: "directory" },
    ]),
  );

  test.each(["plain", "gzip", "zstd"])(
    "makes an image of one layer out of a %s archive",
    async (kind) => {
      const bytes: Uint8Array<ArrayBuffer> =
        kind === "gzip"
          ? Bun.gzipSync(ARCHIVE)
          : kind === "zstd"
            ? new Uint8Array(Bun.zstdCompressSync(ARCHIVE))
            : ARCHIVE;
      const path = `${base}/${kind}.tar`;
      await Bun.write(path, bytes);
      const words = ["import", "-c", 'CMD ["/hello"]', "-m", "from far", path, `${kind}:1`];
      const ours = await part.daemon.ok(...words);
      const { stdout, stderr } = await docker(...words);
      expect([stdout.trim(), stderr]).toEqual([expect.stringMatching(/^sha256:[0-9a-f]{64}$/), ""]);
      expect(ours).toMatch(/^sha256:[0-9a-f]{64}$/);
      const image = await inspect(`${kind}:1`);
      expect([image.Comment, image.Config.Cmd, image.RootFS.Layers.length]).toEqual([
        "from far",
        ["/hello"],
        1,
      ]);
      const { Id } = await part.ask<{ Id: string }>("POST", "/containers/create", { Image: `${kind}:1` });
      const copy = await run(
        [`${process.cwd()}/dist/bunker`, "cp", `${Id}:/hello`, `${base}/hello-${kind}`],
        {
          BUNKER_HOST: `unix://${part.daemon.socket}`,
        },
      );
      expect(copy).toEqual({ code: 0, stdout: "", stderr: "" });
      expect(await Bun.file(`${base}/hello-${kind}`).text()).toBe("imported");
      await part.remove(Id);
      await part.daemon.ok("rmi", "-f", ours, image.Id);
    },
    PATIENCE,
  );

  test(
    "an export becomes an image again",
    async () => {
      const { id } = await part.start(["true"]);
      await part.daemon.ok("export", "-o", `${base}/all.tar`, id);
      await part.daemon.ok("import", "-c", "CMD echo again", `${base}/all.tar`, "again");
      expect(await part.daemon.ok("run", "--rm", "again")).toBe("again");
      await part.remove(id);
      await part.daemon.ok("rmi", "again");
    },
    PATIENCE,
  );

  test("refuses what is no archive, and leaves nothing", async () => {
    const blobs = () => readdirSync(`${part.daemon.dataRoot}/content/sha256`).sort();
    const [before, layers] = [blobs(), readdirSync(`${part.daemon.dataRoot}/overlay2`).sort()];
    await Bun.write(`${base}/noise`, Buffer.alloc(100_000, 0x55));
    const { code, stderr } = await part.daemon.cli("import", `${base}/noise`, "noise");
    expect([code, stderr]).toEqual([1, expect.stringContaining("Cannot read the archive")]);
    await Bun.write(`${base}/cut`, ARCHIVE.subarray(0, 700));
    expect((await part.daemon.cli("import", `${base}/cut`, "cut")).stderr).toContain("ends in the middle");
    expect((await part.daemon.cli("import", `${base}/none`)).stderr).toContain("no such file");
    expect(blobs()).toEqual(before);
    expect(readdirSync(`${part.daemon.dataRoot}/overlay2`).sort()).toEqual(layers);
    expect(readdirSync(`${part.daemon.dataRoot}/content/partial`)).toEqual([]);
  });
});

test(
  "a daemon that is killed in the middle leaves a whole image or none, and the container running",
  async () => {
    const fill = "dd if=/dev/urandom of=/big bs=1M count=40 2>/dev/null; touch /done; sleep 1000";
    const { id } = await part.start(["sh", "-c", fill]);
    await until(
      () => part.exec(id, ["test", "-f", "/done"]),
      ({ code }) => code === 0,
    );
    await part.daemon.ok("export", "-o", `${base}/big.tar`, id);
    const { dataRoot } = part.daemon;
    const layers = () => readdirSync(`${dataRoot}/overlay2`).sort();
    const before = layers();
    for (const [round, milliseconds] of [30, 120, 300, 600, 900, 1200, 1600].entries()) {
      const name = `round:${round}`;
      const words = round % 2 === 0 ? ["commit", id, name] : ["import", `${base}/big.tar`, name];
      const working = part.daemon.cli(...words);
      await Bun.sleep(milliseconds);
      await part.daemon.kill();
      await working;
      await part.daemon.start();
      expect((await part.inspect(id)).State.Status).toBe("running");
      const there = (await part.daemon.cli("images", "-q", name)).stdout.trim();
      if (there === "") expect([round, layers()]).toEqual([round, before]);
      else {
        const { Id } = await part.ask<{ Id: string }>("POST", "/containers/create", {
          Image: name,
          Cmd: ["true"],
        });
        const look = await part.daemon.request("HEAD", `/containers/${Id}/archive?path=/big`);
        expect([round, look.status]).toEqual([round, 200]);
        await part.remove(Id);
        await part.daemon.ok("rmi", name);
      }
      expect(readdirSync(`${dataRoot}/content/partial`)).toEqual([]);
      expect(readdirSync(`${dataRoot}/overlay2/.staging`)).toEqual([]);
    }
    expect((await part.exec(id, ["echo", "fine"])).stdout).toBe("fine\n");
    await part.remove(id);
  },
  PATIENCE,
);
