import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { BUNKER, type Outcome, run, TestDaemon } from "../fixtures/daemon.ts";
import { requirePackages } from "../fixtures/index.ts";
import { serveImages } from "../fixtures/served-images.ts";

const SECRET = "correct horse & battery: staple";
let base: string;
let daemon: TestDaemon;
let undo: AsyncDisposableStack;
let registry: { host: string };

beforeAll(async () => {
  await requirePackages(["docker.io"]);
  undo = new AsyncDisposableStack();
  base = await mkdtemp(`${tmpdir()}/login-`);
  undo.defer(() => rm(base, { recursive: true, force: true }));
  const served = undo.use(serveImages());
  daemon = undo.use(await TestDaemon.start({ args: ["--registry-mirror", served.url] }));
  await daemon.ok("pull", "-q", "busybox");
  const hash = await Bun.password.hash(SECRET, { algorithm: "bcrypt", cost: 4 });
  await Bun.write(`${base}/htpasswd`, `me:${hash}\n`);
  registry = await guarded();
}, 120_000);
afterAll(() => undo?.disposeAsync(), 120_000);

/** A registry of the built program that lets only one user in. */
async function guarded(): Promise<{ host: string }> {
  const words = [
    "registry",
    "serve",
    "--listen",
    "127.0.0.1:0",
    "--data",
    `${base}/r`,
    "--htpasswd",
    `${base}/htpasswd`,
  ];
  const child = Bun.spawn(["setpriv", "--pdeathsig", "KILL", "--", BUNKER, ...words], {
    stdout: "ignore",
    stderr: "pipe",
  });
  undo.defer(async () => {
    child.kill();
    await child.exited;
  });
  let said = "";
  for await (const part of child.stderr) {
    said += Buffer.from(part).toString();
    const [, host] = /Listening on https?:\/\/([^,\s]+)/.exec(said) ?? [];
    if (host !== undefined) return { host };
  }
  throw new Error(`the registry did not start: ${said}`);
}

/** A client with a configuration of its own. */
function client(name: string, program = BUNKER) {
  const environment = {
    DOCKER_CONFIG: `${base}/${name}`,
    BUNKER_HOST: `unix://${daemon.socket}`,
    DOCKER_HOST: `unix://${daemon.socket}`,
  };
  const ask = (words: readonly string[], input?: string): Promise<Outcome> =>
    run([program, ...words], environment, input);
  return { ask, config: `${base}/${name}/config.json` };
}

