import { afterAll, beforeAll, expect, test } from "bun:test";
import { FakePlugin } from "../fakes/plugin.ts";
import { type Scratch, scratch } from "../fakes/scratch.ts";
import { HostPart, PATIENCE, until } from "../fixtures/host-part.ts";

type Body = Record<string, unknown>;

let place: Scratch;
let part: HostPart;
let plugin: FakePlugin;

const bodyOf = (shown: Body, field: string) =>
  JSON.parse(Buffer.from(String(shown[field] ?? ""), "base64").toString() || "{}") as Body;
const isPrivileged = (shown: Body) =>
  (bodyOf(shown, "RequestBody").HostConfig as { Privileged?: boolean } | undefined)?.Privileged === true;

const answers = {
  "Plugin.Activate": () => ({ Implements: ["authz"] }),
  "AuthZPlugin.AuthZReq": (shown: Body) =>
    isPrivileged(shown) ? { Allow: false, Msg: "nobody is privileged here" } : { Allow: true },
  "AuthZPlugin.AuthZRes": (shown: Body) =>
    String(shown.RequestUri).includes("/networks")
      ? { Allow: false, Msg: "networks are secret" }
      : { Allow: true },
};

beforeAll(async () => {
  place = await scratch();
  await Bun.write(`${place.path}/daemon.json`, "{}");
  part = await HostPart.openWith(["--config-file", `${place.path}/daemon.json`], "busybox");
  plugin = await FakePlugin.start(`${part.daemon.execRoot}/plugins/guard.sock`, answers);
  await reload({ "authorization-plugins": ["guard"] });
}, PATIENCE);
afterAll(async () => {
  await plugin?.[Symbol.asyncDispose]();
  await part?.[Symbol.asyncDispose]();
  await place?.[Symbol.asyncDispose]();
}, PATIENCE);

/** Writes the settings, sends SIGHUP, and waits until it is known who decides. */
async function reload(settings: object): Promise<void> {
  await Bun.write(`${place.path}/daemon.json`, JSON.stringify(settings));
  process.kill(part.daemon.pid, "SIGHUP");
  const wanted = "authorization-plugins" in settings;
  await until(
    () => part.daemon.json<{ Plugins?: { Authorization: string[] | null } }>("/info"),
    ({ Plugins }) => ((Plugins?.Authorization ?? null) !== null) === wanted,
  );
}

test("what the plugin allows goes its way, streams and all, and the plugin was shown it", async () => {
  const { code, stdout } = await part.daemon.cli("run", "--rm", "busybox", "echo", "allowed");
  expect([code, stdout]).toEqual([0, "allowed\n"]);
  const asked = plugin.calls("AuthZPlugin.AuthZReq");
  const create = asked.find(({ RequestUri }) => /\/containers\/create/.test(String(RequestUri))) ?? {};
  expect(create).toMatchObject({ RequestMethod: "POST", User: "", UserAuthNMethod: "" });
  expect(bodyOf(create, "RequestBody")).toMatchObject({ Image: "busybox", Cmd: ["echo", "allowed"] });
  for (const what of [/\/attach\?/, /\/start$/, /\/wait\?/])
    expect(asked.map(({ RequestUri }) => String(RequestUri)).filter((uri) => what.test(uri))).toHaveLength(1);
  const replies = plugin.calls("AuthZPlugin.AuthZRes");
  const made = replies.find(({ RequestUri }) => /\/containers\/create/.test(String(RequestUri))) ?? {};
  expect(made.ResponseStatusCode).toBe(201);
  expect(bodyOf(made, "ResponseBody").Id).toMatch(/^[0-9a-f]{64}$/);
  expect(replies.filter(({ RequestUri }) => /attach/.test(String(RequestUri)))).toEqual([]);
});

test("a command in a container is asked about with its words, and its streams then go their way", async () => {
  const { id } = await part.start(["sleep", "600"]);
  expect(await part.daemon.ok("exec", id, "echo", "inside")).toBe("inside");
  const asked = plugin.calls("AuthZPlugin.AuthZReq");
  const made =
    asked.find(({ RequestUri }) => /\/containers\/[0-9a-f]+\/exec$/.test(String(RequestUri))) ?? {};
  expect(bodyOf(made, "RequestBody")).toMatchObject({ Cmd: ["echo", "inside"] });
  expect(asked.some(({ RequestUri }) => /\/exec\/[0-9a-f]+\/start$/.test(String(RequestUri)))).toBe(true);
  await part.remove(id);
});

test("what it forbids is answered with 403 and its reason, and is not done", async () => {
  const { code, stderr } = await part.daemon.cli("create", "--privileged", "busybox");
  expect([code, stderr]).toEqual([
    1,
    expect.stringContaining("authorization denied by plugin guard: nobody is privileged here"),
  ]);
  expect(await part.daemon.ok("ps", "-aq")).toBe("");
  const reply = await part.daemon.request("GET", "/networks");
  expect([reply.status, await reply.text()]).toEqual([403, expect.stringContaining("networks are secret")]);
});

test("credentials for registries are not shown", async () => {
  const auth = Buffer.from('{"username":"u","password":"secret"}').toString("base64");
  await part.daemon.request("POST", "/images/create?fromImage=busybox", undefined, {
    "X-Registry-Auth": auth,
  });
  expect(JSON.stringify(plugin.asked)).not.toContain(auth);
});

test(
  "without an answer from it nothing is allowed, and no daemon starts",
  async () => {
    plugin.faults.set("AuthZPlugin.AuthZReq", { kind: "refuse", reason: "I am ill" });
    const ill = await part.daemon.request("GET", "/info");
    expect([ill.status, await ill.text()]).toEqual([
      500,
      expect.stringContaining("plugin guard failed with error: "),
    ]);
    plugin.faults.clear();
    await plugin.stop();
    expect((await part.daemon.request("GET", "/_ping")).status).toBe(500);
    await part.daemon.stop();
    const started = await part.daemon.start().then(
      () => "started",
      (thrown: Error) => thrown.message,
    );
    expect(started).toContain("Cannot use the authorization plugin guard");
    await plugin.start();
    await part.daemon.start();
    await reload({});
    expect((await part.daemon.request("GET", "/networks")).status).toBe(200);
  },
  PATIENCE,
);
