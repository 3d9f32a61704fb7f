import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdir, rm, truncate, writeFile } from "node:fs/promises";
import { scratch } from "../fakes/scratch.ts";
import { BUNKER, run, TestDaemon } from "../fixtures/daemon.ts";
import { busyboxImage, httpdImage, startRegistry, type TestRegistry } from "../fixtures/index.ts";

interface Finding {
  readonly Verdict: string;
  readonly Subject: string;
  readonly Finding: string;
  readonly Remedy: string;
}

let registry: TestRegistry;
let daemon: TestDaemon;
let name: string;

beforeAll(async () => {
  registry = await startRegistry({
    "library/httpd": await httpdImage(),
    "library/busybox": await busyboxImage(),
  });
  daemon = await TestDaemon.start({ args: ["--registry-mirror", registry.url] });
  name = `${registry.host}/library/httpd`;
  await daemon.ok("pull", name);
  await daemon.ok("pull", "busybox");
  await daemon.ok("create", "--name", "box", "-v", "things:/things", "busybox", "true");
});
afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
});

async function examine(...flags: string[]): Promise<{ code: number; findings: Finding[] }> {
  const { code, stdout, stderr } = await daemon.cli("doctor", "--format", "json", ...flags);
  if (stderr !== "") throw new Error(stderr);
  const lines = stdout
    .trim()
    .split("\n")
    .filter((line) => line !== "");
  return { code, findings: lines.map((line) => JSON.parse(line) as Finding) };
}

/** Changes rows while no daemon has the file open. */
function sql(...statements: string[]): void {
  using database = new Database(`${daemon.dataRoot}/bunker.db`);
  database.run("PRAGMA foreign_keys = OFF");
  for (const statement of statements) database.run(statement);
}

async function layersOn(driver: string): Promise<string[]> {
  return (await readdir(`${daemon.dataRoot}/${driver}`)).filter((one) => one.startsWith("sha256@"));
}

describe("bunker doctor", () => {
  test("finds nothing in a store that is whole", async () => {
    expect(await examine()).toEqual({ code: 0, findings: [] });
    expect(await daemon.ok("doctor")).toMatch(
      /^Checked 2 images, \d+ layers, .*1 containers, 1 volumes: nothing is broken$/,
    );
  });

  test("the daemon starts whatever is broken, the doctor says what it is, and mends it", async () => {
    const { Driver: driver } = await daemon.json<{ Driver: string }>("/info");
    await daemon.stop();
    const [layer = ""] = await layersOn(driver);
    await rm(`${daemon.dataRoot}/${driver}/${layer}`, { recursive: true });
    const blobs = await readdir(`${daemon.dataRoot}/content/sha256`);
    for (const blob of blobs) await truncate(`${daemon.dataRoot}/content/sha256/${blob}`, 100);
    await rm(`${daemon.dataRoot}/content/sha256/${blobs[0]}`);
    sql(
      "UPDATE image SET record = '{' WHERE id = (SELECT child FROM edge WHERE parent LIKE '%/httpd' LIMIT 1)",
      "INSERT INTO edge (kind, parent, name, child) VALUES ('image-tag', 'docker.io/library/ghost', 'latest', 'sha256:none')",
      "INSERT INTO volume (name, record) VALUES ('torn', '{')",
      "INSERT INTO network (id, record) VALUES ('torn', 'nothing')",
    );
    await daemon.start();
    const { code, findings } = await examine();
    expect(code).toBe(1);
    const told = findings.map(({ Verdict, Subject, Finding }) => `${Verdict} ${Subject}: ${Finding}`);
    for (const expected of [
      /^broken tree sha256:.*: its tree is missing/m,
      /^broken blob sha256:.*: the compressed layer is (?:missing|not what its digest says)/m,
      /^broken manifest sha256:/m,
      /^broken image sha256:.*: its record cannot be read/m,
      /^broken image-tag latest: it leads to sha256:none, which is not there/m,
      /^broken volume torn: its record cannot be read/m,
      /^broken network torn: its record cannot be read/m,
    ])
      expect(told.join("\n")).toMatch(expected);

    const repaired = await examine("--repair");
    expect(repaired.findings.filter(({ Verdict }) => Verdict === "broken")).toEqual([]);
    expect(repaired.code).toBe(0);
    expect(await examine()).toEqual({ code: 0, findings: [] });
    expect(await daemon.ok("run", "--rm", "--network", "none", name, "httpd", "-v")).toContain("Apache/2");
    await daemon.ok("start", "-a", "box");
    expect((await readdir(`${daemon.dataRoot}/quarantine`)).sort()).toEqual([
      "network-torn.json",
      "volume-torn.json",
    ]);
  });

  test("a running container's layers stay as they are", async () => {
    const { Driver: driver } = await daemon.json<{ Driver: string }>("/info");
    const id = await daemon.ok("run", "-d", "busybox", "sleep", "600");
    const { RootFS } = await daemon.json<{ RootFS: { Layers: string[] } }>("/images/busybox/json");
    const folder = `${daemon.dataRoot}/${driver}/${RootFS.Layers[0]?.replace(":", "@")}`;
    await writeFile(`${folder}/${driver === "vfs" ? "tree" : "diff"}/etc/passwd`, "changed\n");
    const { code, findings } = await examine("--repair");
    expect(code).toBe(1);
    expect(findings[0]?.Finding).toContain("/etc/passwd has");
    expect(await daemon.ok("exec", id, "cat", "/etc/passwd")).toBe("changed");
    await daemon.ok("rm", "-f", id);
    expect((await examine("--repair")).code).toBe(0);
    expect(await examine()).toEqual({ code: 0, findings: [] });
  });

  test("a database that is damaged is said clearly, and stays as it is", async () => {
    await daemon.stop();
    const path = `${daemon.dataRoot}/bunker.db`;
    const bytes = await Bun.file(path).bytes();
    await writeFile(path, bytes.toReversed());
    await expect(daemon.start()).rejects.toThrow(/Cannot open .*bunker\.db: it is damaged/);
    expect(await Bun.file(path).bytes()).toEqual(bytes.toReversed());
    await writeFile(path, bytes);
    await daemon.start();
    expect(await examine()).toEqual({ code: 0, findings: [] });
  });
});

