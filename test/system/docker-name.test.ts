import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmod, symlink } from "node:fs/promises";
import { type Scratch, scratch } from "../fakes/scratch.ts";
import { Authority } from "../fixtures/certificates.ts";
import { BUNKER, type Outcome, run, TestDaemon } from "../fixtures/daemon.ts";
import { requirePackages } from "../fixtures/index.ts";

const MINUTE = 60_000;
/** Debian's docker.io; another in PATH is not asked for. */
const DOCKER = "/usr/bin/docker";

let daemon: TestDaemon;
let home: Scratch;
/** The built program under the name of docker. */
let link: string;

beforeAll(async () => {
  await requirePackages(["docker.io", "openssl"]);
  home = await scratch();
  link = `${home.path}/docker`;
  await symlink(BUNKER, link);
  daemon = await TestDaemon.start();
}, 5 * MINUTE);

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]();
  await home?.[Symbol.asyncDispose]();
}, MINUTE);

const ask = (program: string, ...words: readonly string[]): Promise<Outcome> =>
  run([program, ...words], { DOCKER_CONFIG: home.path });

async function ok(program: string, ...words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await ask(program, ...words);
  if (code !== 0) throw new Error(`${program} ${words.join(" ")} ended with ${code}: ${stderr}`);
  return stdout.trim();
}

describe("a link called docker", () => {
  test.each([["-v"], ["--version"]])("tells its version as programs look for it: %s", async (flag) => {
    expect(await ok(link, flag)).toMatch(/^Docker version \S+, build \S+$/);
    expect(await ok(BUNKER, flag)).toMatch(/^bunker version \S+$/);
  });

  test("says docker in usage and errors", async () => {
    expect((await ask(link, "ps", "x")).stderr).toBe(
      "docker: 'docker ps' accepts no arguments\n\nUsage:  docker ps [OPTIONS]\n\nRun 'docker ps --help' for more information\n",
    );
    expect((await ask(link, "imagse")).stderr).toBe(
      "docker: unknown command: docker imagse\nDid you mean 'docker images'?\n\nRun 'docker --help' for more information\n",
    );
    expect(await ok(link, "run", "--help")).toContain("\nExample:\n  docker run ");
  });

  test("goes where DOCKER_HOST says", async () => {
    const host = `unix://${daemon.socket}`;
    const { stdout } = await run([link, "version", "--format", "{{.Server.Platform.Name}}"], {
      DOCKER_HOST: host,
    });
    expect(stdout).toBe("bunker\n");
  });

  test("runs docker's plugins with the daemon that it knows itself, and ends as they end", async () => {
    const folder = `${home.path}/cli-plugins`;
    await Bun.write(`${folder}/docker-hello`, '#!/bin/sh\necho "$DOCKER_HOST $*"\nexit 7\n');
    await chmod(`${folder}/docker-hello`, 0o755);
    await Bun.write(`${folder}/docker-plain`, "no program");
    const host = `unix://${daemon.socket}`;
    const environment = { DOCKER_CONFIG: home.path, BUNKER_HOST: host, DOCKER_HOST: "" };
    for (const program of [link, BUNKER]) {
      const { code, stdout } = await run([program, "hello", "up", "-d"], environment);
      expect([code, stdout]).toEqual([7, `${host} hello up -d\n`]);
    }
    expect((await run([BUNKER, "plain"], environment)).stderr).toContain("unknown command: bunker plain");
  });
});

describe("contexts of Debian's docker client and of bunker", () => {
  const inspected = async (program: string, name: string) =>
    JSON.parse(await ok(program, "context", "inspect", name));

  test("are the same, whoever wrote them", async () => {
    const { ca, cert, key } = await (await Authority.make(home.path, "authority")).sign("me", "client");
    const endpoint = `host=tcp://10.0.0.7:2376,ca=${ca},cert=${cert},key=${key}`;
    await ok(DOCKER, "context", "create", "theirs", "--description", "by docker", "--docker", endpoint);
    await ok(BUNKER, "context", "create", "ours", "--description", "by bunker", "--docker", endpoint);
    for (const name of ["theirs", "ours"])
      expect(await inspected(BUNKER, name)).toEqual(await inspected(DOCKER, name));
    const [{ TLSMaterial }] = await inspected(DOCKER, "ours");
    expect(TLSMaterial).toEqual({ docker: ["ca.pem", "cert.pem", "key.pem"] });
    expect(await ok(BUNKER, "context", "ls", "-q")).toBe(await ok(DOCKER, "context", "ls", "-q"));
  });

  test("are used and unused by both", async () => {
    const host = `host=unix://${daemon.socket}`;
    await ok(BUNKER, "context", "create", "here", "--docker", host);
    await ok(DOCKER, "context", "use", "here");
    expect(await ok(BUNKER, "context", "show")).toBe("here");
    expect(await ok(BUNKER, "version", "--format", "{{.Server.Platform.Name}}")).toBe("bunker");
    await ok(BUNKER, "context", "use", "default");
    await ok(BUNKER, "context", "use", "here");
    expect(await ok(DOCKER, "version", "--format", "{{.Server.Platform.Name}}")).toBe("bunker");
    expect(await ok(DOCKER, "context", "ls", "--format", "{{.Name}} {{.Current}}")).toContain("here true");
    await ok(DOCKER, "context", "rm", "-f", "here");
    await ok(BUNKER, "context", "use", "default");
    expect((await ask(BUNKER, "-c", "here", "ps")).stderr).toContain('context "here": context not found');
  });

  test.each([
    [DOCKER, BUNKER],
    [BUNKER, DOCKER],
  ])("that %s exported are imported by %s, certificates too", async (from, to) => {
    const file = `${home.path}/${crypto.randomUUID()}.tar`;
    await ok(from, "context", "export", "ours", file);
    await ok(to, "context", "import", "copied", file);
    const [copied] = await inspected(from, "copied");
    const [original] = await inspected(from, "ours");
    expect(copied.Endpoints).toEqual(original.Endpoints);
    const files = ["ca.pem", "cert.pem", "key.pem"];
    for (const name of files) {
      const texts = [copied, original].map(({ Storage }) =>
        Bun.file(`${Storage.TLSPath}/docker/${name}`).text(),
      );
      expect(await texts[0]).toBe(await (texts[1] ?? ""));
    }
    await ok(from, "context", "rm", "copied");
  });
});
