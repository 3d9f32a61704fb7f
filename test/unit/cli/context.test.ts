import { describe, expect, test } from "bun:test";
import { existsSync, statSync } from "node:fs";
import { runCli } from "#cli";
import { ConfigFile } from "../../../src/cli/config-file.ts";
import { type Asked, connectionOf, currentContext } from "../../../src/cli/connection.ts";
import { packContext, unpackContext } from "../../../src/cli/contexts/archive.ts";
import { ContextStore } from "../../../src/cli/contexts/store.ts";
import { parseFlags } from "../../../src/cli/flags.ts";
import { GLOBAL_FLAGS } from "../../../src/cli/globals.ts";
import { fakeDaemon } from "../../fakes/fake-daemon.ts";
import { scratch } from "../../fakes/scratch.ts";

const CONTEXT = {
  Name: "lab",
  Metadata: { Description: "the lab" },
  Endpoints: { docker: { Host: "tcp://10.0.0.7:2376", SkipTLSVerify: true } },
};
const TLS = { docker: { "ca.pem": new TextEncoder().encode("a certificate") } };

/** Runs a command line without `-H` in a folder of its own. */
async function inFolder(folder: string, words: readonly string[], env: Record<string, string> = {}) {
  let out = "";
  let err = "";
  const add = (content: string | Uint8Array) =>
    typeof content === "string" ? content : Buffer.from(content).toString();
  const console = {
    out(content: string | Uint8Array) {
      out += add(content);
    },
    err(content: string | Uint8Array) {
      err += add(content);
    },
    busy: () => undefined,
    settled: async () => undefined,
    isTerminal: () => false,
    line: () => "",
  };
  const code = await runCli(words, { console, env: { DOCKER_CONFIG: folder, ...env }, program: "bunker" });
  return { code, out, err };
}

describe("the context in force", () => {
  const HOST = "tcp://1.2.3.4:5";
  const asked = (
    words: readonly string[],
    env: Record<string, string>,
    program: Asked["program"],
  ): Asked => ({
    flags: parseFlags(GLOBAL_FLAGS, words).flags,
    env,
    program,
    config: ConfigFile.read(env),
  });

  test.each<[string[], Record<string, string>, string]>([
    [[], {}, "used"],
    [[], { DOCKER_CONTEXT: "named" }, "named"],
    [[], { DOCKER_CONTEXT: "named", DOCKER_HOST: HOST }, "default"],
    [[], { DOCKER_CONTEXT: "named", BUNKER_HOST: HOST }, "default"],
    [["-H", HOST], { DOCKER_CONTEXT: "named" }, "default"],
    [["-c", "flag"], { DOCKER_CONTEXT: "named", DOCKER_HOST: HOST }, "flag"],
    [["--context", "default"], { DOCKER_CONTEXT: "named" }, "default"],
    [["--context", ""], { DOCKER_CONTEXT: "named" }, "named"],
  ])("with %p and %p is %s", async (words, env, name) => {
    await using folder = await scratch();
    await Bun.write(`${folder.path}/config.json`, '{"currentContext":"used"}');
    expect(currentContext(asked(words, { DOCKER_CONFIG: folder.path, ...env }, "bunker"))).toBe(name);
  });

  test.each<[string[], Record<string, string>, Asked["program"], string]>([
    [[], { BUNKER_HOST: "a", DOCKER_HOST: "b" }, "bunker", "a"],
    [[], { BUNKER_HOST: "a", DOCKER_HOST: "b" }, "docker", "b"],
    [[], { BUNKER_HOST: "", DOCKER_HOST: "b" }, "bunker", "b"],
    [[], {}, "bunker", "unix:///run/bunker/bunker.sock"],
    [["-H", "c"], { BUNKER_HOST: "a" }, "bunker", "c"],
  ])("that is no file: with %p and %p called %s leads to %s", async (words, env, program, host) => {
    await using folder = await scratch();
    expect(connectionOf(asked(words, { DOCKER_CONFIG: folder.path, ...env }, program)).host).toBe(host);
  });

  test("gives the daemon's address and its certificates", async () => {
    await using folder = await scratch();
    const env = { DOCKER_CONFIG: folder.path, DOCKER_CONTEXT: "lab" };
    new ContextStore(env).write(CONTEXT, TLS);
    expect(connectionOf(asked([], env, "bunker"))).toEqual({
      host: "tcp://10.0.0.7:2376",
      options: { headers: {}, tls: { isVerified: false, ca: "a certificate" } },
    });
  });

  test("that is not there ends a command with the reason", async () => {
    await using folder = await scratch();
    const { code, err } = await inFolder(folder.path, ["-c", "gone", "ps"]);
    expect([code, err]).toEqual([
      1,
      expect.stringContaining('unable to resolve docker endpoint: context "gone": context not found'),
    ]);
  });

  test("leads a command to its daemon, with the headers of the configuration", async () => {
    await using folder = await scratch();
    await using daemon = await fakeDaemon((_, connection) => connection.reply(200, []));
    await Bun.write(
      `${folder.path}/config.json`,
      '{"HttpHeaders":{"X-Team":"blue","Host":"evil","Bad\\n":"x"}}',
    );
    await inFolder(folder.path, ["context", "create", "here", "--docker", `host=${daemon.host}`]);
    expect(await inFolder(folder.path, ["context", "use", "here"])).toEqual({
      code: 0,
      out: "here\n",
      err: 'Current context is now "here"\n',
    });
    expect((await inFolder(folder.path, ["ps", "-q"])).code).toBe(0);
    const [request] = daemon.requests;
    expect([request?.fields.get("x-team"), request?.fields.get("host")]).toEqual(["blue", "bunker"]);
  });

  test("cannot be named beside a host", async () => {
    await using folder = await scratch();
    expect(await inFolder(folder.path, ["-H", HOST, "-c", "lab", "ps"])).toMatchObject({
      code: 1,
      err: "conflicting options: cannot specify both --host and --context\n",
    });
  });
});