describe("bunker gc", () => {
  test("says what it would free, frees just that, and never what a container is made of", async () => {
    await daemon.ok("tag", "busybox", "again");
    await writeFile(`${daemon.dataRoot}/content/sha256/${"a".repeat(64)}`, "12345");
    const dry = await daemon.ok("gc", "--dry-run", "--all");
    expect(dry).toMatch(/^blob +sha256:a{64} +5B +no image is made of it/m);
    expect(dry).toMatch(/^image +\S+\/library\/httpd:latest .* no container is made of it, not used since/m);
    expect(dry).not.toContain("busybox");
    const [, bytes = ""] = /Would free: .* \((\d+) bytes\)$/.exec(dry) ?? [];
    expect(await daemon.ok("images", "-q", name)).not.toBe("");
    const freed = await daemon.ok("gc", "--all");
    expect(freed).toEndWith(`(${bytes} bytes)`);
    expect(await daemon.ok("images", "-q", name)).toBe("");
    expect(await daemon.ok("gc", "--all", "--dry-run")).toEndWith("Would free: 0B (0 bytes)");
    expect(await daemon.ok("volume", "ls", "-q")).toBe("things");
    expect((await examine()).code).toBe(0);
  });
});

/** The same registry, for those who say who they are. */
function guarded(origin: string, login: string): Disposable & { readonly host: string } {
  const wanted = `Basic ${Buffer.from(login).toString("base64")}`;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request) {
      const { pathname, search } = new URL(request.url);
      if (request.headers.get("authorization") === wanted)
        return fetch(`${origin}${pathname}${search}`, {
          headers: { accept: request.headers.get("accept") ?? "" },
        });
      return new Response("", { status: 401, headers: { "www-authenticate": 'Basic realm="guarded"' } });
    },
  });
  return { host: `127.0.0.1:${server.port}`, [Symbol.dispose]: () => void server.stop(true) };
}

test("bunker doctor --repair pulls with the logins of whoever asks, and each registry gets its own", async () => {
  await using place = await scratch();
  using guard = guarded(registry.url, "somebody:secret");
  const image = `${guard.host}/library/httpd`;
  const auths = {
    [guard.host]: { auth: Buffer.from("somebody:secret").toString("base64") },
    "strange.test": { auth: Buffer.from("other:other").toString("base64") },
  };
  await writeFile(`${place.path}/config.json`, JSON.stringify({ auths }));
  const known = { BUNKER_HOST: `unix://${daemon.socket}`, DOCKER_CONFIG: place.path };
  const blobs = async () => readdir(`${daemon.dataRoot}/content/sha256`);
  const before = new Set(await blobs());
  expect((await run([BUNKER, "pull", "-q", image], known)).code).toBe(0);
  for (const blob of await blobs())
    if (!before.has(blob)) await truncate(`${daemon.dataRoot}/content/sha256/${blob}`, 10);
  const anonymous = await examine("--repair");
  expect(anonymous.code).toBe(1);
  expect(anonymous.findings.map(({ Remedy }) => Remedy).join()).toMatch(/no basic auth credentials/);
  expect((await run([BUNKER, "doctor", "--repair"], known)).stdout).toContain("it was pulled again");
  expect(await examine()).toEqual({ code: 0, findings: [] });
});
