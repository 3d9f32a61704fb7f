import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { chmod, mkdir, readdir, rm, stat, symlink } from "node:fs/promises";
import { ConfigFile } from "../../../src/cli/config-file.ts";
import {
  authFor,
  eraseLogin,
  HUB,
  registryKey,
  storedLogin,
  storeLogin,
} from "../../../src/cli/login/credentials.ts";
import { askHelper } from "../../../src/cli/login/helper.ts";
import { scratch } from "../../fakes/scratch.ts";

let root: Awaited<ReturnType<typeof scratch>>;
let env: Record<string, string>;
const path = () => `${root.path}/config/config.json`;
const write = (settings: object) => Bun.write(path(), JSON.stringify(settings));
const read = () => ConfigFile.read(env);
const auth = (text: string) => Buffer.from(text).toString("base64");

beforeAll(async () => {
  root = await scratch();
  env = { DOCKER_CONFIG: `${root.path}/config` };
});
beforeEach(() => rm(`${root.path}/config`, { recursive: true, force: true }));
afterAll(() => root[Symbol.asyncDispose]());

test.each([
  ["", HUB],
  ["docker.io", HUB],
  ["https://index.docker.io/v1/", HUB],
  ["localhost:5000", "localhost:5000"],
  ["https://r.test/v2/", "r.test"],
])("the registry %j is kept as %j", (server, key) => {
  expect(registryKey(server)).toBe(key);
});

describe("the client's configuration", () => {
  test.each([
    ["r.test", { auth: auth("u:p:q") }, { username: "u", password: "p:q" }],
    ["https://r.test", { auth: auth("u:p") }, { username: "u", password: "p" }],
    ["https://r.test/v1/", { auth: auth("u:p") }, { username: "u", password: "p" }],
    ["r.test", { auth: auth("u:"), identitytoken: "t" }, { username: "u", password: "", identitytoken: "t" }],
    ["r.test", {}, undefined],
    ["r.test", { auth: "no colon" }, undefined],
    ["r.test", 5, undefined],
    ["other.test", { auth: auth("u:p") }, undefined],
  ])("under %j with %j means %j", async (key, entry, login) => {
    await write({ auths: { [key]: entry } });
    expect(await storedLogin(read(), "r.test")).toEqual(login as never);
  });

  test("is written for its owner alone, and keeps what others put into it", async () => {
    await write({
      detachKeys: "ctrl-x",
      auths: { "https://r.test": { auth: "old" }, "o.test": { auth: "x" } },
    });
    await chmod(path(), 0o644);
    expect(await storeLogin(read(), "r.test", { username: "u", password: "p" })).toEqual({ isPlain: true });
    expect((await stat(path())).mode & 0o777).toBe(0o600);
    expect(await Bun.file(path()).json()).toEqual({
      detachKeys: "ctrl-x",
      auths: { "o.test": { auth: "x" }, "r.test": { auth: auth("u:p") } },
    });
    expect(await eraseLogin(read(), "r.test")).toBe(true);
    expect(await eraseLogin(read(), "r.test")).toBe(false);
    expect((await Bun.file(path()).json()).auths).toEqual({ "o.test": { auth: "x" } });
    expect(await readdir(`${root.path}/config`)).toEqual(["config.json"]);
  });

  test("stays a link where it was one, and is made where it was not", async () => {
    await storeLogin(read(), HUB, { username: "u", password: "p", identitytoken: "t" });
    expect((await stat(`${root.path}/config`)).mode & 0o777).toBe(0o700);
    const elsewhere = `${root.path}/elsewhere.json`;
    await Bun.write(elsewhere, await Bun.file(path()).text());
    await rm(path());
    await symlink(elsewhere, path());
    await eraseLogin(read(), HUB);
    expect(await Bun.file(elsewhere).json()).toEqual({ auths: {} });
  });

  test.each(["{", "[]", '"secret"', '{"auths": "secret"'])(
    "that is %j is refused without being quoted",
    async (text) => {
      await Bun.write(path(), text);
      expect(read).toThrow(expect.objectContaining({ kind: "invalid" }));
      expect(read).not.toThrow(/secret/);
      const told: string[] = [];
      expect(await authFor({ env, complain: (line) => told.push(line) }, "r.test/a")).toEqual({});
      expect(told).toEqual([expect.stringContaining("WARNING: Cannot read the client's configuration")]);
    },
  );
});

describe("a credential helper", () => {
  /** Keeps what it is given in a file, as the real ones keep it in a key ring. */
  const SCRIPT = `#!/bin/sh
case $1 in
get) read -r server; cat "$KEPT/$server" 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; };;
store) cat > "$KEPT/r.test";;
erase) read -r server; rm -f "$KEPT/$server";;
esac
`;
  const before = process.env.PATH;
  const program = async (name: string, text: string) => {
    await Bun.write(`${root.path}/bin/docker-credential-${name}`, text);
    await chmod(`${root.path}/bin/docker-credential-${name}`, 0o755);
  };

  beforeAll(async () => {
    await mkdir(`${root.path}/kept`);
    process.env.KEPT = `${root.path}/kept`;
    process.env.PATH = `${root.path}/bin:${before}`;
    await program("files", SCRIPT);
    await program("mad", "#!/bin/sh\nyes secret\n");
    await program("broken", "#!/bin/sh\necho secret; exit 3\n");
    await program("odd", "#!/bin/sh\necho secret\n");
  });
  afterAll(() => {
    process.env.PATH = before;
    delete process.env.KEPT;
  });

  test.each([[{ credsStore: "files" }], [{ credsStore: "broken", credHelpers: { "r.test": "files" } }]])(
    "named by %j keeps what would lie in the file",
    async (settings) => {
      await write(settings);
      expect(await storedLogin(read(), "r.test")).toBeUndefined();
      expect(await storeLogin(read(), "r.test", { username: "u", password: "p" })).toEqual({
        isPlain: false,
      });
      expect((await Bun.file(path()).json()).auths).toEqual({ "r.test": {} });
      expect(await storedLogin(read(), "r.test")).toEqual({ username: "u", password: "p" });
      await storeLogin(read(), "r.test", { username: "u", password: "p", identitytoken: "t" });
      expect(await storedLogin(read(), "r.test")).toEqual({ username: "", password: "", identitytoken: "t" });
      await eraseLogin(read(), "r.test");
      expect(await storedLogin(read(), "r.test")).toBeUndefined();
    },
  );

  test.each([
    ["mad", "took too long or said too much"],
    ["broken", "it ended with 3"],
    ["odd", "its answer is malformed"],
    ["../../bin/sh", "it is no name"],
    ["absent", "executable file not found in $PATH"],
  ])("%j is found out, and what it says is not repeated", async (name, sentence) => {
    await write({ credsStore: name });
    const asked = storedLogin(read(), "r.test").then(
      () => "",
      (thrown: Error) => thrown.message,
    );
    expect(await asked).toContain(sentence);
    expect(await asked).not.toContain("secret");
  });

  test("is asked by its standard input alone", async () => {
    expect(await askHelper("files", "get", "nobody")).toBeUndefined();
  });
});