describe("the store of contexts", () => {
  test("is docker's: folders by the sha256 of the name, keys for the owner alone", async () => {
    await using folder = await scratch();
    const store = new ContextStore({ DOCKER_CONFIG: folder.path });
    store.write(CONTEXT, TLS);
    const id = new Bun.CryptoHasher("sha256").update("lab").digest("hex");
    expect(await Bun.file(`${folder.path}/contexts/meta/${id}/meta.json`).json()).toEqual(CONTEXT);
    const key = statSync(`${folder.path}/contexts/tls/${id}/docker/ca.pem`);
    expect(key.mode & 0o777).toBe(0o600);
    expect(statSync(`${folder.path}/contexts/tls/${id}`).mode & 0o777).toBe(0o700);
    store.write({ ...CONTEXT, Metadata: {} });
    expect([store.read("lab").Metadata, store.tlsFiles("lab")]).toEqual([{}, { docker: ["ca.pem"] }]);
    store.remove("lab");
    expect([store.names(), existsSync(`${folder.path}/contexts/tls/${id}`)]).toEqual([[], false]);
  });

  test("names a context whose file is broken", async () => {
    await using folder = await scratch();
    const store = new ContextStore({ DOCKER_CONFIG: folder.path });
    await Bun.write(`${store.metaFolder("odd")}/meta.json`, "[]");
    expect(() => store.read("odd")).toThrow('Cannot read the context "odd": it is no context');
    expect(store.names()).toEqual([]);
  });
});

describe("an exported context", () => {
  test("comes back as it was, also without the end that docker leaves out", async () => {
    const bytes = await packContext(CONTEXT, TLS);
    for (const length of [bytes.length, bytes.length - 5000])
      expect(await unpackContext(bytes.subarray(0, length))).toEqual({ context: CONTEXT, tls: TLS });
  });

  test.each<[string, Record<string, string>]>([
    ["holds no meta.json", { "tls/docker/ca.pem": "x" }],
    ["belongs to no context", { "meta.json": JSON.stringify(CONTEXT), "tls/../../x": "x" }],
    ["belongs to no context", { "meta.json": JSON.stringify(CONTEXT), "tls/docker/.ssh": "x" }],
    ["it is no context", { "meta.json": "{}" }],
    ["it is no context", { "meta.json": JSON.stringify({ Name: "a", Endpoints: { docker: { Host: 5 } } }) }],
    [
      "it is no context",
      { "meta.json": JSON.stringify({ Name: "a", Metadata: { Description: {} }, Endpoints: {} }) },
    ],
  ])("is refused when it %s: %p", async (reason, files) => {
    await expect(unpackContext(await new Bun.Archive(files).bytes())).rejects.toThrow(reason);
  });

  test("is refused when it is packed, or has holes: it could be larger than anybody's memory", async () => {
    const plain = await new Bun.Archive({ "meta.json": JSON.stringify(CONTEXT) }).bytes();
    await expect(unpackContext(Bun.gzipSync(Uint8Array.from(plain)))).rejects.toThrow("no exported context");
    await using folder = await scratch();
    await Bun.$`truncate -s 64M meta.json && tar --sparse -cf sparse.tar meta.json`.cwd(folder.path).quiet();
    const sparse = await Bun.file(`${folder.path}/sparse.tar`).bytes();
    await expect(unpackContext(sparse)).rejects.toThrow('"meta.json" is no plain file');
  });

  test("is not read to its end when it is far too large", async () => {
    await using folder = await scratch();
    await Bun.$`truncate -s 100G endless`.cwd(folder.path);
    const { code, err } = await inFolder(folder.path, ["context", "import", "lab", `${folder.path}/endless`]);
    expect([code, err]).toEqual([1, "Cannot import the context: it is larger than 10485760 bytes\n"]);
  });

  test("is refused when it is no archive", async () => {
    await expect(unpackContext(new TextEncoder().encode("PK and more"))).rejects.toThrow(
      "Cannot import the context: the file is no exported context",
    );
  });
});