describe("a registry with passwords", () => {
  test("is pushed to and pulled from after a login, and not before nor after a logout", async () => {
    const { ask, config } = client("one");
    const name = `${registry.host}/team/app:1`;
    expect((await ask(["tag", "busybox", name])).code).toBe(0);
    const before = await ask(["push", name]);
    expect([before.code, before.stderr]).toEqual([1, expect.stringContaining("no basic auth credentials")]);
    const login = await ask(["login", "-u", "me", "--password-stdin", registry.host], `${SECRET}\n`);
    expect([login.code, login.stdout]).toEqual([0, "Login Succeeded\n"]);
    expect(login.stderr).toContain(`stored unencrypted in '${config}'`);
    expect((await stat(config)).mode & 0o777).toBe(0o600);
    expect((await ask(["push", "-q", name])).code).toBe(0);
    expect((await ask(["rmi", name])).code).toBe(0);
    expect((await ask(["pull", "-q", name])).code).toBe(0);
    const X = Buffer.from(JSON.stringify({ username: "me", password: SECRET })).toString("base64url");
    const told = await daemon.request("GET", `/distribution/${name}/json`, undefined, {
      "X-Registry-Auth": X,
    });
    expect(await told.json()).toEqual({
      Descriptor: expect.objectContaining({
        digest: expect.stringMatching(/^sha256:/),
        size: expect.any(Number),
      }),
      Platforms: [expect.objectContaining({ os: "linux" })],
    });
    expect((await daemon.request("GET", `/distribution/${name}/json`)).status).toBe(401);
    expect((await ask(["rmi", name])).code).toBe(0);
    expect((await ask(["run", "--rm", "-q", name, "true"])).code).toBe(0);
    expect((await ask(["login", registry.host])).stdout).toBe(
      "Authenticating with existing credentials...\nLogin Succeeded\n",
    );
    expect((await ask(["logout", registry.host])).stdout).toBe(
      `Removing login credentials for ${registry.host}\n`,
    );
    expect((await ask(["logout", registry.host])).stdout).toBe(`Not logged in to ${registry.host}\n`);
    expect((await ask(["rmi", "-f", name])).code).toBe(0);
    expect((await ask(["pull", name])).code).toBe(1);
  });

  test("is one for docker as well, which finds our login and we its", async () => {
    const [ours, docker] = [client("two"), client("two", "/usr/bin/docker")];
    const words = ["login", "-u", "me", "--password-stdin", registry.host];
    expect(await docker.ask(words, SECRET)).toMatchObject({ code: 0, stdout: "Login Succeeded\n" });
    expect((await ours.ask(["pull", "-q", `${registry.host}/team/app:1`])).code).toBe(0);
    expect((await ours.ask(["rmi", `${registry.host}/team/app:1`])).code).toBe(0);
    expect((await docker.ask(["logout", registry.host])).code).toBe(0);
    expect((await ours.ask(words, SECRET)).code).toBe(0);
    expect((await docker.ask(["pull", "-q", `${registry.host}/team/app:1`])).code).toBe(0);
  });

  test("refuses a wrong password: nothing is kept, and nobody repeats it", async () => {
    const { ask, config } = client("three");
    const wrong = "hunter-two-and-a-half";
    const { code, stdout, stderr } = await ask(
      ["login", "-u", "me", "--password-stdin", registry.host],
      wrong,
    );
    expect([code, stderr]).toEqual([1, expect.stringContaining("unauthorized")]);
    expect(await Bun.file(config).exists()).toBe(false);
    const reply = await daemon.request("POST", "/auth", {
      username: "me",
      password: wrong,
      serveraddress: registry.host,
    });
    expect(reply.status).toBe(401);
    const jobs = await (await daemon.request("GET", "/bunker/jobs")).text();
    expect(jobs).toContain("system.login");
    for (const text of [stdout, stderr, await reply.text(), jobs]) expect(text).not.toContain(wrong);
  });

  test.each([
    [["login", "-p", "x", "--password-stdin", "r.test"], "mutually exclusive"],
    [["login", "--password-stdin", "r.test"], "Must provide --username with --password-stdin"],
    [["login", "r.test"], "Cannot perform an interactive login from a non TTY device"],
    [["login", "-u", "me", "--password-stdin", "r.test"], "Password Required"],
  ])("%j is refused in docker's words", async (words, sentence) => {
    const { code, stderr } = await client("four").ask(words, "");
    expect([code, stderr]).toEqual([1, expect.stringContaining(sentence)]);
  });
});

test("a token service's identity token is kept in the password's place, and used in it", async () => {
  const seen: string[] = [];
  const valid = "Bearer access-1";
  await using server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const url = new URL(request.url);
      if (url.pathname === "/token") {
        const form = request.method === "POST" ? new URLSearchParams(await request.text()) : url.searchParams;
        const isUser =
          request.headers.get("authorization") === `Basic ${Buffer.from(`me:${SECRET}`).toString("base64")}`;
        seen.push(`${request.method} ${form.get("offline_token")} ${form.get("grant_type")} ${isUser}`);
        if (!isUser && form.get("refresh_token") !== "identity-1")
          return Response.json({ details: "no" }, { status: 401 });
        return Response.json({
          token: "access-1",
          ...(form.get("offline_token") === "true" && { refresh_token: "identity-1" }),
        });
      }
      if (request.headers.get("authorization") === valid)
        return Response.json(
          { errors: [{ code: "MANIFEST_UNKNOWN", message: "no such manifest" }] },
          { status: url.pathname === "/v2/" ? 200 : 404 },
        );
      const realm = `Bearer realm="http://${url.host}/token",service="s"`;
      return new Response("{}", { status: 401, headers: { "WWW-Authenticate": realm } });
    },
  });
  const host = `127.0.0.1:${server.port}`;
  const { ask, config } = client("five");
  const login = await ask(["login", "-u", "me", "--password-stdin", host], SECRET);
  expect([login.code, login.stdout]).toEqual([0, "Login Succeeded\n"]);
  const entry = { auth: Buffer.from("me:").toString("base64"), identitytoken: "identity-1" };
  expect((await Bun.file(config).json()).auths).toEqual({ [host]: entry });
  const pull = await ask(["pull", `${host}/app`]);
  expect([pull.code, pull.stderr]).toEqual([1, expect.stringContaining("not found")]);
  expect(seen).toEqual(["GET true null true", "POST null refresh_token false"]);
  expect(await readdir(`${base}/five`)).toEqual(["config.json"]);
});
