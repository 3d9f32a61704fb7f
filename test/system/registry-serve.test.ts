import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ArtifactClient } from "../fixtures/artifact-client.ts";
import { BUNKER, run as runCommand, TestDaemon } from "../fixtures/daemon.ts";
import { busyboxImage, requirePackages, startRegistry, type TestRegistry } from "../fixtures/index.ts";

let folder: string;

beforeAll(async () => {
  await requirePackages(["skopeo", "openssl"]);
  folder = await mkdtemp(join(tmpdir(), "bunker-registry-serve-"));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** A registry of the built program on a port of the kernel's choice. */
class Served implements AsyncDisposable {
  readonly #process: Bun.Subprocess<"ignore", "ignore", "pipe">;
  readonly url: string;

  private constructor(process: Bun.Subprocess<"ignore", "ignore", "pipe">, url: string) {
    this.#process = process;
    this.url = url;
  }

  static async start(data: string, ...flags: string[]): Promise<Served> {
    const child = Bun.spawn(
      [
        "setpriv",
        "--pdeathsig",
        "KILL",
        "--",
        BUNKER,
        "registry",
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--data",
        data,
        ...flags,
      ],
      { stdin: "ignore", stdout: "ignore", stderr: "pipe" },
    );
    const reader = child.stderr.getReader();
    let said = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`the registry did not start: ${said}`);
      said += Buffer.from(value).toString();
      const [, url] = /Listening on (\S+),/.exec(said) ?? [];
      if (url !== undefined) return new Served(child, url);
    }
  }

  get host(): string {
    return new URL(this.url).host;
  }

  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGTERM");
    await this.#process.exited;
  }
}

const run = (...command: string[]) => runCommand(command);

const inspect = async (image: string, ...flags: string[]): Promise<string> => {
  const { code, stdout, stderr } = await run(
    "skopeo",
    "inspect",
    ...flags,
    "--format",
    "{{.Digest}}",
    `docker://${image}`,
  );
  return code === 0 ? stdout.trim() : stderr;
};