describe("bunker context", () => {
  test("ls marks the one in force, shows one that is not there, and warns of a variable that is stronger", async () => {
    await using folder = await scratch();
    await inFolder(folder.path, [
      "context",
      "create",
      "lab",
      "--docker",
      "host=tcp://h:1",
      "--description",
      "d",
    ]);
    await Bun.write(`${folder.path}/config.json`, '{"currentContext":"gone"}');
    const { out } = await inFolder(folder.path, [
      "context",
      "ls",
      "--format",
      "{{.Name}} {{.Current}} {{.DockerEndpoint}}",
    ]);
    expect(out).toBe("default false unix:///run/bunker/bunker.sock\ngone true \nlab false tcp://h:1\n");
    const { err } = await inFolder(folder.path, ["context", "ls"], { DOCKER_HOST: "tcp://x:1" });
    expect(err).toContain("Warning: DOCKER_HOST environment variable overrides the active context");
  });

  test.each<[string[], string]>([
    [["create", "default"], '"default" is a reserved context name'],
    [["create", "a b"], 'context name "a b" is invalid'],
    [["create", "lab"], 'context "lab" already exists'],
    [["create", "x1", "--docker", "bogus=1"], "unrecognized config key: bogus"],
    [["create", "x1", "--docker", "ca=/nowhere"], "Cannot read the TLS file /nowhere"],
    [["create", "x1", "--docker", "host=ftp://x"], 'Cannot use "ftp://x" as the daemon\'s address'],
    [["create", "x1", "--from", "lab", "--docker", "host=x"], "cannot use --docker flag when --from is set"],
    [["create", "x1", "--from", "nope"], 'context "nope": context not found'],
    [["update", "nope"], 'context "nope": context not found'],
    [["use", "nope"], 'context "nope": context not found'],
    [["rm", "default"], 'context "default" cannot be removed'],
    [["rm", "nope"], 'context "nope" does not exist'],
    [["import", "lab", "/nowhere"], 'context "lab" already exists'],
    [["import", "x1", "/nowhere"], "Cannot read /nowhere"],
    [["export", "lab", "/proc/version"], "Cannot export the context to /proc/version"],
  ])("%p ends with 1: %s", async (words, reason) => {
    await using folder = await scratch();
    new ContextStore({ DOCKER_CONFIG: folder.path }).write(CONTEXT);
    const { code, err } = await inFolder(folder.path, ["context", ...words]);
    expect([code, err]).toEqual([1, expect.stringContaining(reason)]);
  });

  test("rm of the one in force needs --force, and then none is in force", async () => {
    await using folder = await scratch();
    new ContextStore({ DOCKER_CONFIG: folder.path }).write(CONTEXT);
    await inFolder(folder.path, ["context", "use", "lab"]);
    expect((await inFolder(folder.path, ["context", "rm", "lab"])).err).toContain('context "lab" is in use');
    expect(await inFolder(folder.path, ["context", "rm", "-f", "lab"])).toMatchObject({
      code: 0,
      out: "lab\n",
    });
    expect((await inFolder(folder.path, ["context", "show"])).out).toBe("default\n");
  });
});