describe("bunker registry serve", () => {
  let source: TestRegistry;

  beforeAll(async () => {
    source = await startRegistry({ "library/busybox": await busyboxImage() });
  });

  afterAll(() => source[Symbol.asyncDispose]());

  const copy = (from: string, to: string, ...flags: string[]) =>
    run("skopeo", "copy", "--src-tls-verify=false", ...flags, `docker://${from}`, `docker://${to}`);

  test("skopeo pushes and reads, and what was pushed outlives a kill", async () => {
    const data = join(folder, "plain");
    const before = await Served.start(data);
    const origin = `${source.host}/library/busybox:latest`;
    expect((await copy(origin, `${before.host}/a/b:1`, "--dest-tls-verify=false")).code).toBe(0);
    const digest = await inspect(origin, "--tls-verify=false");
    await before.kill();
    await using after = await Served.start(data);
    expect(await inspect(`${after.host}/a/b:1`, "--tls-verify=false")).toBe(digest);
    const second = await Served.start(data).catch((thrown: Error) => thrown.message);
    expect(second).toContain("Cannot");
  });

  test("the engine pulls from it and runs what it pulled", async () => {
    await using registry = await Served.start(join(folder, "engine"));
    await copy(
      `${source.host}/library/busybox:latest`,
      `${registry.host}/busybox:latest`,
      "--dest-tls-verify=false",
    );
    await using daemon = await TestDaemon.start();
    const { stdout, code } = await daemon.cli("run", "--rm", `${registry.host}/busybox`, "echo", "pulled");
    expect([code, stdout]).toEqual([0, "pulled\n"]);
  });

  test("what an engine of this host has need not be sent", async () => {
    await using daemon = await TestDaemon.start();
    await daemon.ok("pull", `${source.host}/library/busybox:latest`);
    const data = join(daemon.root, "shared");
    await using registry = await Served.start(data, "--share", daemon.dataRoot);
    const { code } = await copy(
      `${source.host}/library/busybox:latest`,
      `${registry.host}/shared:1`,
      "--dest-tls-verify=false",
    );
    expect(code).toBe(0);
    const manifest = await fetch(`${registry.url}/v2/shared/manifests/1`);
    const { layers } = (await manifest.json()) as { layers: { digest: string }[] };
    const hex = layers[0]?.digest.replace("sha256:", "") ?? "";
    const [theirs, ours] = await Promise.all([
      stat(join(daemon.dataRoot, "content/sha256", hex)),
      stat(join(data, "blobs/sha256", hex)),
    ]);
    expect(ours.ino).toBe(theirs.ino);
  });

  test("what a registry of this host has is linked by the engine, and not fetched", async () => {
    const data = join(folder, "linked");
    await using registry = await Served.start(data);
    const name = `${registry.host}/busybox:latest`;
    await copy(`${source.host}/library/busybox:latest`, name, "--dest-tls-verify=false");
    await using daemon = await TestDaemon.start({ args: ["--registry-data", data] });
    const { stdout, code } = await daemon.cli("run", "--rm", "--network", "none", name, "echo", "linked");
    expect([code, stdout]).toEqual([0, "linked\n"]);
    const { layers } = (await (await fetch(`${registry.url}/v2/busybox/manifests/latest`)).json()) as {
      layers: { digest: string }[];
    };
    for (const { digest } of layers) {
      const place = digest.replace(":", "/");
      const [theirs, ours] = await Promise.all(
        [join(data, "blobs", place), join(daemon.dataRoot, "content", place)].map((path) => stat(path)),
      );
      expect(ours?.ino).toBe(theirs?.ino ?? 0);
    }
  });

  test("an upload goes on where a kill in the middle of it left it", async () => {
    const data = join(folder, "killed");
    const before = await Served.start(data);
    const begun = await fetch(`${before.url}/v2/half/blobs/uploads/`, { method: "POST" });
    const place = begun.headers.get("location") ?? "";
    const bytes = crypto.getRandomValues(new Uint8Array(3 * 65_536));
    const { promise: never } = Promise.withResolvers<void>();
    const body = async function* () {
      yield bytes.subarray(0, 100_000);
      await never;
    };
    const cut = fetch(before.url + place, { method: "PATCH", body: body() } as RequestInit).catch(
      () => undefined,
    );
    while ((await stat(join(data, "uploads", place.split("/").at(-1) ?? "", "data"))).size < 100_000)
      await Bun.sleep(5);
    await before.kill();
    await cut;
    await using after = await Served.start(data);
    const state = await fetch(after.url + place);
    expect([state.status, state.headers.get("range")]).toEqual([204, "0-99999"]);
    const digest = `sha256:${new Bun.CryptoHasher("sha256").update(bytes).digest("hex")}`;
    const early = await fetch(`${after.url}/v2/half/blobs/${digest}`);
    expect(early.status).toBe(404);
    const rest = await fetch(`${after.url}${place}?digest=${digest}`, {
      method: "PUT",
      headers: { "Content-Range": `100000-${bytes.length - 1}` },
      body: bytes.subarray(100_000),
    });
    expect(rest.status).toBe(201);
    const blob = await fetch(`${after.url}/v2/half/blobs/${digest}`);
    expect(Buffer.from(await blob.arrayBuffer()).equals(bytes)).toBe(true);
    expect(await readdir(join(data, "uploads"))).toEqual([]);
  });

  test("an artifact is attached to an image, found by asking, and read again", async () => {
    await using registry = await Served.start(join(folder, "artifacts"));
    const image = `${registry.host}/app:1`;
    await copy(`${source.host}/library/busybox:latest`, image, "--dest-tls-verify=false");
    const client = new ArtifactClient(`${registry.url}/v2/app`);
    const subject = await client.describe("1");
    const text = '{"spdxVersion":"SPDX-2.3"}';
    const [sbom, signature] = [
      await client.attach(subject, { type: "application/spdx+json", text, annotations: { by: "test" } }),
      await client.attach(subject, { type: "application/vnd.example.signature", text: "signed" }),
    ];
    const all = await client.referrers(subject.digest);
    expect(all.manifests.map(({ digest }) => digest).sort()).toEqual([sbom, signature].sort());
    const { manifests, filters } = await client.referrers(subject.digest, "application/spdx+json");
    expect([filters, manifests]).toMatchObject([
      "artifactType",
      [{ digest: sbom, artifactType: "application/spdx+json", annotations: { by: "test" } }],
    ]);
    expect(await client.read(sbom)).toBe(text);
    expect((await client.referrers(`sha256:${"0".repeat(64)}`)).manifests).toEqual([]);
  });

  test("with TLS and passwords", async () => {
    const [cert, key, users] = ["cert.pem", "key.pem", "users"].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    const made = await run(
      ...["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"],
      ...["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
    );
    expect(made.code).toBe(0);
    await Bun.write(users, `anna:${await Bun.password.hash("secret", { algorithm: "bcrypt", cost: 5 })}\n`);
    const certs = join(folder, "certs");
    await Bun.write(join(certs, "ca.crt"), Bun.file(cert));
    await using registry = await Served.start(
      join(folder, "tls"),
      ...["--tls-cert", cert, "--tls-key", key, "--htpasswd", users],
    );
    const to = `${registry.host}/private/busybox:1`;
    const from = `${source.host}/library/busybox:latest`;
    const options = ["--dest-cert-dir", certs];
    const [nobody, wrong, right] = [
      await copy(from, to, ...options),
      await copy(from, to, ...options, "--dest-creds", "anna:guess"),
      await copy(from, to, ...options, "--dest-creds", "anna:secret"),
    ];
    expect([nobody.code, wrong.code, right.code]).toEqual([1, 1, 0]);
    const refused = await Served.start(
      join(folder, "open"),
      "--listen",
      "0.0.0.0:0",
      "--htpasswd",
      users,
    ).catch((thrown: Error) => thrown.message);
    expect(refused).toContain("passwords would be read by others");
  });

  test("as a cache it serves what it fetched, also when its origin is gone", async () => {
    const origin = await Served.start(join(folder, "origin"));
    await copy(
      `${source.host}/library/busybox:latest`,
      `${origin.host}/busybox:1`,
      "--dest-tls-verify=false",
    );
    await using cache = await Served.start(join(folder, "cache"), "--proxy", origin.url);
    const target = (name: string) => `dir:${join(folder, name)}`;
    const pull = (name: string) =>
      run("skopeo", "copy", "--src-tls-verify=false", `docker://${cache.host}/busybox:1`, target(name));
    expect((await pull("first")).code).toBe(0);
    await origin.kill();
    expect((await pull("second")).code).toBe(0);
    const push = await copy(`${cache.host}/busybox:1`, `${cache.host}/other:1`, "--dest-tls-verify=false");
    expect([push.code, push.stderr.includes("cache of another")]).toEqual([1, true]);
    const unknown = await fetch(`${cache.url}/v2/unknown/manifests/1`);
    expect(unknown.status).toBe(503);
  });

  test("gc says what it would free, and frees it while the registry serves", async () => {
    const data = join(folder, "gc");
    await using registry = await Served.start(data, "--delete");
    await copy(
      `${source.host}/library/busybox:latest`,
      `${registry.host}/busybox:1`,
      "--dest-tls-verify=false",
    );
    const digest = await inspect(`${registry.host}/busybox:1`, "--tls-verify=false");
    await fetch(`${registry.url}/v2/busybox/manifests/${digest}`, { method: "DELETE" });
    const trial = await run(BUNKER, "registry", "gc", "--data", data, "--grace", "0", "--dry-run");
    expect(trial.stdout).toContain("Would free");
    const real = await run(BUNKER, "registry", "gc", "--data", data, "--grace", "0");
    expect(real.stdout.replace("Freed", "Would free")).toBe(trial.stdout);
    expect(real.stdout).toMatch(/in [1-9]\d* blobs/);
    const again = await run(BUNKER, "registry", "gc", "--data", data, "--grace", "0");
    expect(again.stdout).toBe("Freed 0 bytes in 0 blobs\n");
  });
});

describe("bunker push", () => {
  test("keeps the digest, sends what is missing, mounts what a neighbour has", async () => {
    await using source = await startRegistry({ "library/busybox": await busyboxImage() });
    await using registry = await Served.start(join(folder, "push"));
    await using daemon = await TestDaemon.start();
    const from = `${source.host}/library/busybox:latest`;
    await daemon.ok("pull", from);
    const to = `${registry.host}/team/app`;
    await daemon.ok("tag", from, `${to}:1`);
    await daemon.ok("tag", from, `${to}:2`);
    const first = await daemon.ok("push", `${to}:1`);
    expect(first).toContain(`The push refers to repository [${to}]`);
    expect(first).toMatch(/[0-9a-f]{12}: Pushed/);
    const digest = await inspect(from, "--tls-verify=false");
    expect(first).toContain(`1: digest: ${digest} size: `);
    expect(await inspect(`${to}:1`, "--tls-verify=false")).toBe(digest);
    expect(await daemon.ok("push", "--all-tags", to)).toContain("Layer already exists");
    expect(await inspect(`${to}:2`, "--tls-verify=false")).toBe(digest);
    await daemon.ok("pull", `${to}:1`);
    await daemon.ok("tag", from, `${registry.host}/other/app:1`);
    expect(await daemon.ok("push", `${registry.host}/other/app:1`)).toContain("Mounted from team/app");
    const unknown = await daemon.cli("push", `${registry.host}/nobody/app:1`);
    expect([unknown.code, unknown.stderr]).toEqual([
      1,
      expect.stringContaining("An image does not exist locally with the tag"),
    ]);
  });

  test("Debian's registry takes it as well", async () => {
    await using target = await startRegistry({ "library/busybox": await busyboxImage() });
    await using daemon = await TestDaemon.start();
    await daemon.ok("pull", `${target.host}/library/busybox`);
    await daemon.ok("tag", `${target.host}/library/busybox`, `${target.host}/copy/busybox:1`);
    expect(await daemon.ok("push", `${target.host}/copy/busybox:1`)).toContain(
      "Mounted from library/busybox",
    );
    expect(await inspect(`${target.host}/copy/busybox:1`, "--tls-verify=false")).toBe(
      await inspect(`${target.host}/library/busybox:latest`, "--tls-verify=false"),
    );
  });

  test("a password that is wanted and not given is asked for in Docker's words", async () => {
    const users = join(folder, "users-push");
    await Bun.write(users, `anna:${await Bun.password.hash("secret", { algorithm: "bcrypt", cost: 5 })}\n`);
    await using registry = await Served.start(join(folder, "closed"), "--htpasswd", users);
    await using daemon = await TestDaemon.start();
    await daemon.ok("pull", "bunker/demo");
    await daemon.ok("tag", "bunker/demo", `${registry.host}/demo:1`);
    const { code, stderr } = await daemon.cli("push", `${registry.host}/demo:1`);
    expect([code, stderr]).toEqual([1, expect.stringContaining("no basic auth credentials")]);
  });
});
